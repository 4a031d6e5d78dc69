//! Who is measured: how each server is started, and where it speaks what.

use std::env;
use std::net::SocketAddrV4;
use std::path::PathBuf;

use anyhow::Context as _;

/// A server and one of the protocols that it speaks.
#[derive(Clone, Debug)]
pub(super) struct Contestant {
    pub(super) label: &'static str,
    pub(super) about: &'static str,
    pub(super) path: &'static str,
    pub(super) protocol: &'static str,
    server: Server,
}

#[derive(Clone, Copy, Debug)]
enum Server {
    Floor { coalesce: bool },
    Axum,
    NpmWs,
    Rooms,
}

/// What the figures are related to.
pub(super) const AXUM: &str = "axum-naive";
/// Ours, in its own protocol and in the least that a protocol can be.
pub(super) const ROOMS: &str = "rooms-wsrooms";
pub(super) const ROOMS_RAW: &str = "rooms-raw";
/// Ours, in the other protocols.
pub(super) const GROWS: &str = "rooms-grows";
pub(super) const EASY: &str = "rooms-easy";
pub(super) const IRIS: &str = "rooms-iris";
/// What no server is below, beside which the originals were measured.
pub(super) const FLOOR: &str = "floor";

pub(super) const CONTESTANTS: [Contestant; 9] = [
    Contestant {
        label: FLOOR,
        about: "raw epoll, one thread, each message framed once, one write(2) for each member",
        path: "",
        protocol: "raw",
        server: Server::Floor { coalesce: false },
    },
    Contestant {
        label: "floor-joined",
        about: "the same, one write(2) for each member for all that one read brought",
        path: "",
        protocol: "raw",
        server: Server::Floor { coalesce: true },
    },
    Contestant {
        label: AXUM,
        about: "axum with its `ws`, one tokio broadcast channel of 256 for each room, TCP_NODELAY",
        path: "",
        protocol: "raw",
        server: Server::Axum,
    },
    Contestant {
        label: "npm-ws",
        about: "40 lines with `ws` of npm on Node.js",
        path: "",
        protocol: "raw",
        server: Server::NpmWs,
    },
    Contestant {
        label: ROOMS,
        about: "rooms-server, protocol wsrooms",
        path: "bench/wsrooms",
        protocol: "wsrooms",
        server: Server::Rooms,
    },
    Contestant {
        label: ROOMS_RAW,
        about: "rooms-server, the protocol that axum-naive and npm-ws speak",
        path: "bench/raw",
        protocol: "raw",
        server: Server::Rooms,
    },
    Contestant {
        label: GROWS,
        about: "rooms-server, protocol groWs",
        path: "bench/grows",
        protocol: "grows",
        server: Server::Rooms,
    },
    Contestant {
        label: EASY,
        about: "rooms-server, protocol go-easy-websocket",
        path: "bench/easy",
        protocol: "easy",
        server: Server::Rooms,
    },
    Contestant {
        label: IRIS,
        about: "rooms-server, protocol iris",
        path: "bench/iris",
        protocol: "iris",
        server: Server::Rooms,
    },
];

impl Contestant {
    pub(super) fn is_ours(&self) -> bool {
        matches!(self.server, Server::Rooms)
    }

    /// Program and arguments; `None` if it is not there.
    pub(super) fn command(&self, addr: SocketAddrV4) -> anyhow::Result<Option<Vec<String>>> {
        let listen = addr.to_string();
        Ok(match self.server {
            Server::Floor { coalesce } => {
                let this = env::current_exe()?;
                let this = this.to_str().context("the path of this program is no text")?;
                let words = [this, "floor", "--listen", &listen];
                let joined = coalesce.then_some("--coalesce");
                Some(words.into_iter().chain(joined).map(str::to_owned).collect())
            }
            Server::Axum => program("BENCH_ROOMS_AXUM").map(|program| vec![program, listen]),
            Server::NpmWs => program("BENCH_ROOMS_NPM_SCRIPT")
                .map(|script| vec!["node".to_owned(), script, addr.port().to_string()]),
            Server::Rooms => program("BENCH_ROOMS_SERVER")
                .map(|program| vec![program, "--listen".to_owned(), listen, "--bench".to_owned()]),
        })
    }
}

/// A file that `benches/rooms/run` made and named in the environment.
fn program(variable: &str) -> Option<String> {
    let path = env::var(variable).ok()?;
    PathBuf::from(&path).is_file().then_some(path)
}
