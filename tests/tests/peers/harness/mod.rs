//! The peers as child processes, the link between them and the engine, and handlers of the tests.

mod handlers;
mod namespace;
mod peer;
mod programs;

pub(crate) use handlers::{Busy, Farewell, quick, reopened, started};
pub(crate) use namespace::in_namespace;
pub(crate) use peer::{Peer, Server};

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

pub(crate) use for_each_server;
