//! One run: the simulation of one seed, from its start to the verdict.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use wscengine::{Control, Engine, Prepared, Status};
use wscengine_dial::Dialer;
use wscengine_tungstenite::TungsteniteTransport;

use crate::convert;
use crate::event::{Answer, Op, What};
use crate::handler::SimHandler;
use crate::monitor::Monitor;
use crate::net::{Net, SimConnector};
use crate::policies::{self, SimFactory, WatchedBackoff, WatchedClassifier};
use crate::record::{Record, take_panics};
use crate::scenario::{Fault, Finish, Scenario, StartWay};
use crate::server::{self, Shared};
use crate::user::slot::Slot;
use crate::user::{self, calls};

/// What the engine's end may take beyond `stop_timeout`: its own last grace, and the step of the clock.
pub(crate) const GRACE: Duration = Duration::from_millis(150);

/// How soon calls that wait hear of the end.
const PROMPT: Duration = Duration::from_millis(3);

/// Far above what any end may take.
const AFTERMATH: Duration = Duration::from_secs(2);

type SimTransport = TungsteniteTransport;

/// Runs a scenario, and records it.
pub(crate) fn run(scenario: &Scenario, record: &Record) {
    take_panics();
    let shared = Arc::new(Shared::new(scenario.clone(), record.clone()));
    let limit = scenario.length + scenario.options.stop + Duration::from_secs(20);
    let mut sim = turmoil::Builder::new()
        .rng_seed(scenario.seed)
        .tick_duration(scenario.tick)
        .simulation_duration(limit + Duration::from_secs(60))
        .min_message_latency(scenario.network.latency.0)
        .max_message_latency(scenario.network.latency.1)
        .tcp_capacity(scenario.network.capacity)
        .build();
    sim.host("server", move || server::run(shared.clone()));
    let (plan, user_record) = (scenario.clone(), record.clone());
    sim.client("engine", async move {
        use_engine(plan, user_record).await;
        Ok(())
    });
    let mut faults = scenario.network.faults.iter().peekable();
    loop {
        while let Some((_, fault)) = faults.next_if(|(at, _)| *at <= sim.elapsed()) {
            record.note(What::Fault { what: format!("{fault:?}") });
            apply(&mut sim, *fault);
        }
        match sim.step() {
            Ok(true) => break,
            Ok(false) if sim.elapsed() < limit => {}
            Ok(false) => {
                record.broken("9: every wait ends after stop", "the run did not end");
                break;
            }
            Err(error) => {
                record.broken("the simulation goes on", error.to_string());
                break;
            }
        }
    }
    drop(sim);
    for panic in take_panics() {
        record.broken("8: nothing panics that was not told to", panic);
    }
}

fn apply(sim: &mut turmoil::Sim<'_>, fault: Fault) {
    match fault {
        Fault::Partition => sim.partition("engine", "server"),
        Fault::LosesOutbound => sim.partition_oneway("engine", "server"),
        Fault::LosesInbound => sim.partition_oneway("server", "engine"),
        Fault::Repair => sim.repair("engine", "server"),
        Fault::Hold => sim.hold("engine", "server"),
        Fault::Release => sim.release("engine", "server"),
        Fault::Crash => sim.crash("server"),
        Fault::Bounce => sim.bounce("server"),
        Fault::Latency(latency) => sim.set_link_latency("engine", "server", latency),
    }
}

