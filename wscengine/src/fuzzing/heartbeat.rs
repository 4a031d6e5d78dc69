//! The heartbeat, asked at any times, with any bytes read between.

use std::time::{Duration, Instant};

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::heartbeat::{Beat, Heartbeat};

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    Wait(u16),
    /// Lets time pass to the deadline.
    ToDeadline,
    /// And a little further.
    PastDeadline(u16),
    BytesCome,
    /// Reading stood still, and goes on.
    Resume,
    Poll,
}

/// An interval, a time-out, and what happens.
///
/// A peer is lost only if it was pinged and let its whole time pass without a byte, and it is lost then. Pings keep
/// their distance. Whoever asks at each deadline is not kept busy.
pub fn heartbeat(input: &[u8]) {
    // An input that is too short says nothing.
    let _ = run(&mut Unstructured::new(input));
}

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let every = Duration::from_millis(input.int_in_range(1..=60_000)?);
    let timeout = Duration::from_millis(input.int_in_range(1..=every.as_millis() as u64)?);
    let mut plain = Plain::new(every, timeout);
    while !input.is_empty() {
        let step: Step = input.arbitrary()?;
        let due = plain.heartbeat.deadline().saturating_duration_since(plain.now);
        match step {
            Step::Wait(ms) => plain.now += Duration::from_millis(ms.into()),
            Step::ToDeadline => plain.now += due,
            Step::PastDeadline(ms) => plain.now += due + Duration::from_millis(ms.into()),
            Step::BytesCome => plain.bytes += 1,
            Step::Resume => plain.resume(),
            Step::Poll if plain.ask() == Beat::Lost => return Ok(()),
            Step::Poll => {}
        }
    }
    Ok(())
}

/// The heartbeat, and what is known of it without asking.
struct Plain {
    heartbeat: Heartbeat,
    every: Duration,
    timeout: Duration,
    now: Instant,
    bytes: u64,
    last_ping: Instant,
    /// When the peer's whole time began, and the bytes until its ping, while something is awaited.
    listening: Option<(Instant, u64)>,
}

impl Plain {
    fn new(every: Duration, timeout: Duration) -> Self {
        let now = Instant::now();
        let heartbeat = Heartbeat::new(now, every, timeout);
        Self { heartbeat, every, timeout, now, bytes: 0, last_ping: now, listening: None }
    }

    fn resume(&mut self) {
        self.heartbeat.resume(self.now);
        if let Some((since, _)) = &mut self.listening {
            *since = self.now;
        }
    }

    /// Asks until there is nothing more to be done now.
    fn ask(&mut self) -> Beat {
        for _ in 0..3 {
            let deadline = self.heartbeat.deadline();
            let beat = self.heartbeat.poll(self.now, self.bytes);
            self.check(beat, deadline);
            if beat == Beat::Lost || self.heartbeat.deadline() > self.now {
                return beat;
            }
        }
        panic!("it keeps whoever asks busy");
    }

    fn check(&mut self, beat: Beat, deadline: Instant) {
        let is_due = deadline <= self.now;
        match (beat, self.listening) {
            (Beat::Ping, None) => {
                assert!(is_due && self.now >= self.last_ping + self.every, "too early");
                self.last_ping = self.now;
                self.listening = Some((self.now, self.bytes));
            }
            (Beat::Ping, Some(_)) => panic!("a ping before the last one was judged"),
            (Beat::Lost, None) => panic!("lost without a ping"),
            (Beat::Lost, Some((since, bytes))) => {
                assert_eq!(self.bytes, bytes, "lost, though something came");
                assert!(self.now >= since + self.timeout, "lost before its time");
            }
            (Beat::Nothing, None) => assert!(!is_due, "a ping is owed"),
            (Beat::Nothing, Some((_, bytes))) if is_due && self.bytes > bytes => {
                self.listening = None;
            }
            (Beat::Nothing, Some((since, bytes))) if is_due => {
                let late = Duration::from_secs(1);
                assert!(self.now >= since + self.timeout + late && self.bytes == bytes);
                // Whoever asks so late gives the peer its time again.
                self.listening = Some((self.now, bytes));
            }
            (Beat::Nothing, Some(_)) => {}
        }
    }
}
