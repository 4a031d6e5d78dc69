//! Connecting to the fastest of several addresses: Happy Eyeballs (RFC 8305).

use std::collections::HashSet;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, timeout_at};

/// The most addresses that are tried: each takes a socket while it is.
const MAX_ADDRESSES: usize = 128;
/// The shortest time between two attempts (RFC 8305 section 5).
const MIN_DELAY: Duration = Duration::from_millis(10);

/// The addresses in the order in which they are tried: the families take turns, beginning with that of the first
/// address, and each keeps its own order (RFC 8305 section 4). Without repetitions.
pub(super) fn interleave(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut seen = HashSet::new();
    let mut unique = addresses.iter().copied().filter(|address| seen.insert(*address)).peekable();
    let first_is_ipv6 = unique.peek().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        unique.partition(|address| address.is_ipv6() == first_is_ipv6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut order = Vec::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] || order.len() >= MAX_ADDRESSES {
            order.truncate(MAX_ADDRESSES);
            return order;
        }
        order.extend(pair.into_iter().flatten());
    }
}

/// The time between two attempts, shortened so that the last of so many begins within the first half of `whole`: a
/// long list of dead addresses does not hide a live one at its end.
pub(super) fn spacing(delay: Duration, whole: Duration, addresses: usize) -> Duration {
    let count = u32::try_from(addresses).unwrap_or(u32::MAX).max(1);
    delay.min((whole / 2 / count).max(MIN_DELAY))
}

/// The first connection that comes about. Each attempt begins `delay` after the one before it, or as soon as that one
/// has failed; the others are dropped when there is a winner.
///
/// # Errors
/// When all have failed: the last error that came, which says how many there were.
pub(super) async fn race<T, F>(
    addresses: &[SocketAddr],
    delay: Duration,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut waiting = addresses.iter().copied();
    let mut running = FuturesUnordered::new();
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    let mut next = Instant::now();
    loop {
        let outcome = match waiting.len() {
            0 => running.next().await,
            _ => timeout_at(next, running.next()).await.unwrap_or(None),
        };
        match outcome {
            Some(Ok(connection)) => return Ok(connection),
            Some(Err(error)) => last = error,
            // It is time for the next one, or none is under way.
            None => {}
        }
        match waiting.next() {
            Some(address) => running.push(connect(address)),
            None if running.is_empty() => return Err(summary(last, addresses.len())),
            None => {}
        }
        next = Instant::now() + delay;
    }
}

