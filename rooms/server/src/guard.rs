//! What a connection must pass whatever its protocol: the limits of its address, its origin, its rate.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Uri};
use tokio::time::Instant;

/// Which web pages may connect: those whose origin, as their browser says it, is accepted. Programs that
/// are no browser send no `Origin` header and are always accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// Every page, as the original servers do.
    #[default]
    Any,
    /// Pages of the host, with its port, that the request is for.
    SameHost,
    /// Pages with one of these origins, such as `https://example.com`.
    Listed(Vec<String>),
}

impl Origins {
    pub(crate) fn accept(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else { return true };
        let (Ok(origin), None) = (origin.to_str(), origins.next()) else { return false };
        match self {
            Self::Any => true,
            Self::SameHost => {
                let uri: Option<Uri> = origin.parse().ok();
                let authority = uri.as_ref().and_then(Uri::authority);
                let host = headers.get(HOST).and_then(|host| host.to_str().ok());
                authority
                    .zip(host)
                    .is_some_and(|(ours, host)| host.eq_ignore_ascii_case(ours.as_str()))
            }
            Self::Listed(listed) => listed.iter().any(|known| known.eq_ignore_ascii_case(origin)),
        }
    }
}

/// How many connections each address has.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    max: usize,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection of an address, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    addresses: Addresses,
    address: IpAddr,
}

impl Addresses {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, counts: Arc::default() }
    }

    /// A place for one more connection; `None` if the address has as many as it may have.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Place> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Place { addresses: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.addresses.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// How many messages a connection may send: so many each second, and as many at once after a pause.
#[derive(Clone, Debug)]
pub(crate) struct Rate {
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Rate {
    pub(crate) fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, left: per_second, at: Instant::now() }
    }

    /// Whether one more message may come.
    pub(crate) fn take(&mut self) -> bool {
        let now = Instant::now();
        let passed: Duration = now - self.at;
        self.at = now;
        self.left = (self.left + passed.as_secs_f64() * self.per_second).min(self.per_second);
        let may = self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "chat.example:8080".parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn an_origin_is_accepted_as_the_policy_says() {
        let listed = Origins::Listed(vec!["https://app.example".into()]);
        for (policy, origin, accepted) in [
            (&Origins::Any, Some("http://evil.example"), true),
            (&Origins::SameHost, None, true),
            (&Origins::SameHost, Some("http://chat.example:8080"), true),
            (&Origins::SameHost, Some("http://CHAT.example:8080"), true),
            (&Origins::SameHost, Some("http://chat.example"), false),
            (&Origins::SameHost, Some("http://chat.example:8080.evil.example"), false),
            (&Origins::SameHost, Some("null"), false),
            (&listed, Some("https://app.example"), true),
            (&listed, Some("http://app.example"), false),
            (&listed, None, true),
        ] {
            assert_eq!(policy.accept(&headers(origin)), accepted, "{policy:?} {origin:?}");
        }
        let mut twice = headers(Some("http://chat.example:8080"));
        twice.append(ORIGIN, "http://evil.example".parse().unwrap());
        assert!(!Origins::SameHost.accept(&twice));
    }

    #[test]
    fn an_address_has_its_place_back_when_a_connection_ends() {
        let addresses = Addresses::new(2);
        let [one, other] = [[127, 0, 0, 1], [127, 0, 0, 2]].map(IpAddr::from);
        let first = addresses.enter(one).unwrap();
        let _second = addresses.enter(one).unwrap();
        assert!(addresses.enter(one).is_none());
        assert!(addresses.enter(other).is_some());
        drop(first);
        assert!(addresses.enter(one).is_some());
        assert_eq!(addresses.counts.lock().unwrap().len(), 1, "the others are forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_lets_a_second_s_worth_through_at_once_and_then_one_after_the_other() {
        let mut rate = Rate::new(10);
        assert_eq!((0..100).filter(|_| rate.take()).count(), 10);
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!((0..100).filter(|_| rate.take()).count(), 2);
        tokio::time::advance(Duration::from_secs(100)).await;
        assert_eq!((0..100).filter(|_| rate.take()).count(), 10);
    }
}