/// The user's whole life with the engine.
async fn use_engine(scenario: Scenario, record: Record) {
    let slot = match scenario.user.finish {
        Finish::LastHandle => Slot::alone(),
        _ => Slot::default(),
    };
    let net = Net::new(scenario.network.clone(), scenario.rng(1), record.clone(), slot.clone());
    let handler = SimHandler {
        habits: scenario.habits.clone(),
        record: record.clone(),
        net: net.clone(),
        rng: Mutex::new(scenario.rng(2)),
        slot: slot.clone(),
    };
    let prepared = match prepare(&scenario, handler, &net, &record) {
        Ok(prepared) => prepared,
        Err(error) => return record.broken("the scenario is valid", error.to_string()),
    };
    let control = prepared.control();
    let watching = tokio::spawn(watch(control.clone(), record.clone()));
    let monitor = Monitor::new(&scenario, &record, &net, &slot, control.status());
    let monitoring = tokio::spawn(monitor.run());
    let exiting = exit_early(scenario.user.start, &control, &record);
    if let Some(engine) = start(&scenario, prepared, &record).await {
        live(&scenario, engine, &slot, &record).await;
    }
    let bound = scenario.options.stop + GRACE + AFTERMATH;
    if timeout(bound, ended(&control)).await.is_err() {
        record.broken("7: stop is bounded by stop_timeout", "the engine does not end");
    }
    if let Status::Stopped { outcome } = &*control.status().borrow() {
        record.note(What::Outcome { outcome: convert::outcome(outcome) });
    }
    if let Some(stats) = slot.stats() {
        let (sessions, panics, dropped) = (stats.sessions, stats.panics, stats.dropped_callbacks);
        record.note(What::Stats { sessions, panics, dropped });
    }
    slot.take();
    exiting.into_iter().for_each(|task| task.abort());
    let _ = timeout(AFTERMATH, watching).await;
    let _ = timeout(AFTERMATH, monitoring).await;
    // One more step, for whatever is to go on its own.
    sleep(Duration::from_millis(5)).await;
    aftermath(&net, &record);
}

/// Nothing of the engine is left.
fn aftermath(net: &Net, record: &Record) {
    if net.live() > 0 {
        record.broken("7: nothing is left after the end", "a dial or a stream is still there");
    }
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    if tasks > 0 {
        record.broken("7: nothing is left after the end", format!("{tasks} tasks are still there"));
    }
}

async fn start(
    scenario: &Scenario,
    prepared: Prepared<SimTransport, SimHandler>,
    record: &Record,
) -> Option<Engine> {
    let control = prepared.control();
    let call = record.next_call();
    record.note(What::Ask { call, op: Op::Start });
    let mut starting = pin!(prepared.start());
    let patience = match scenario.user.start {
        StartWay::GiveUpAfter(after) => after,
        _ => scenario.length,
    };
    let result = match timeout(patience, &mut starting).await {
        Err(_) if !matches!(scenario.user.start, StartWay::GiveUpAfter(_)) => {
            record.note(What::Request { op: Op::Exit });
            control.exit();
            Some(starting.await)
        }
        result => result.ok(),
    };
    let answer = match &result {
        Some(Ok(_)) => Answer::Ok,
        Some(Err(error)) => Answer::Err(convert::start_error(error)),
        None => Answer::GivenUp,
    };
    record.note(What::Answer { call, op: Op::Start, result: answer });
    result.and_then(Result::ok)
}

/// From the start to the end.
async fn live(scenario: &Scenario, engine: Engine, slot: &Slot, record: &Record) {
    let control = engine.control();
    slot.put(engine);
    let actors = user::spawn(scenario, slot, record);
    let _ = timeout(scenario.length.saturating_sub(record.now()), ended(&control)).await;
    finish(scenario.user.finish, slot, record).await;
    let bound = scenario.options.stop + GRACE + AFTERMATH;
    if timeout(bound, ended(&control)).await.is_err() {
        record.broken("7: stop is bounded by stop_timeout", "the engine does not end");
    }
    sleep(PROMPT).await;
    for waiting in record.waiting() {
        record
            .broken("9: every wait ends after stop", format!("this call still waits: {waiting:?}"));
    }
    actors.iter().for_each(JoinHandle::abort);
}

