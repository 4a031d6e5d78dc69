//! What is looked at once the fault has struck.

use e2e::proxy::{End, Link};
use e2e::within;
use wscengine::{
    AttemptError, CloseCause, CloseErrorKind, Initiator, OutcomeKind, RecvError, Revoked,
    SendErrorKind, Status,
};

use super::cell::{Cell, SOME};
use super::clients::Holding;
use super::handler::{PROBE, SENT, Told};
use super::peer::PUSH;
use super::table::{Cause, Fault, Redial, Situation};

/// More messages than a lost heartbeat takes: one comes every 5 ms.
const OUTLASTING_THE_HEARTBEAT: usize = 250;

impl Cell {
    /// The connection works under the fault, and nothing is lost.
    pub(super) async fn goes_on(&mut self, link: &Link) {
        let here = self.journal.messages.len();
        if self.fault != Fault::StallToServer {
            self.probe().await;
        }
        match self.situation {
            Situation::Idle | Situation::Paused => self.journal.until(PROBE).await,
            Situation::Receiving if self.fault == Fault::StallToServer => {
                self.journal.messages(here + OUTLASTING_THE_HEARTBEAT).await;
            }
            Situation::Receiving | Situation::Sending => self.journal.messages(here + SOME).await,
            Situation::InOnOpen => self.talked(true).await,
            Situation::InOnClose => {
                self.talked(true).await;
                self.closed(&[]).await;
                self.opened(true, Redial::Succeeds).await;
            }
        }
        self.started().await;
        if self.fault != Fault::StallToServer {
            within(self.engine().ping()).await.unwrap();
        }
        self.proxy.heal().await;
        self.finish_sending(here).await;
        if let Some(Holding { ask, task }) = self.holding.take() {
            drop(ask);
            let (conn, error) = within(task).await.unwrap();
            assert!(error.is_none() && conn.revoked().is_none(), "{error:?}");
        }
        self.works_again().await;
        check_order(&self.journal.messages);
        let sessions = if self.situation == Situation::InOnClose {
            assert_eq!((link.ended().await, self.proxy.accepted()), (End::Finished, 2));
            assert_eq!(link.to_server().closes, [1001]);
            2
        } else {
            // Waits for those that are on their way.
            self.journal.messages(link.to_client().messages as usize).await;
            1
        };
        assert_eq!(self.engine().stats().sessions, sessions);
    }

    /// All that was sent comes back.
    async fn finish_sending(&mut self, least: usize) {
        let Some(task) = self.sending.take() else { return };
        self.gates.window.close();
        let sent = within(task).await.unwrap().unwrap();
        assert!(sent > least);
        self.journal.messages(sent).await;
    }

    /// The connection ends as expected, and a new one comes.
    pub(super) async fn ends(&mut self, link: &Link, causes: &[Cause], redial: Redial) {
        if self.fault.wants_traffic() || self.talks() {
            self.probe().await;
        }
        let cause = match self.situation {
            Situation::InOnOpen => self.attempt_failed(causes).await,
            Situation::InOnClose => {
                self.talked(false).await;
                self.closed(causes).await;
                causes[0]
            }
            Situation::Idle | Situation::Receiving | Situation::Sending | Situation::Paused => {
                let cause = self.lost(causes).await;
                self.check_what_passed(link);
                self.check_sending().await;
                self.check_holding().await;
                cause
            }
        };
        if redial != Redial::Succeeds {
            self.redial_failed(redial).await;
        }
        self.proxy.heal().await;
        self.opened(self.situation != Situation::InOnOpen, redial).await;
        self.started().await;
        self.works_again().await;
        assert_eq!(self.engine().stats().panics, 0);
        self.check_last_word(link, cause).await;
    }

    fn talks(&self) -> bool {
        matches!(self.situation, Situation::InOnOpen | Situation::InOnClose)
    }

    /// `on_read_error` if that is the cause, `on_close`, nothing else.
    async fn lost(&mut self, causes: &[Cause]) -> Cause {
        let (read_error, closed) = match self.next().await {
            Told::ReadError(kind) => (Some(kind), self.next().await),
            closed => (None, closed),
        };
        let Told::Close(closed) = closed else { panic!("not on_close: {closed:?}") };
        let cause = expect(&closed.cause, causes);
        let initiator = if cause.is_peer() { Initiator::Peer } else { Initiator::Lost };
        assert_eq!((closed.initiator, closed.restarting), (initiator, true));
        assert_eq!(closed.unhandled, 0);
        assert_eq!(read_error.map(Cause::Read), Some(cause).filter(|cause| is_read(*cause)));
        cause
    }

    /// What had reached the client before the end was delivered, in order.
    fn check_what_passed(&self, link: &Link) {
        check_order(&self.journal.messages);
        let passed = link.to_client();
        if !self.fault.may_lose_input() {
            let sound = passed.sound.unwrap_or(passed.messages);
            assert_eq!(self.journal.messages.len() as u64, sound, "{passed:?}");
        }
    }

