//! One connection through the proxy.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

use super::Shared;
use super::frames::{Passed, Scanner};
use super::lane::{Flow, LaneState, deliver, flowing};

/// What is known of one connection through the proxy.
#[derive(Clone, Debug)]
pub struct Link {
    to_server: watch::Receiver<Passed>,
    to_client: watch::Receiver<Passed>,
    end: watch::Receiver<Option<End>>,
}

/// How a connection through the proxy ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Both directions ended with FIN.
    Finished,
    /// One side reset it, or the proxy did, and so it was reset to both.
    Reset,
}

impl Link {
    /// What of the client's has passed to the server.
    pub fn to_server(&self) -> Passed {
        self.to_server.borrow().clone()
    }

    /// What of the server's has passed to the client.
    pub fn to_client(&self) -> Passed {
        self.to_client.borrow().clone()
    }

    /// How it ended, once it has.
    pub async fn ended(&self) -> End {
        let mut end = self.end.clone();
        crate::within(end.wait_for(Option::is_some)).await.unwrap().unwrap()
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.end.borrow().is_some()
    }
}

/// Serves a client until the connection is over.
pub(super) async fn serve(mut client: TcpStream, shared: Arc<Shared>) {
    let Ok(mut server) = TcpStream::connect(shared.server).await else { return };
    for stream in [&client, &server] {
        // One that is reset already will say so when it is read.
        let _ = stream.set_nodelay(true);
    }
    let mut reset = shared.reset.subscribe();
    let (up, down) = (Pump::new(&shared.to_server), Pump::new(&shared.to_client));
    let end = register(&shared, &up, &down);
    let pumps = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let both = async {
            tokio::try_join!(up.run(from_client, to_server), down.run(from_server, to_client))
        };
        tokio::select! {
            biased;
            _ = reset.changed() => None,
            both = both => both.ok(),
        }
    };
    if pumps.is_none() {
        for stream in [&client, &server] {
            let _ = stream.set_zero_linger();
        }
    }
    drop((client, server));
    end.send_replace(Some(if pumps.is_some() { End::Finished } else { End::Reset }));
}

fn register(shared: &Shared, up: &Pump<'_>, down: &Pump<'_>) -> watch::Sender<Option<End>> {
    let end = watch::Sender::new(None);
    shared.links.lock().unwrap().push(Link {
        to_server: up.passed.subscribe(),
        to_client: down.passed.subscribe(),
        end: end.subscribe(),
    });
    shared.accepted.send_modify(|accepted| *accepted += 1);
    end
}

/// Copies one direction.
struct Pump<'a> {
    lane: &'a LaneState,
    flow: watch::Receiver<Flow>,
    half_close: watch::Receiver<()>,
    passed: watch::Sender<Passed>,
    scanner: Scanner,
}

impl<'a> Pump<'a> {
    fn new(lane: &'a LaneState) -> Self {
        Self {
            lane,
            flow: lane.flow.subscribe(),
            half_close: lane.half_close.subscribe(),
            passed: watch::Sender::default(),
            scanner: Scanner::new(),
        }
    }

    async fn run(mut self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> io::Result<()> {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let count = tokio::select! {
                biased;
                _ = self.half_close.changed() => {
                    to.shutdown().await?;
                    return throw_away(from, &mut buffer).await;
                }
                count = next(&mut from, &mut self.flow, &mut buffer) => count?,
            };
            if count == 0 {
                return to.shutdown().await;
            }
            let bytes = self.scanner.pass(&buffer[..count], &mut self.lane.orders());
            deliver(&bytes, &mut to, &self.flow).await?;
            self.passed.send_if_modified(|passed| {
                let news = passed != self.scanner.passed();
                passed.clone_from(self.scanner.passed());
                news
            });
        }
    }
}

/// The next bytes to pass on, or 0 at the end. A stall that comes while it reads holds them back, and an end too.
async fn next(
    from: &mut ReadHalf<'_>,
    flow: &mut watch::Receiver<Flow>,
    buffer: &mut [u8],
) -> io::Result<usize> {
    flowing(flow).await;
    let count = from.read(buffer).await;
    flowing(flow).await;
    count
}

async fn throw_away(mut from: ReadHalf<'_>, buffer: &mut [u8]) -> io::Result<()> {
    while from.read(buffer).await? > 0 {}
    Ok(())
}
