//! One cell of the table: a fault strikes in a situation, the engine does what is expected, and all is well again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use e2e::proxy::{Corrupt, Link};
use e2e::{Adapter, Proxy, within};
use tokio::task::JoinHandle;
use wscengine::{Engine, ExponentialBackoff, SendError, StartError};
use wscengine_dial::Dialer;
use wscengine_rooms_server::{Config, RunningServer};

use super::clients::{Holding, PADDING, send_on};
use super::handler::{Gates, Journal, PROBE, Reporter, Told};
use super::peer::{PUSH, Peer};
use super::table::{Expected, Fault, KICKED, Situation, expected};
use crate::rooms;

/// Does it all.
pub(crate) async fn run<A: Adapter>(fault: Fault, situation: Situation) {
    let mut cell = Cell::begin::<A>(fault, situation).await;
    let link = cell.link().await;
    cell.strike().await;
    match expected(fault, situation) {
        Expected::GoesOn => cell.goes_on(&link).await,
        Expected::Ends { causes, redial } => cell.ends(&link, causes, redial).await,
    }
    cell.stop_under_the_fault().await;
}

pub(super) struct Cell {
    pub(super) fault: Fault,
    pub(super) situation: Situation,
    pub(super) server: Server,
    pub(super) proxy: Proxy,
    pub(super) gates: Arc<Gates>,
    pub(super) journal: Journal,
    /// What becomes of the start, until it is looked at.
    pub(super) starting: Option<JoinHandle<Result<Engine, StartError>>>,
    pub(super) engine: Option<Engine>,
    pub(super) sending: Option<JoinHandle<Result<usize, SendError>>>,
    pub(super) holding: Option<Holding>,
}

/// Who is behind the proxy.
pub(super) enum Server {
    Rooms(RunningServer),
    /// Where it must do more than echo.
    Peer(Peer),
}

impl Server {
    async fn start(fault: Fault, situation: Situation) -> Self {
        if situation == Situation::Receiving || fault == Fault::DuplicateClose {
            Self::Peer(Peer::start().await)
        } else {
            Self::Rooms(rooms(Config::default()).await)
        }
    }

    fn addr(&self) -> SocketAddr {
        match self {
            Self::Rooms(server) => server.local_addr(),
            Self::Peer(peer) => peer.addr(),
        }
    }
}

/// So many messages pass before the fault strikes, and under it.
pub(super) const SOME: usize = 10;
/// Heartbeat and other limits, where a test waits for them.
const BEAT: Duration = Duration::from_millis(400);

impl Cell {
    /// Opens a connection through the proxy, and brings about the situation.
    async fn begin<A: Adapter>(fault: Fault, situation: Situation) -> Self {
        let server = Server::start(fault, situation).await;
        let proxy = Proxy::start(server.addr()).await;
        let window = match expected(fault, situation) {
            Expected::GoesOn => 4,
            // As many as there is room for.
            Expected::Ends { .. } => 1 << 20,
        };
        let (reporter, gates, journal) = Reporter::new(situation, window);
        let start = prepare::<A>(fault, &proxy, reporter);
        let mut cell = Self {
            fault,
            situation,
            server,
            proxy,
            gates,
            journal,
            starting: Some(tokio::spawn(start)),
            engine: None,
            sending: None,
            holding: None,
        };
        cell.journal.first_open().await;
        cell.arrange().await;
        cell
    }

    async fn arrange(&mut self) {
        if self.situation != Situation::InOnOpen {
            self.started().await;
        }
        match self.situation {
            Situation::Idle => {}
            Situation::Receiving => {
                self.engine().send(PUSH).await.unwrap();
                self.journal.messages(SOME).await;
            }
            Situation::Sending => {
                let padding = match expected(self.fault, self.situation) {
                    Expected::GoesOn => "",
                    Expected::Ends { .. } => PADDING,
                };
                let session = self.engine().session().unwrap();
                let send = send_on(session, Arc::clone(&self.gates), padding);
                self.sending = Some(tokio::spawn(send));
                self.journal.messages(SOME).await;
            }
            Situation::Paused => {
                let conn = within(self.engine().pause()).await.unwrap();
                self.holding = Some(Holding::begin(conn, self.journal.sender()));
            }
            Situation::InOnOpen => self.waiting().await,
            Situation::InOnClose => {
                self.engine().control().restart();
                self.waiting().await;
            }
        }
    }