async fn finish(finish: Finish, slot: &Slot, record: &Record) {
    let Some(engine) = slot.take() else { return };
    // Those who stop inside of a callback may still need it.
    if finish != Finish::LastHandle {
        slot.put(engine.clone());
    }
    match finish {
        Finish::Stop => _ = calls::stop(&engine, record).await,
        Finish::StopTwice => {
            let both = async {
                tokio::join!(calls::stop(&engine, record), calls::stopped(&engine, record))
            };
            both.await;
            calls::stop(&engine, record).await;
        }
        Finish::StopGivenUp(after) => {
            let _ = timeout(after, calls::stop(&engine, record)).await;
            calls::stopped(&engine, record).await;
        }
        Finish::Exit => {
            record.note(What::Request { op: Op::Exit });
            engine.control().exit();
            calls::stopped(&engine, record).await;
        }
        Finish::LastHandle => {
            record.note(What::Request { op: Op::LastHandle });
            drop(engine);
        }
    }
}

fn exit_early(way: StartWay, control: &Control, record: &Record) -> Option<JoinHandle<()>> {
    let (control, record) = (control.clone(), record.clone());
    match way {
        StartWay::Plain | StartWay::GiveUpAfter(_) => None,
        StartWay::ExitBefore => {
            record.note(What::Request { op: Op::Exit });
            control.exit();
            None
        }
        StartWay::ExitAfter(after) => Some(tokio::spawn(async move {
            sleep(after).await;
            record.note(What::Request { op: Op::Exit });
            control.exit();
        })),
    }
}

async fn ended(control: &Control) {
    let mut status = control.status();
    let _ = status.wait_for(|status| matches!(status, Status::Stopped { .. })).await;
}

/// Records each status that can be seen.
async fn watch(control: Control, record: Record) {
    let mut status = control.status();
    loop {
        let shown = convert::status(&status.borrow_and_update(), &record);
        let over = shown == crate::event::Shown::Stopped;
        record.note(What::Status { status: shown });
        if over || status.changed().await.is_err() {
            return;
        }
    }
}

fn prepare(
    scenario: &Scenario,
    handler: SimHandler,
    net: &Net,
    record: &Record,
) -> Result<Prepared<SimTransport, SimHandler>, wscengine::ConfigError> {
    let options = &scenario.options;
    let dialer = Dialer::default().connector(SimConnector(net.clone()));
    let transport = TungsteniteTransport::new().dialer(dialer);
    let mut builder = Engine::builder(transport, handler)
        .url(policies::url())
        .workers(options.workers)
        .read_ahead(options.read_ahead.0, options.read_ahead.1)
        .send_queue(options.send_queue.0, options.send_queue.1)
        .max_message_size(options.max_message)
        .connect_timeout(options.connect)
        .on_open_timeout(options.on_open)
        .on_message_timeout(options.on_message)
        .on_read_error_timeout(options.on_read_error)
        .on_close_timeout(options.on_close)
        .on_close_error_timeout(options.on_close_error)
        .on_restart_error_timeout(options.on_restart_error)
        .drain_timeout(options.drain)
        .close_timeout(options.close)
        .stop_timeout(options.stop)
        .write_timeout(options.write)
        .ping_interval(options.ping_interval)
        .ping_timeout(options.ping_timeout)
        .idle_timeout(options.idle)
        .stable_after(options.stable_after)
        .max_attempts(options.max_attempts)
        .max_elapsed(options.max_elapsed)
        .auto_reconnect(options.auto_reconnect)
        .retry_first(options.retry_first)
        .seed(options.seed)
        .request_timeout(options.request)
        .classifier(WatchedClassifier::new(record.clone()))
        .backoff(WatchedBackoff::new(options, record.clone()));
    if let Some(making) = options.making.clone() {
        let rng = Mutex::new(scenario.rng(3));
        builder = builder.request_factory(SimFactory { making, rng, record: record.clone() });
    }
    if let Some(keys) = options.keys {
        builder = builder.ordered_by(move |message| {
            let of = message.text().and_then(crate::wire::read_server_text);
            of.map(|(_, k)| k % keys)
        });
    }
    builder.build()
}
