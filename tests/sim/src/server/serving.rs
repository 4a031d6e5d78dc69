//! The server on an open connection.

use std::time::Duration;

use fastrand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};
use turmoil::net::TcpStream;

use super::greeting::Open;
use crate::event::What;
use crate::record::Record;
use crate::scenario::{End, Serving};
use crate::wire;

/// How long the server waits for the rest of a closing handshake.
const PATIENCE: Duration = Duration::from_secs(3);

struct Server {
    stream: TcpStream,
    input: Vec<u8>,
    port: u16,
    next: u64,
    pings: u64,
    plan: Serving,
    rng: Rng,
    record: Record,
}

/// Whether the connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Go {
    On,
    Away,
}

/// What is due next.
enum Due {
    Input(std::io::Result<usize>),
    Message,
    Ping,
    End,
}

/// Serves until one of both ends it.
pub(super) async fn serve(open: Open, port: u16, plan: Serving, rng: Rng, record: Record) {
    let Open { stream, input, next } = open;
    let mut server = Server { stream, input, port, next, pings: 0, plan, rng, record };
    if server.frames().await == Go::On {
        server.run().await;
    }
}

impl Server {
    async fn run(&mut self) {
        let began = Instant::now();
        let (mut left, every, _) = self.plan.flood;
        let mut next_message = began;
        let mut next_ping = self.plan.ping_every.map(|every| began + every);
        let end_at = self.plan.end.as_ref().map(|(after, _)| began + *after);
        let mut told = false;
        let deaf_at = self.plan.deaf_after.map(|after| began + after);
        loop {
            let deaf = deaf_at.is_some_and(|at| at <= Instant::now());
            if deaf && !std::mem::replace(&mut told, true) {
                self.record.note(What::ServerDid { port: self.port, what: "stops reading" });
            }
            let due = tokio::select! {
                biased;
                () = at(end_at) => Due::End,
                count = self.stream.read_buf(&mut self.input), if !deaf => Due::Input(count),
                () = at(next_ping) => Due::Ping,
                () = sleep_until(next_message), if left > 0 => Due::Message,
            };
            let go = match due {
                Due::End => return self.end().await,
                Due::Input(count) => self.on_input(count).await,
                Due::Ping => {
                    next_ping = self.plan.ping_every.map(|every| Instant::now() + every);
                    self.ping().await
                }
                Due::Message => {
                    left -= 1;
                    next_message += every;
                    self.message().await
                }
            };
            if go == Go::Away {
                return;
            }
        }
    }

    async fn on_input(&mut self, count: std::io::Result<usize>) -> Go {
        match count {
            Ok(count) if count > 0 => self.frames().await,
            ended => {
                self.record.note(What::GotEnd { port: self.port, well: ended.is_ok() });
                Go::Away
            }
        }
    }

    async fn frames(&mut self) -> Go {
        while let Some(frame) = wire::take(&mut self.input) {
            let port = self.port;
            match frame.opcode {
                wire::PING => {
                    self.record.note(What::GotPing { port });
                    if self.plan.pongs {
                        let pong = wire::frame(wire::PONG, &frame.payload);
                        if self.write(&pong).await == Go::Away {
                            return Go::Away;
                        }
                    }
                }
                wire::PONG => {
                    let n = String::from_utf8_lossy(&frame.payload).parse().unwrap_or(0);
                    self.record.note(What::GotPong { port, n });
                }
                wire::CLOSE => return self.on_close(&frame.payload).await,
                _ => {
                    let text = String::from_utf8_lossy(&frame.payload);
                    let head = text.trim_end_matches('x').trim_end().to_owned();
                    self.record.note(What::Got { port, text: head, len: frame.payload.len() });
                    if self.plan.echo && self.message().await == Go::Away {
                        return Go::Away;
                    }
                }
            }
        }
        Go::On
    }

