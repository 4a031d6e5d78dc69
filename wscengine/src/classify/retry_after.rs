//! `Retry-After`, in both its forms (RFC 9110 section 10.2.3).

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// How long the server wants to be left alone.
///
/// A date is compared with the server's own `Date`, if it sent one, so that clocks that differ do no harm; one that
/// has passed is no time at all. What is in neither form is `None`.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let now = text(DATE).and_then(date).unwrap_or(now);
    parse(text(RETRY_AFTER)?, now)
}

/// Reads a value of `Retry-After`.
pub(crate) fn parse(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim_matches([' ', '\t']);
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a very long time, not none.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    Some(date(value)?.duration_since(now).unwrap_or_default())
}

/// A date in one of the three forms of HTTP (RFC 9110 section 5.6.7).
fn date(value: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(value.trim_matches([' ', '\t'])).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
    fn example() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
    }

    #[test]
    fn seconds_are_seconds() {
        for (value, seconds) in [
            ("0", 0),
            ("120", 120),
            ("007", 7),
            (" 5\t", 5),
            ("18446744073709551615", u64::MAX),
            ("99999999999999999999999", u64::MAX),
        ] {
            assert_eq!(parse(value, example()), Some(Duration::from_secs(seconds)), "{value}");
        }
    }

    #[test]
    fn a_date_is_the_time_until_then_in_all_three_forms() {
        let a_minute_before = example() - Duration::from_secs(60);
        for value in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(value, a_minute_before), Some(Duration::from_secs(60)), "{value}");
            assert_eq!(parse(value, example() + Duration::from_secs(1)), Some(Duration::ZERO));
        }
    }

    #[test]
    fn what_is_neither_is_nothing() {
        for value in ["", " ", "-1", "+1", "1.5", "5s", "soon", "1 2", "Sun, 06 Nov 1994"] {
            assert_eq!(parse(value, example()), None, "{value}");
        }
    }

    #[test]
    fn a_date_is_compared_with_the_servers_own_clock() {
        let mut headers = HeaderMap::new();
        let wrong_here = example() + Duration::from_secs(3_600);
        assert_eq!(retry_after(&headers, wrong_here), None);
        headers.insert(RETRY_AFTER, "Sun, 06 Nov 1994 08:49:47 GMT".parse().unwrap());
        assert_eq!(retry_after(&headers, wrong_here), Some(Duration::ZERO));
        headers.insert(DATE, "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        assert_eq!(retry_after(&headers, wrong_here), Some(Duration::from_secs(10)));
        headers.insert(DATE, "garbage".parse().unwrap());
        assert_eq!(retry_after(&headers, example()), Some(Duration::from_secs(10)));
    }
}
