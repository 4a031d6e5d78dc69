//! `Retry-After` of any server.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};

use crate::classify::retry_after as read;

/// Eight bytes of the time, then values of `Retry-After` and `Date`, with a line end between.
///
/// Digits are so many seconds; a date is the time until then, none if it has passed; all else is nothing. A date that is
/// written is read as what it was.
pub fn retry_after(input: &[u8]) {
    let Some((clock, values)) = input.split_first_chunk() else { return };
    let second = Duration::from_secs(u64::from_be_bytes(*clock) % YEAR_10000.as_secs());
    let now = UNIX_EPOCH + second;
    let mut lines = values.split(|byte| *byte == b'\n');
    let value = lines.next().unwrap_or_default();
    let date = lines.next();
    check(value, None, now);
    if let Some(date) = date {
        check(value, Some(date), now);
    }
    check_written(now, value.len() as u64);
}

fn check(value: &[u8], date: Option<&[u8]>, now: SystemTime) {
    let mut headers = HeaderMap::new();
    let Ok(value) = HeaderValue::from_bytes(value) else { return };
    headers.insert(RETRY_AFTER, value.clone());
    if let Some(Ok(date)) = date.map(HeaderValue::from_bytes) {
        headers.insert(DATE, date);
    }
    let delay = read(&headers, now);
    let text = value.to_str().unwrap_or_default().trim_matches([' ', '\t']);
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        assert_eq!(delay, Some(Duration::from_secs(seconds(text))));
    } else if let Some(delay) = delay {
        // Only a date is left, which says at least its time of the day, and is of these four digits of years.
        assert!(text.bytes().filter(|byte| *byte == b':').count() >= 2, "{text} is {delay:?}");
        assert!(delay < YEAR_10000);
    }
}

/// Digit by digit: at the most it is all that there is.
fn seconds(digits: &str) -> u64 {
    digits.bytes().fold(0u64, |seconds, digit| {
        seconds.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    })
}

/// A date that many seconds later and earlier.
fn check_written(now: SystemTime, by: u64) {
    let by = Duration::from_secs(by * by);
    for (then, expected) in [(now.checked_add(by), by), (now.checked_sub(by), Duration::ZERO)] {
        let Some(then) = then.filter(|then| (UNIX_EPOCH..UNIX_EPOCH + YEAR_10000).contains(then))
        else {
            continue;
        };
        let mut headers = HeaderMap::new();
        let written = httpdate::fmt_http_date(then);
        headers.insert(RETRY_AFTER, HeaderValue::try_from(written).expect("visible characters"));
        assert_eq!(read(&headers, now), Some(expected));
    }
}

/// From 1970 to the first year that a date of HTTP cannot say.
const YEAR_10000: Duration = Duration::from_secs(253_402_300_800);