    async fn on_close(&mut self, payload: &[u8]) -> Go {
        let code = payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
        self.record.note(What::GotClose { port: self.port, code });
        if self.plan.answers_close {
            let _ = self.write(&wire::frame(wire::CLOSE, payload)).await;
        } else {
            // The client has to part without an answer.
            self.wait_for_end().await;
        }
        Go::Away
    }

    async fn message(&mut self) -> Go {
        let (port, k) = (self.port, self.next);
        self.next += 1;
        let fill = match self.plan.flood.2 {
            0 => 0,
            most => self.rng.usize(..=most),
        };
        let text = wire::server_text(port, k, fill);
        self.record.note(What::Sending { port, k, len: text.len() });
        let go = self.write(&wire::frame(wire::TEXT, text.as_bytes())).await;
        if go == Go::On {
            self.record.note(What::Sent { port, k });
        }
        go
    }

    async fn ping(&mut self) -> Go {
        self.pings += 1;
        let n = self.pings;
        let go = self.write(&wire::frame(wire::PING, n.to_string().as_bytes())).await;
        if go == Go::On {
            self.record.note(What::SentPing { port: self.port, n });
        }
        go
    }

    async fn write(&mut self, bytes: &[u8]) -> Go {
        match self.stream.write_all(bytes).await {
            Ok(()) => Go::On,
            Err(_) => Go::Away,
        }
    }

    async fn end(&mut self) {
        let Some((_, end)) = self.plan.end.clone() else { return };
        let port = self.port;
        let did = |what| self.record.note(What::ServerDid { port, what });
        match end {
            End::Close(code) => {
                self.record.note(What::SentClose { port, code });
                let _ = self.write(&wire::close(code)).await;
                self.wait_for_end().await;
            }
            End::Eof => {
                did("ends the stream without a close frame");
                let _ = self.stream.shutdown().await;
                self.wait_for_end().await;
            }
            End::MidMessage => {
                did("ends in the middle of a message");
                let mut half = wire::header(0x81, 1000);
                half.extend([b'y'; 100]);
                let _ = self.write(&half).await;
                let _ = self.stream.shutdown().await;
                self.wait_for_end().await;
            }
            End::Garbage => {
                did("sends a frame with reserved bits");
                self.last_words(&[0xF3, 0x05, 1, 2, 3, 4, 5]).await;
            }
            End::BadUtf8 => {
                did("sends text that is not UTF-8");
                self.last_words(&wire::frame(wire::TEXT, &[b'a', 0xC3, 0x28])).await;
            }
            End::TooBig => {
                did("announces a message larger than any limit");
                self.last_words(&wire::header(0x82, 1 << 30)).await;
            }
            End::BadClose => {
                did("sends a close code that must not be sent");
                self.last_words(&wire::close(Some(1006))).await;
            }
            End::Freeze => {
                did("freezes");
                std::future::pending::<()>().await;
            }
        }
    }

    async fn last_words(&mut self, bytes: &[u8]) {
        let _ = self.write(bytes).await;
        self.wait_for_end().await;
    }

    /// Reads what the client still says, its close frame above all.
    async fn wait_for_end(&mut self) {
        let rest = async {
            loop {
                match self.stream.read_buf(&mut self.input).await {
                    Ok(count) if count > 0 => {}
                    ended => {
                        self.record.note(What::GotEnd { port: self.port, well: ended.is_ok() });
                        return;
                    }
                }
                while let Some(frame) = wire::take(&mut self.input) {
                    self.late_frame(&frame);
                }
            }
        };
        let _ = timeout(PATIENCE, rest).await;
    }

    fn late_frame(&self, frame: &wire::Frame) {
        let port = self.port;
        match frame.opcode {
            wire::CLOSE => {
                let code =
                    frame.payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
                self.record.note(What::GotClose { port, code });
            }
            wire::PING => self.record.note(What::GotPing { port }),
            wire::PONG => {}
            _ => {
                let text = String::from_utf8_lossy(&frame.payload);
                let head = text.trim_end_matches('x').trim_end().to_owned();
                self.record.note(What::Got { port, text: head, len: frame.payload.len() });
            }
        }
    }
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}
