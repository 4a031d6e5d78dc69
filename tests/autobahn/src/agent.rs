//! Whom the suite tests. An adapter of the engine is a variant here, and a line in each `match`.

use std::fmt;

use clap::ValueEnum;
use wscengine_rooms_server::{Config, Server};
use wscengine_sockudo::{Deflate, SockudoTransport};
use wscengine_tungstenite::TungsteniteTransport;

use crate::client;
use crate::report::Report;
use crate::suite::{Failure, Suite};

/// A client or server of ours, by the name that it has in the reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Agent {
    /// The engine on tokio-tungstenite.
    #[value(name = "wscengine-tungstenite")]
    Tungstenite,
    /// The engine on the core of sockudo-ws, with permessage-deflate.
    #[value(name = "wscengine-sockudo")]
    Sockudo,
    /// The companion server's `/echo`.
    #[value(name = "rooms-server")]
    RoomsServer,
}

impl Agent {
    /// Whether permessage-deflate (RFC 7692) is offered, or taken: then the cases 12.* and 13.* count.
    pub(crate) fn has_deflate(self) -> bool {
        match self {
            Self::Tungstenite => false,
            Self::Sockudo | Self::RoomsServer => true,
        }
    }

    /// Runs all cases of the suite.
    pub(crate) async fn run(self, suite: &Suite) -> Result<Report, Failure> {
        match self {
            Self::Tungstenite => client::run(TungsteniteTransport::new, suite).await,
            Self::Sockudo => {
                client::run(|| SockudoTransport::new().deflate(Deflate::new()), suite).await
            }
            Self::RoomsServer => {
                let server = Server::bind("127.0.0.1:0", Config::default()).await?.spawn();
                let report = suite.fuzz_server(&server.echo_url()).await;
                server.shutdown().await;
                report
            }
        }
    }
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tungstenite => "wscengine-tungstenite",
            Self::Sockudo => "wscengine-sockudo",
            Self::RoomsServer => "rooms-server",
        })
    }
}
