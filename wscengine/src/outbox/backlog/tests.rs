//! What the backlog decides, step by step.

use std::time::Duration;

use super::*;

/// A step: what is done, at what second, and what comes of it.
struct Table {
    backlog: Backlog<()>,
    start: Instant,
}

const ANY: Scope = Scope::AnySession;
const THIS: Scope = Scope::ThisSession;

impl Table {
    fn new(messages: usize, bytes: usize, overflow: Overflow) -> Self {
        let backlog = Backlog::new(QueueLimits { messages, bytes }, overflow);
        Self { backlog, start: Instant::now() }
    }

    fn at(&self, secs: u64) -> Instant {
        self.start + Duration::from_secs(secs)
    }

    fn letter(&self, text: &'static str, scope: Scope, until: u64) -> Letter<()> {
        let deadline = Some(self.at(until));
        Letter { message: text.into(), scope, only: None, deadline, receipt: () }
    }

    /// Adds one, or is told why not, without waiting; and what is dropped for it.
    fn add_until(
        &mut self,
        text: &'static str,
        scope: Scope,
        (now, until): (u64, u64),
    ) -> (Result<(), SendErrorKind>, Vec<(String, SendErrorKind)>) {
        let mut letter = self.letter(text, scope, until);
        let (now, mut dropped) = (self.at(now), Dropped::none());
        let entry = self.backlog.enter(now, &mut letter, &mut None, Patience::None, &mut dropped);
        let result = match entry {
            Entry::Through => {
                self.backlog.push(letter);
                Ok(())
            }
            Entry::Refused(kind) => Err(kind),
            Entry::Waits => panic!("nobody would wake it"),
        };
        (result, texts(dropped))
    }

    fn add(&mut self, text: &'static str, scope: Scope) -> Result<(), SendErrorKind> {
        let (result, dropped) = self.add_until(text, scope, (0, 1_000));
        assert!(dropped.is_empty());
        result
    }

    /// What is sent in a session now, and what is not because it is too late.
    fn sent(&mut self, epoch: Epoch, now: u64) -> (Vec<String>, Vec<(String, SendErrorKind)>) {
        let (now, mut dropped, mut sent) = (self.at(now), Dropped::none(), Vec::new());
        while let Some(letter) = self.backlog.pop(now, epoch, &mut dropped) {
            sent.push(letter.message.text().unwrap().to_owned());
        }
        (sent, texts(dropped))
    }
}

fn texts(dropped: Dropped<()>) -> Vec<(String, SendErrorKind)> {
    let text = |letter: Letter<()>| letter.message.text().unwrap().to_owned();
    dropped.letters.into_iter().map(|(letter, kind)| (text(letter), kind)).collect()
}

fn dropped(texts: &[&str], kind: SendErrorKind) -> Vec<(String, SendErrorKind)> {
    texts.iter().map(|text| ((*text).to_owned(), kind)).collect()
}

#[test]
fn what_came_while_there_was_no_session_goes_out_in_order_in_the_next() {
    let mut table = Table::new(10, 100, Overflow::Reject);
    for text in ["1", "2", "3"] {
        table.add(text, ANY).unwrap();
    }
    assert!(table.sent(1, 0).0.is_empty());
    table.backlog.open(1);
    assert_eq!(table.sent(1, 0).0, ["1", "2", "3"]);
    table.add("4", ANY).unwrap();
    // The task of another session gets nothing.
    assert!(table.sent(2, 0).0.is_empty());
    texts(table.backlog.over(1));
    assert!(table.sent(1, 0).0.is_empty());
    table.add("5", ANY).unwrap();
    table.backlog.open(2);
    assert_eq!(table.sent(2, 0).0, ["4", "5"]);
}

