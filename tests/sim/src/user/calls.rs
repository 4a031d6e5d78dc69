//! The user's calls, each recorded with what came of it.

use std::time::Duration;

use wscengine::{
    Engine, Exclusive, HandlerError, Outcome, PauseError, PingError, SendError, Session,
};

use crate::convert;
use crate::event::{Answer, Modulo, Op, Way, What};
use crate::record::Record;
use crate::wire;

/// One who calls.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) record: Record,
    pub(crate) sender: u32,
}

/// A connection that is held, and the call that gave it.
pub(crate) struct Held<'a> {
    pub(crate) conn: &'a mut Exclusive,
    pub(crate) hold: u64,
}

/// A connection that a pause gave, until it is given back.
pub(crate) struct Lease {
    conn: Exclusive,
    hold: u64,
    session: u32,
    record: Record,
}

impl Lease {
    pub(crate) fn held(&mut self) -> Held<'_> {
        Held { conn: &mut self.conn, hold: self.hold }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let (hold, session) = (self.hold, self.session);
        self.record.note(What::Request { op: Op::Release { hold, session } });
    }
}

/// A call, until its answer is known. One that is dropped before has been given up.
struct Asked {
    record: Record,
    call: u64,
    op: Op,
    answer: Answer,
}

impl Asked {
    fn new(record: &Record, op: Op) -> Self {
        let call = record.next_call();
        record.note(What::Ask { call, op: op.clone() });
        Self { record: record.clone(), call, op, answer: Answer::GivenUp }
    }

    /// Ends it, and gives its number.
    fn answer(mut self, answer: Answer) -> u64 {
        self.answer = answer;
        self.call
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let (op, result) = (self.op.clone(), self.answer.clone());
        self.record.note(What::Answer { call: self.call, op, result });
    }
}

/// `stop()`.
pub(crate) async fn stop(engine: &Engine, record: &Record) -> Outcome {
    let asked = Asked::new(record, Op::Stop);
    let outcome = engine.stop().await;
    asked.answer(convert::outcome(&outcome));
    outcome
}

/// `stopped()`.
pub(crate) async fn stopped(engine: &Engine, record: &Record) -> Outcome {
    let asked = Asked::new(record, Op::Stopped);
    let outcome = engine.stopped().await;
    asked.answer(convert::outcome(&outcome));
    outcome
}

impl Caller {
    fn ask(&self, op: Op) -> Asked {
        Asked::new(&self.record, op)
    }

    fn number(&self, session: &Session) -> u32 {
        self.record.session(session.id())
    }

    /// Sends, and waits for room.
    pub(crate) async fn send(
        &self,
        session: &Session,
        k: u64,
        fill: usize,
    ) -> Result<(), SendError> {
        self.send_as(Way::Send, session, k, fill).await
    }

    pub(crate) async fn send_as(
        &self,
        way: Way,
        session: &Session,
        k: u64,
        fill: usize,
    ) -> Result<(), SendError> {
        let number = self.number(session);
        let asked = self.ask(Op::Send { way, session: Some(number), sender: self.sender, k });
        let text = wire::client_text(number, self.sender, k, fill);
        let result = match way {
            Way::Send => session.send(text).await,
            Way::TrySend => session.try_send(text),
            Way::Flushed => session.send_flushed(text).await,
        };
        asked.answer(sent(&result));
        result
    }

    /// Sends on whatever session the engine has.
    pub(crate) async fn engine_send(&self, way: Way, engine: &Engine, k: u64, fill: usize) {
        // What the engine is about to look up itself, in the same breath.
        let number = engine.session().map(|session| self.number(&session));
        let asked = self.ask(Op::Send { way, session: number, sender: self.sender, k });
        let text = wire::client_text(number.unwrap_or(0), self.sender, k, fill);
        let result = match way {
            Way::Send => engine.send(text).await,
            Way::TrySend => engine.try_send(text),
            Way::Flushed => engine.send_flushed(text).await,
        };
        asked.answer(sent(&result));
    }

    pub(crate) async fn holder_send(
        &self,
        held: &mut Held<'_>,
        k: u64,
        fill: usize,
    ) -> Result<(), SendError> {
        let session = self.number(held.conn.session());
        let asked = self.ask(Op::HolderSend { hold: held.hold, session, sender: self.sender, k });
        let result = held.conn.send(wire::client_text(session, self.sender, k, fill)).await;
        asked.answer(sent(&result));
        result
    }

    pub(crate) async fn pause(
        &self,
        session: &Session,
        hold: Option<Duration>,
    ) -> Result<Lease, PauseError> {
        let asked = self.ask(Op::Pause { session: Some(self.number(session)), hold });
        let result = match hold {
            None => session.pause().await,
            Some(hold) => session.pause_for(hold).await,
        };
        let hold = asked.answer(self.paused(&result));
        result.map(|conn| self.lease(conn, hold))
    }

    pub(crate) async fn engine_pause(
        &self,
        engine: &Engine,
        hold: Option<Duration>,
    ) -> Result<Lease, PauseError> {
        let asked = self.ask(Op::Pause { session: None, hold });
        let result = match hold {
            None => engine.pause().await,
            Some(hold) => engine.pause_for(hold).await,
        };
        let hold = asked.answer(self.paused(&result));
        result.map(|conn| self.lease(conn, hold))
    }

    fn paused(&self, result: &Result<Exclusive, PauseError>) -> Answer {
        match result {
            Ok(held) => Answer::Granted { session: self.number(held.session()) },
            Err(error) => Answer::Err(format!("{error:?}")),
        }
    }

    /// Receives the next message, or the next of those.
    pub(crate) async fn recv(
        &self,
        held: &mut Held<'_>,
        matching: Option<Modulo>,
    ) -> Result<(), HandlerError> {
        let session = self.number(held.conn.session());
        let asked = self.ask(Op::Recv { hold: held.hold, session, matching });
        let result = match matching {
            None => held.conn.recv().await,
            Some(modulo) => {
                held.conn
                    .recv_matching(|message| {
                        let of = message.text().and_then(wire::read_server_text);
                        of.is_some_and(|(_, k)| modulo.matches(k))
                    })
                    .await
            }
        };
        asked.answer(match &result {
            Ok(message) => {
                let (port, k) = message.text().and_then(wire::read_server_text).unwrap_or((0, 0));
                Answer::Message { port, k }
            }
            Err(error) => Answer::Err(format!("{error:?}")),
        });
        result?;
        Ok(())
    }

    fn lease(&self, conn: Exclusive, hold: u64) -> Lease {
        let session = self.number(conn.session());
        Lease { conn, hold, session, record: self.record.clone() }
    }

    pub(crate) async fn ping(&self, session: &Session) {
        let asked = self.ask(Op::Ping { session: Some(self.number(session)) });
        asked.answer(pinged(&session.ping().await));
    }

    pub(crate) async fn holder_ping(&self, held: &mut Held<'_>) {
        let session = self.number(held.conn.session());
        let asked = self.ask(Op::HolderPing { hold: held.hold, session });
        asked.answer(pinged(&held.conn.ping().await));
    }
}

fn sent(result: &Result<(), SendError>) -> Answer {
    match result {
        Ok(()) => Answer::Ok,
        Err(error) => Answer::Err(format!("{:?}", error.kind())),
    }
}

fn pinged(result: &Result<Duration, PingError>) -> Answer {
    match result {
        Ok(_) => Answer::Ok,
        Err(error) => Answer::Err(format!("{error:?}")),
    }
}
