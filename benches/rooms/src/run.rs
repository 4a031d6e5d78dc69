//! One run of one workload: its options, and the line that comes of it.

use std::net::SocketAddrV4;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::load::{Load, Target};
use crate::protocol::{Kind, Protocol};
use crate::suite::cpus;
use crate::sys;
use crate::workloads::{Plan, Workload};

/// What is given on the command line; what is not is the workload's own.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// What to do
    pub(crate) workload: Workload,
    /// Where the server is: ws://IPV4:PORT/PATH
    #[arg(long)]
    url: String,
    /// What the server speaks
    #[arg(long)]
    protocol: Kind,
    /// The server process, for CPU and memory
    #[arg(long)]
    pid: Option<i32>,
    /// Goes into the result
    #[arg(long)]
    label: Option<String>,
    /// R1 receivers, R2 per room, R6
    #[arg(long)]
    members: Option<usize>,
    /// R2 rooms, R3 pairs
    #[arg(long)]
    rooms: Option<usize>,
    /// Messages in flight per room
    #[arg(long)]
    window: Option<u32>,
    /// Bytes of a message
    #[arg(long)]
    payload: Option<usize>,
    /// Messages/s in all, instead of as fast as the windows allow (R1, R2, R3)
    #[arg(long)]
    rate: Option<u64>,
    /// Measured
    #[arg(long)]
    seconds: Option<f64>,
    /// Before that
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
    /// Ends after that many messages or cycles, instead of a time
    #[arg(long)]
    count: Option<u64>,
    /// R4
    #[arg(long, default_value_t = 2000)]
    connections: usize,
    /// Connections set up at a time (R5: in all)
    #[arg(long)]
    concurrency: Option<usize>,
    /// The CPUs of this process
    #[arg(long, default_value = "1")]
    cpu: String,
    /// The CPUs of the server, to see what else runs there
    #[arg(long, default_value = "0")]
    server_cpu: String,
    /// A line of the handshake
    #[arg(long)]
    header: Vec<String>,
    /// What iris puts in front of each message
    #[arg(long, default_value = "iris-websocket-message:")]
    iris_prefix: String,
    /// Sleeps while nothing comes, also while it measures
    #[arg(long)]
    no_spin: bool,
}

/// What a workload is without options.
struct Defaults {
    members: usize,
    window: u32,
    payload: usize,
    seconds: f64,
    concurrency: usize,
}

impl Defaults {
    fn of(workload: Workload, rate: Option<u64>) -> Self {
        let base = Self { members: 0, window: 1, payload: 128, seconds: 3.0, concurrency: 4 };
        match workload {
            // A paced publisher goes on while nothing stands for long.
            Workload::R1 if rate.is_some() => Self { members: 100, window: 64, ..base },
            Workload::R1 => Self { members: 100, window: 16, ..base },
            Workload::R2 => Self { members: 5, window: 4, ..base },
            Workload::R3 => base,
            Workload::R4 => Self { seconds: 0.0, concurrency: 50, ..base },
            Workload::R5 => Self { seconds: 6.0, concurrency: 50, ..base },
            Workload::R6 => Self { members: 100, window: 16, payload: 1024, ..base },
        }
    }
}

/// Measures and prints the result.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if let Err(error) = sys::pin_to(&cpus(&args.cpu)?) {
        eprintln!("not pinned: {error}");
    }
    println!("{}", measure(args)?);
    Ok(())
}

fn measure(args: &Args) -> anyhow::Result<Value> {
    let defaults = Defaults::of(args.workload, args.rate);
    let plan = plan(args, &defaults)?;
    let payload = args.payload.unwrap_or(defaults.payload);
    let (addr, path) = split_url(&args.url).context("--url: ws://IPV4:PORT/PATH")?;
    let protocol = Protocol { kind: args.protocol, iris_prefix: args.iris_prefix.clone() };
    let headers = &args.header;
    let mut load = Load::new(Target { addr, path: &path, headers, protocol, payload })?;
    load.spin = !args.no_spin;
    load.pace = args.rate.map(|rate| 1_000_000_000 / rate.max(1));
    let result = args.workload.run(&mut load, &plan);
    load.drop_all();
    let protocol = format!("{:?}", args.protocol).to_lowercase();
    Ok(json!({
        "label": args.label.as_ref().unwrap_or(&protocol), "workload": format!("{:?}", args.workload),
        "protocol": protocol, "members": plan.members, "rooms": plan.rooms, "window": plan.window,
        "rate": args.rate.unwrap_or(0), "payload": payload, "concurrency": plan.concurrency,
        "connections": plan.connections, "result": result,
    }))
}