#[test]
fn a_full_outbox_refuses_the_newest_or_drops_the_oldest_while_there_is_no_session() {
    for (overflow, result, dropped) in [
        (Overflow::Reject, Err(SendErrorKind::Full), vec![]),
        (Overflow::DropOldest, Ok(()), dropped(&["1", "2"], SendErrorKind::Overflow)),
    ] {
        let mut table = Table::new(3, 10, overflow);
        for text in ["1", "2", "3"] {
            table.add(text, ANY).unwrap();
        }
        // There is no room for the number, then none for the bytes.
        let entry = table.add_until("nine byte", ANY, (0, 9));
        assert_eq!(entry, (result, dropped));
    }
}

#[test]
fn one_message_fits_however_long_it_is_and_pushes_all_others_out() {
    let mut table = Table::new(3, 10, Overflow::DropOldest);
    table.add("1", ANY).unwrap();
    table.add("2", ANY).unwrap();
    let entry = table.add_until("longer than ten bytes", ANY, (0, 9));
    assert_eq!(entry, (Ok(()), dropped(&["1", "2"], SendErrorKind::Overflow)));
    table.backlog.open(1);
    assert_eq!(table.sent(1, 0).0, ["longer than ten bytes"]);
}

#[test]
fn while_a_session_is_open_nothing_is_dropped_for_want_of_room() {
    let mut table = Table::new(1, 10, Overflow::DropOldest);
    table.backlog.open(1);
    table.add("1", ANY).unwrap();
    assert_eq!(table.add("2", ANY), Err(SendErrorKind::Full));
    let (mut waits, mut ticket) = (table.letter("3", ANY, 9), None);
    let patience = Patience::WithWaker(Waker::noop());
    let now = table.at(0);
    let mut ask = |table: &mut Table, dropped: &mut _| {
        table.backlog.enter(now, &mut waits, &mut ticket, patience, dropped)
    };
    let mut none = Dropped::none();
    assert_eq!(ask(&mut table, &mut none), Entry::Waits);
    assert_eq!(ask(&mut table, &mut none), Entry::Waits);
    // The session ends: now it is as full as ever, and the oldest goes.
    texts(table.backlog.over(1));
    assert_eq!(ask(&mut table, &mut none), Entry::Through);
    assert_eq!(texts(none), dropped(&["1"], SendErrorKind::Overflow));
}

#[test]
fn one_that_waits_for_room_gets_that_of_the_first_that_is_sent() {
    let mut table = Table::new(1, 10, Overflow::Reject);
    table.backlog.open(1);
    table.add("1", ANY).unwrap();
    let (mut waits, mut ticket) = (table.letter("2", ANY, 9), None);
    let patience = Patience::WithWaker(Waker::noop());
    let mut none = Dropped::none();
    let now = table.at(0);
    let entry = table.backlog.enter(now, &mut waits, &mut ticket, patience, &mut none);
    assert_eq!(entry, Entry::Waits);
    assert_eq!(table.sent(1, 0).0, ["1"]);
    // It has a claim on the room, whatever becomes of the session.
    assert_eq!(table.add("3", ANY), Err(SendErrorKind::Full));
    texts(table.backlog.over(1));
    let entry = table.backlog.enter(now, &mut waits, &mut ticket, patience, &mut none);
    assert_eq!((entry, ticket), (Entry::Through, None));
}

#[test]
fn what_waited_too_long_is_not_sent_and_makes_room() {
    let mut table = Table::new(2, 100, Overflow::Reject);
    table.add_until("late", ANY, (0, 5)).0.unwrap();
    table.add_until("in time", ANY, (0, 9)).0.unwrap();
    assert_eq!(table.backlog.earliest(), Some(table.at(5)));
    assert!(texts(table.backlog.expire(table.at(4))).is_empty());
    let entry = table.add_until("new", ANY, (5, 9));
    assert_eq!(entry, (Ok(()), dropped(&["late"], SendErrorKind::Expired)));
    assert_eq!(table.backlog.earliest(), Some(table.at(9)));
    table.backlog.open(1);
    assert_eq!(table.sent(1, 9), (vec![], dropped(&["in time", "new"], SendErrorKind::Expired)));
}