    /// The server was told what it must be told, and nothing was said to one that is gone.
    async fn check_last_word(&self, link: &Link, cause: Cause) {
        link.ended().await;
        let mut closes = link.to_server().closes;
        // Whether the proxy still delivers it twice is a matter of when it was healed.
        closes.dedup();
        assert_eq!(closes, Vec::from_iter(cause.answer()), "after {cause}");
    }

    /// Who was sending has got an error.
    async fn check_sending(&mut self) {
        let Some(task) = self.sending.take() else { return };
        let error = within(task).await.unwrap().unwrap_err();
        assert!(
            matches!(error.kind(), SendErrorKind::Lost | SendErrorKind::SessionEnded),
            "{error:?}"
        );
    }

    /// Who held the connection was told that he does not any more.
    async fn check_holding(&mut self) {
        let Some(Holding { ask, task }) = self.holding.take() else { return };
        let (mut conn, error) = within(task).await.unwrap();
        assert!(matches!(error, Some(RecvError::Revoked(Revoked::ConnectionEnded))), "{error:?}");
        assert_eq!(conn.revoked(), Some(Revoked::ConnectionEnded));
        assert_eq!(conn.send(PROBE).await.unwrap_err().kind(), SendErrorKind::Revoked);
        assert!(within(conn.recv()).await.is_err() && within(conn.ping()).await.is_err());
        drop(ask);
    }

    /// `on_open` did not return, so there is no `on_close`: the attempt failed.
    async fn attempt_failed(&mut self, causes: &[Cause]) -> Cause {
        let told = match self.next().await {
            Told::Talked(Err(_)) => self.next().await,
            told => told,
        };
        let Told::RestartError(AttemptError::ConnectionLost(cause)) = &told else {
            panic!("not a lost connection: {told:?}");
        };
        expect(cause, causes)
    }

    /// The session that was to be restarted is closed; `causes` is what has become of its connection.
    async fn closed(&mut self, causes: &[Cause]) {
        let told = self.next().await;
        let Told::Close(closed) = &told else { panic!("not on_close: {told:?}") };
        assert!(matches!(closed.cause, CloseCause::Restarted), "{closed:?}");
        assert_eq!((closed.initiator, closed.restarting), (Initiator::Local, true));
        if causes.first().is_some_and(|cause| !cause.is_peer()) {
            let told = self.next().await;
            assert!(matches!(told, Told::CloseError(CloseErrorKind::Io)), "{told:?}");
        }
    }

    async fn redial_failed(&mut self, redial: Redial) {
        match self.next().await {
            Told::RestartError(AttemptError::Connect(error)) => {
                assert!(redial.fails_as(error.kind()), "{error:?} instead of {redial}");
            }
            other => panic!("not a failed dial: {other:?}"),
        }
    }

    /// A connection is open again. Where dials failed, more than one may have.
    async fn opened(&mut self, expected: bool, redial: Redial) {
        loop {
            match self.next().await {
                Told::Open { restarting } => return assert_eq!(restarting, expected),
                Told::RestartError(AttemptError::Connect(_)) if redial != Redial::Succeeds => {}
                other => panic!("not on_open: {other:?}"),
            }
        }
    }

    /// Messages go out and come back.
    async fn works_again(&mut self) {
        let mut status = self.engine().status();
        within(status.wait_for(|status| matches!(status, Status::Open { .. }))).await.unwrap();
        within(self.engine().send_flushed("again")).await.unwrap();
        self.journal.until("again").await;
    }

    /// The fault strikes once more, and a stop comes upon it: it is in time, and nothing follows it.
    pub(super) async fn stop_under_the_fault(mut self) {
        self.journal.messages.clear();
        self.strike().await;
        let outcome = within(self.engine().stop()).await;
        assert_eq!((outcome.kind(), outcome.is_forced()), (OutcomeKind::Requested, false));
        self.engine = None;
        let mut told = Vec::new();
        while let Some(next) = self.journal.next().await {
            told.push(next);
        }
        assert!(
            matches!(
                &told[..],
                [Told::Close(_)]
                    | [Told::ReadError(_), Told::Close(_)]
                    | [Told::Close(_), Told::CloseError(_)]
            ),
            "{told:?}"
        );
        check_order(&self.journal.messages);
    }
}

/// The cause, which must be one of these.
#[track_caller]
fn expect(cause: &CloseCause, causes: &[Cause]) -> Cause {
    match Cause::of(cause) {
        Some(known) if causes.contains(&known) => known,
        _ => panic!("{cause:?}, not one of {causes:?}"),
    }
}

fn is_read(cause: Cause) -> bool {
    matches!(cause, Cause::Read(_))
}

/// Those with numbers come one after the other, and none is missing in between.
#[track_caller]
fn check_order(messages: &[String]) {
    for kind in [PUSH, SENT] {
        let numbers: Vec<usize> = messages
            .iter()
            .filter_map(|text| text.strip_prefix(kind)?.split_whitespace().next()?.parse().ok())
            .collect();
        assert!(numbers.is_sorted_by(|before, after| before + 1 == *after), "{kind}: {numbers:?}");
    }
}