    /// Lets the fault strike.
    pub(super) async fn strike(&self) {
        let (up, down) = (self.proxy.to_server(), self.proxy.to_client());
        let by = Duration::from_millis(30);
        match self.fault {
            Fault::Reset => self.proxy.reset(),
            Fault::Finish => self.proxy.finish(),
            Fault::HalfCloseToClient => down.half_close(),
            Fault::HalfCloseToServer => up.half_close(),
            Fault::StallToClient => down.stall(),
            Fault::StallToServer => up.stall(),
            Fault::DelayToClient => down.delay(by),
            Fault::DelayToServer => up.delay(by),
            Fault::DripToClient => down.drip(),
            Fault::DripToServer => up.drip(),
            Fault::ThrottleToClient => down.throttle(1000),
            Fault::ThrottleToServer => up.throttle(1000),
            Fault::CorruptHeaderToClient => down.corrupt(Corrupt::Header),
            Fault::CorruptHeaderToServer => up.corrupt(Corrupt::Header),
            Fault::CorruptPayloadToClient => down.corrupt(Corrupt::Payload),
            Fault::CorruptPayloadToServer => up.corrupt(Corrupt::Payload),
            Fault::CorruptHandshake => {
                down.corrupt(Corrupt::Handshake);
                self.proxy.reset();
            }
            Fault::DuplicateClose => {
                down.duplicate_close();
                up.duplicate_close();
                match &self.server {
                    Server::Peer(peer) => peer.close(KICKED),
                    Server::Rooms(_) => unreachable!("it cannot be told to close"),
                }
            }
            Fault::Refuse => {
                self.proxy.refuse().await;
                self.proxy.reset();
            }
            Fault::SayNothing => {
                self.proxy.say_nothing().await;
                self.proxy.reset();
            }
        }
    }

    /// Says something, where something is waited for.
    pub(super) async fn probe(&mut self) {
        match self.situation {
            // The session may be over by now.
            Situation::Idle | Situation::Receiving => drop(self.engine().send(PROBE).await),
            Situation::Sending => {}
            Situation::Paused => drop(self.holding.as_ref().unwrap().ask.try_send(())),
            Situation::InOnOpen | Situation::InOnClose => self.gates.talk.add_permits(1),
        }
    }

    /// The connection that is open, as the proxy sees it.
    pub(super) async fn link(&self) -> Link {
        self.proxy.link(self.proxy.accepted() - 1).await
    }

    pub(super) async fn next(&mut self) -> Told {
        self.journal.next().await.expect("the engine has ended")
    }

    async fn waiting(&mut self) {
        let told = self.next().await;
        assert!(matches!(told, Told::Waiting), "{told:?}");
    }

    pub(super) async fn talked(&mut self, well: bool) {
        let told = self.next().await;
        assert!(matches!(&told, Told::Talked(talked) if talked.is_ok() == well), "{told:?}");
    }

    /// Waits until the engine has started.
    pub(super) async fn started(&mut self) {
        if let Some(task) = self.starting.take() {
            self.engine = Some(within(task).await.unwrap().unwrap());
        }
    }

    pub(super) fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("the engine has not started")
    }
}

/// Time limits are short where the test waits for them, and long where it does not: a loaded machine is slow.
fn prepare<A: Adapter>(
    fault: Fault,
    proxy: &Proxy,
    reporter: Reporter,
) -> impl Future<Output = Result<Engine, StartError>> + use<A> {
    let quick =
        ExponentialBackoff::new().base(Duration::from_millis(20)).cap(Duration::from_millis(20));
    let mut builder = Engine::builder(A::transport(Dialer::default()), reporter)
        .url(format!("ws://{}/echo", proxy.addr()))
        .backoff(quick)
        .retry_first(true)
        .stop_timeout(Duration::from_secs(20));
    let stalls = matches!(fault, Fault::StallToClient | Fault::StallToServer);
    if stalls {
        builder = builder
            .ping_interval(Some(BEAT))
            .ping_timeout(BEAT)
            .write_timeout(2 * BEAT)
            .drain_timeout(BEAT)
            .close_timeout(BEAT);
    }
    if stalls || fault == Fault::SayNothing {
        builder = builder.connect_timeout(BEAT);
    }
    builder.build().unwrap().start()
}