#[test]
fn a_message_of_this_session_dies_with_it_and_is_refused_without_one() {
    let mut table = Table::new(10, 100, Overflow::Reject);
    assert_eq!(table.add("0", THIS), Err(SendErrorKind::NotConnected));
    table.backlog.open(1);
    table.add("1", THIS).unwrap();
    table.add("2", ANY).unwrap();
    assert_eq!(texts(table.backlog.over(1)), dropped(&["1"], SendErrorKind::SessionEnded));
    table.backlog.open(2);
    assert_eq!(table.sent(2, 0).0, ["2"]);
}

/// The connection's task may have died before the session was opened here: nobody says of that one that it is over.
#[test]
fn a_message_of_a_session_whose_end_was_not_heard_of_is_not_sent_in_the_next() {
    let mut table = Table::new(10, 100, Overflow::Reject);
    table.backlog.open(1);
    table.add("1", THIS).unwrap();
    table.add("2", ANY).unwrap();
    assert_eq!(texts(table.backlog.open(2)), dropped(&["1"], SendErrorKind::SessionEnded));
    table.add("3", THIS).unwrap();
    assert_eq!(table.sent(2, 0).0, ["2", "3"]);
}

#[test]
fn one_that_waited_for_room_in_this_session_does_not_get_into_the_next() {
    let mut table = Table::new(1, 10, Overflow::Reject);
    table.backlog.open(1);
    table.add("1", ANY).unwrap();
    let (mut waits, mut ticket) = (table.letter("2", THIS, 9), None);
    let (patience, now) = (Patience::WithWaker(Waker::noop()), table.at(0));
    let mut none = Dropped::none();
    let entry = table.backlog.enter(now, &mut waits, &mut ticket, patience, &mut none);
    assert_eq!(entry, Entry::Waits);
    texts(table.backlog.over(1));
    table.backlog.open(2);
    assert_eq!(table.sent(2, 0).0, ["1"]);
    let entry = table.backlog.enter(now, &mut waits, &mut ticket, patience, &mut none);
    assert_eq!(entry, Entry::Refused(SendErrorKind::SessionEnded));
}

#[test]
fn what_comes_while_a_session_is_drained_waits_for_the_next() {
    let mut table = Table::new(10, 100, Overflow::Reject);
    table.backlog.open(1);
    table.add("1", THIS).unwrap();
    table.add("2", ANY).unwrap();
    table.backlog.drain(1);
    table.add("3", ANY).unwrap();
    assert_eq!(table.add("4", THIS), Err(SendErrorKind::NotConnected));
    assert_eq!(table.sent(1, 0).0, ["1", "2"]);
    assert!(texts(table.backlog.over(1)).is_empty());
    table.backlog.open(2);
    assert_eq!(table.sent(2, 0).0, ["3"]);
}

#[test]
fn an_end_of_a_session_that_is_over_changes_nothing() {
    let mut table = Table::new(10, 100, Overflow::Reject);
    table.backlog.open(2);
    table.add("1", THIS).unwrap();
    table.backlog.drain(1);
    assert!(texts(table.backlog.over(1)).is_empty());
    assert_eq!(table.sent(2, 0).0, ["1"]);
}

#[test]
fn a_stop_takes_nothing_more_sends_what_was_taken_and_gives_up_the_rest() {
    let mut table = Table::new(10, 100, Overflow::Reject);
    table.backlog.open(1);
    table.add("1", ANY).unwrap();
    table.backlog.close(SendErrorKind::Stopped);
    assert_eq!(table.add("2", ANY), Err(SendErrorKind::Stopped));
    assert_eq!(table.sent(1, 0).0, ["1"]);

    let mut table = Table::new(10, 100, Overflow::Reject);
    table.add("1", ANY).unwrap();
    let given_up = table.backlog.give_up(SendErrorKind::Stopped);
    assert_eq!(texts(given_up), dropped(&["1"], SendErrorKind::Stopped));
}