fn summary(last: io::Error, tried: usize) -> io::Error {
    if tried <= 1 {
        return last;
    }
    io::Error::new(last.kind(), format!("none of {tried} addresses; the last to fail: {last}"))
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::sleep;

    use super::*;

    fn v4(last: u8) -> SocketAddr {
        (Ipv4Addr::new(192, 0, 2, last), 80).into()
    }

    fn v6(last: u16) -> SocketAddr {
        (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last), 80).into()
    }

    /// What an attempt comes to in a simulated network.
    #[derive(Clone, Copy, Debug)]
    enum Fate {
        BlackHole,
        Refused(u64),
        Open(u64),
    }

    /// Counts attempts that are neither done nor dropped.
    struct Attempt<'a>(&'a AtomicUsize);

    impl Drop for Attempt<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Races addresses with these fates, 192.0.2.0 first. Gives the outcome and when which attempt began, in
    /// milliseconds.
    async fn raced(fates: &[Fate], delay: u64) -> (io::Result<u8>, Vec<u64>, Duration) {
        let addresses: Vec<_> = (0..fates.len()).map(|at| v4(u8::try_from(at).unwrap())).collect();
        let (begun, live) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
        let start = Instant::now();
        let connect = |address: SocketAddr| {
            let SocketAddr::V4(address) = address else { unreachable!() };
            let number = address.ip().octets()[3];
            let (begun, live) = (&begun, &live);
            async move {
                live.fetch_add(1, Ordering::SeqCst);
                let _attempt = Attempt(live);
                begun.lock().unwrap().push(u64::try_from(start.elapsed().as_millis()).unwrap());
                match fates[usize::from(number)] {
                    Fate::BlackHole => pending().await,
                    Fate::Refused(after) => {
                        sleep(Duration::from_millis(after)).await;
                        Err(io::ErrorKind::ConnectionRefused.into())
                    }
                    Fate::Open(after) => {
                        sleep(Duration::from_millis(after)).await;
                        Ok(number)
                    }
                }
            }
        };
        let limit = Duration::from_secs(10);
        let outcome = tokio::time::timeout(limit, race(&addresses, millis(delay), connect)).await;
        assert_eq!(live.load(Ordering::SeqCst), 0, "the losers are dropped");
        let outcome = outcome.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        (outcome, begun.into_inner().unwrap(), start.elapsed())
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn families_take_turns_beginning_with_the_first() {
        for (given, expected) in [
            (vec![], vec![]),
            (vec![v4(1)], vec![v4(1)]),
            (vec![v6(1), v6(2), v4(1), v4(2)], vec![v6(1), v4(1), v6(2), v4(2)]),
            (vec![v4(1), v6(1), v6(2), v6(3)], vec![v4(1), v6(1), v6(2), v6(3)]),
            (vec![v4(1), v4(2), v4(3), v6(1)], vec![v4(1), v6(1), v4(2), v4(3)]),
            (vec![v4(1), v4(1), v6(1), v4(1), v6(1)], vec![v4(1), v6(1)]),
        ] {
            assert_eq!(interleave(&given), expected, "{given:?}");
        }
    }

    #[test]
    fn a_list_without_end_is_cut_and_both_families_are_left_in_it() {
        let addresses: Vec<_> = (0..2_000).map(v6).chain((0..250).map(v4)).collect();
        let order = interleave(&addresses);
        assert_eq!(order.len(), MAX_ADDRESSES);
        assert!(order.contains(&v4(63)));
    }

    #[test]
    fn many_addresses_are_tried_at_shorter_intervals() {
        for (count, whole, expected) in [
            (1, 10_000, 250),
            (20, 10_000, 250),
            (51, 10_000, 98),
            (128, 10_000, 39),
            (128, 1_000, 10),
            (0, 10_000, 250),
        ] {
            let spacing = spacing(millis(250), millis(whole), count);
            assert_eq!(spacing.as_millis(), expected, "{count} within {whole} ms");
        }
        assert_eq!(spacing(millis(250), Duration::MAX, 100), millis(250));
        assert_eq!(spacing(Duration::ZERO, millis(1), 1), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_address_that_is_a_black_hole_costs_one_delay() {
        let (winner, begun, took) = raced(&[Fate::BlackHole, Fate::Open(30)], 250).await;
        assert_eq!(winner.unwrap(), 1);
        assert_eq!((begun, took), (vec![0, 250], millis(280)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_starts_the_next_attempt_at_once() {
        let fates = [Fate::Refused(5), Fate::Refused(0), Fate::Open(10)];
        let (winner, begun, took) = raced(&fates, 250).await;
        assert_eq!(winner.unwrap(), 2);
        assert_eq!((begun, took), (vec![0, 5, 5], millis(15)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_delay_is_counted_from_the_last_attempt_not_from_the_first() {
        let (winner, begun, took) =
            raced(&[Fate::Refused(5), Fate::BlackHole, Fate::Open(10)], 250).await;
        assert_eq!(winner.unwrap(), 2);
        assert_eq!((begun, took), (vec![0, 5, 255], millis(265)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_first_address_still_wins_if_it_is_done_first() {
        let fates = [Fate::Open(300), Fate::Open(100), Fate::Open(1)];
        let (winner, begun, took) = raced(&fates, 250).await;
        assert_eq!(winner.unwrap(), 0);
        assert_eq!((begun, took), (vec![0, 250], millis(300)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_of_the_last_waits_for_those_still_running() {
        let fates = [Fate::Open(1_000), Fate::Refused(0), Fate::Refused(0)];
        let (winner, begun, took) = raced(&fates, 250).await;
        assert_eq!(winner.unwrap(), 0);
        assert_eq!((begun, took), (vec![0, 250, 250], millis(1_000)));
    }

    #[tokio::test(start_paused = true)]
    async fn fifty_dead_addresses_before_a_live_one_leave_it_its_time() {
        for dead in [[Fate::BlackHole, Fate::Refused(0)], [Fate::BlackHole; 2]] {
            let mut fates: Vec<_> = dead.into_iter().cycle().take(50).collect();
            fates.push(Fate::Open(40));
            let delay = spacing(millis(250), millis(10_000), fates.len());
            let delay = u64::try_from(delay.as_millis()).unwrap();
            let (winner, begun, took) = raced(&fates, delay).await;
            assert_eq!(winner.unwrap(), 50);
            assert_eq!(begun.len(), 51);
            assert!(took < millis(5_100), "{took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_refuse_the_error_keeps_the_kind_and_says_how_many() {
        let (outcome, ..) = raced(&[Fate::Refused(1)], 250).await;
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let (outcome, _, took) = raced(&[Fate::Refused(1); 3], 250).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(error.to_string().contains("none of 3 addresses"), "{error}");
        assert_eq!(took, millis(3));
        let (outcome, ..) = raced(&[], 250).await;
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
    }
}
