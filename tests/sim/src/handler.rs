//! The random user's handler: each call of a callback does one of the things that the scenario lists for it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use wscengine::{
    AttemptError, Callback, CloseError, CloseFrame, Closed, Control, Exclusive, Handler,
    HandlerError, Message, Opened, ReadError, Session,
};

use crate::convert;
use crate::event::{How, Op, Told, What};
use crate::net::Net;
use crate::record::{Planned, Record};
use crate::scenario::{Doing, Habits, pick};
use crate::user::calls::{self, Caller, Held};
use crate::user::slot::Slot;
use crate::wire;

/// The user's callbacks.
pub(crate) struct SimHandler {
    pub(crate) habits: Habits,
    pub(crate) record: Record,
    pub(crate) net: Net,
    pub(crate) rng: Mutex<Rng>,
    pub(crate) slot: Slot,
}

/// A call of a callback, until it ends in some way.
struct Running {
    record: Record,
    call: u64,
    callback: Callback,
    session: u32,
    how: How,
}

impl Running {
    fn end(mut self, how: How) {
        self.how = how;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Self { call, callback, session, how, .. } = *self;
        self.record.note(What::End { call, callback, session, how });
    }
}

/// What a callback has at hand to act with.
struct Hand<'a> {
    session: Option<&'a Session>,
    conn: Option<&'a mut Exclusive>,
    control: Option<&'a Control>,
}

impl SimHandler {
    fn begin(&self, callback: Callback, session: Option<&Session>, told: Told) -> Running {
        let call = self.record.next_call();
        let session = session.map_or(0, |session| self.record.session(session.id()));
        self.record.note(What::Begin { call, callback, session, told });
        Running { record: self.record.clone(), call, callback, session, how: How::Dropped }
    }

    fn doing(&self, of: &[Doing]) -> Doing {
        pick(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner), of)
    }

    fn caller(&self, call: u64) -> Caller {
        // No sender outside of callbacks has so high a number, so each call has one of its own.
        Caller { record: self.record.clone(), sender: 1_000 + u32::try_from(call).unwrap_or(0) }
    }

    async fn act(
        &self,
        doing: Doing,
        running: &mut Running,
        hand: Hand<'_>,
    ) -> Result<(), HandlerError> {
        let Hand { session, conn, control } = hand;
        let call = running.call;
        let caller = self.caller(call);
        match doing {
            Doing::Quick | Doing::Farewell(_) => {}
            Doing::Sleep(time) => tokio::time::sleep(time).await,
            Doing::Hang => std::future::pending().await,
            Doing::Panic => {
                // It is also dropped in a panic when that of a transport unwinds the task that polls it.
                running.how = How::Panicked;
                std::panic::panic_any(Planned)
            }
            Doing::Fail(after) => {
                tokio::time::sleep(after).await;
                return Err("the user says no".into());
            }
            Doing::Talk => {
                if let Some(conn) = conn {
                    let mut held = Held { conn, hold: call };
                    caller.holder_send(&mut held, 0, 20).await?;
                    caller.recv(&mut held, None).await?;
                }
            }
            Doing::Send => match (conn, session) {
                (Some(conn), _) => {
                    caller.holder_send(&mut Held { conn, hold: call }, 0, 0).await?;
                }
                (None, Some(session)) => caller.send(session, 0, 0).await?,
                (None, None) => {}
            },
            Doing::Restart => self.restart(session, control),
            Doing::Exit => self.exit(session, control),
            Doing::Stop => {
                if let Some(engine) = self.slot.get() {
                    calls::stop(&engine, &self.record).await;
                }
            }
            Doing::Pause => {
                if let Some(session) = session {
                    let limit = Some(Duration::from_millis(200));
                    let mut lease = caller.pause(session, limit).await?;
                    let _ = caller.recv(&mut lease.held(), None).await;
                }
            }
        }
        Ok(())
    }

    fn restart(&self, session: Option<&Session>, control: Option<&Control>) {
        if let Some(session) = session {
            let op = Op::RestartSession(self.record.session(session.id()));
            self.record.note(What::Request { op });
            session.restart();
        } else if let Some(control) = control {
            self.record.note(What::Request { op: Op::Restart });
            control.restart();
        }
    }

    fn exit(&self, session: Option<&Session>, control: Option<&Control>) {
        self.record.note(What::Request { op: Op::Exit });
        if let Some(session) = session {
            session.exit();
        } else if let Some(control) = control {
            control.exit();
        }
    }
}

impl Handler for SimHandler {
    async fn on_open(&self, conn: &mut Exclusive, opened: Opened) -> Result<(), HandlerError> {
        let told = Told::Opened {
            port: self.net.link().port,
            restarting: opened.restarting,
            attempt: opened.attempt,
            previous: opened.previous.as_ref().map(convert::cause),
        };
        let session = conn.session().clone();
        let mut running = self.begin(Callback::OnOpen, Some(&session), told);
        let doing = self.doing(&self.habits.on_open);
        let hand = Hand { session: Some(&session), conn: Some(conn), control: None };
        let result = self.act(doing, &mut running, hand).await;
        running.end(if result.is_ok() { How::Well } else { How::Failed });
        result
    }

    async fn on_message(&self, session: &Session, message: Message<'_>) {
        let (port, k) = message.text().and_then(wire::read_server_text).unwrap_or((0, 0));
        let mut running = self.begin(Callback::OnMessage, Some(session), Told::Message { port, k });
        let doing = self.doing(&self.habits.on_message);
        let hand = Hand { session: Some(session), conn: None, control: None };
        let _ = self.act(doing, &mut running, hand).await;
        running.end(How::Well);
    }

    async fn on_read_error(&self, session: &Session, _error: &ReadError) {
        let mut running = self.begin(Callback::OnReadError, Some(session), Told::Nothing);
        let doing = self.doing(&self.habits.on_read_error);
        let hand = Hand { session: Some(session), conn: None, control: None };
        let _ = self.act(doing, &mut running, hand).await;
        running.end(How::Well);
    }

    async fn on_close(&self, conn: &mut Exclusive, closed: &Closed) -> Option<CloseFrame> {
        let told = Told::Closed {
            cause: convert::cause(&closed.cause),
            restarting: closed.restarting,
            unhandled: closed.unhandled,
            unsent: closed.unsent,
            last_read: self.net.link().last_read,
        };
        let session = conn.session().clone();
        let mut running = self.begin(Callback::OnClose, Some(&session), told);
        let doing = self.doing(&self.habits.on_close);
        let hand = Hand { session: Some(&session), conn: Some(conn), control: None };
        let _ = self.act(doing, &mut running, hand).await;
        running.end(How::Well);
        match doing {
            Doing::Farewell(code) => CloseFrame::new(code, "farewell").ok(),
            _ => None,
        }
    }

    async fn on_close_error(&self, session: &Session, _error: &CloseError) {
        let mut running = self.begin(Callback::OnCloseError, Some(session), Told::Nothing);
        let doing = self.doing(&self.habits.on_close_error);
        let hand = Hand { session: Some(session), conn: None, control: None };
        let _ = self.act(doing, &mut running, hand).await;
        running.end(How::Well);
    }

    async fn on_restart_error(&self, control: &Control, error: &AttemptError, retry: u32) {
        let told = Told::Retry { retry, error: convert::attempt_error(error) };
        let mut running = self.begin(Callback::OnRestartError, None, told);
        let doing = self.doing(&self.habits.on_restart_error);
        let hand = Hand { session: None, conn: None, control: Some(control) };
        let _ = self.act(doing, &mut running, hand).await;
        running.end(How::Well);
    }
}
