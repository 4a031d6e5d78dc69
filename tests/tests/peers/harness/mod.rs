//! The peers and proxies as child processes, the link between them and the engine, and handlers of the tests.

mod forward;
mod front;
mod handlers;
mod namespace;
mod peer;
mod programs;
mod proxy;

pub(crate) use forward::{CREDENTIALS, Forward};
pub(crate) use front::Front;
pub(crate) use handlers::{Busy, Farewell, echoes, over, reopened, rooms, started_over};
pub(crate) use namespace::in_namespace;
pub(crate) use peer::{Peer, Server};
pub(crate) use programs::{User, bound_to_us};
pub(crate) use proxy::{Port, Proxy};

/// Makes a module for each server, with all the named tests: functions of the calling module that take a [`Server`].
macro_rules! for_each_server {
    ($($test:ident),+ $(,)?) => {
        mod ws {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(crate::harness::Server::Ws).await;
                }
            )+
        }

        mod websockets {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(crate::harness::Server::Websockets).await;
                }
            )+
        }
    };
}

/// Makes a module for each adapter, with all the named tests: functions of the module `$home`, generic over the
/// [`Adapter`](e2e::Adapter), that take `$with`.
macro_rules! for_each_adapter {
    ($home:ident, $with:expr; $($test:ident),+ $(,)?) => {
        mod tungstenite {
            $(
                #[tokio::test]
                async fn $test() {
                    crate::$home::$test::<e2e::Tungstenite>($with).await;
                }
            )+
        }

        mod sockudo {
            $(
                #[tokio::test]
                async fn $test() {
                    crate::$home::$test::<e2e::Sockudo>($with).await;
                }
            )+
        }
    };
}

pub(crate) use {for_each_adapter, for_each_server};