fn plan(args: &Args, defaults: &Defaults) -> anyhow::Result<Plan> {
    let rooms = if args.workload == Workload::R3 { 100 } else { 200 };
    Ok(Plan {
        pid: args.pid,
        server_cpus: cpus(&args.server_cpu)?,
        members: args.members.unwrap_or(defaults.members),
        rooms: args.rooms.unwrap_or(rooms),
        window: args.window.unwrap_or(defaults.window),
        seconds: args.seconds.unwrap_or(defaults.seconds),
        warm_up: args.warm_up,
        concurrency: args.concurrency.unwrap_or(defaults.concurrency),
        connections: args.connections,
        count: args.count,
    })
}

fn split_url(url: &str) -> Option<(SocketAddrV4, String)> {
    let rest = url.strip_prefix("ws://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    Some((host.replace("localhost", "127.0.0.1").parse().ok()?, format!("/{path}")))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::thread;

    use clap::Parser;

    use super::*;
    use crate::floor::{Floor, Writes};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    /// A run of a tenth of a second against a floor in a thread of this process.
    fn against_the_floor(writes: Writes, options: &str) -> Value {
        let floor = Floor::new(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), writes).unwrap();
        let url = format!("ws://{}/", floor.addr());
        thread::spawn(|| floor.serve());
        let options = format!("x --url {url} --protocol raw --warm-up 0.05 --no-spin {options}");
        let line = Line::try_parse_from(options.split(' ')).unwrap_or_else(|e| panic!("{e}"));
        measure(&line.args).unwrap()["result"].take()
    }

    fn is_clean(result: &Value) {
        assert_eq!(result["error"], Value::Null, "{result}");
        assert_eq!(result["faults"], json!({}), "{result}");
    }

    #[test]
    fn a_url_is_an_address_and_a_path() {
        let addr = "127.0.0.1:80".parse().unwrap();
        assert_eq!(split_url("ws://localhost:80/a/b?c"), Some((addr, "/a/b?c".into())));
        assert_eq!(split_url("ws://127.0.0.1:80"), Some((addr, "/".into())));
        assert_eq!(split_url("wss://127.0.0.1:80/"), None);
    }

    #[test]
    fn every_message_of_a_room_reaches_all_others_once_and_in_order() {
        for (writes, pace) in
            [(Writes::EachMessage, ""), (Writes::Joined, ""), (Writes::EachMessage, " --rate 500")]
        {
            let result = against_the_floor(writes, &format!("R1 --members 5 --count 50{pace}"));
            is_clean(&result);
            assert!(result["deliveries"].as_u64() >= Some(250), "{result}");
        }
    }

    #[test]
    fn many_rooms_and_pairs_get_their_own_messages_only() {
        for options in ["R2 --rooms 7 --members 3 --count 70", "R3 --rooms 9 --count 90"] {
            let result = against_the_floor(Writes::EachMessage, options);
            is_clean(&result);
            assert_eq!(result["stalled"], json!(false), "{result}");
        }
    }

    #[test]
    fn idle_connections_stay_open_and_churning_ones_leave_nothing() {
        let result = against_the_floor(Writes::EachMessage, "R4 --connections 60");
        is_clean(&result);
        assert_eq!((&result["joined"], &result["still_open"]), (&json!(60), &json!(60)));
        let result = against_the_floor(Writes::EachMessage, "R5 --concurrency 10 --count 100");
        is_clean(&result);
        assert_eq!(result["usable_afterwards"], json!(true), "{result}");
    }

    #[test]
    fn a_member_that_stops_reading_is_cut_and_nobody_else() {
        // The floor cuts at 1 MiB of what does not fit; the kernel holds a few MiB before that.
        let options = "R6 --members 4 --payload 60000 --count 400";
        let result = against_the_floor(Writes::EachMessage, options);
        assert_eq!(result["others_cut"], json!(0), "{result}");
        assert_ne!(result["slow"]["end"], json!("still open"), "{result}");
    }
}
