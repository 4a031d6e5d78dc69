//! The JSON messages of the cases about compression: market data, each message different, all of one length.

use bytes::Bytes;
use fastrand::Rng;

/// How many there are. Larger runs begin again, far beyond the 32 KiB that DEFLATE looks back.
pub(crate) const COUNT: usize = 10_000;

/// The bytes of each.
pub(crate) const SIZE: usize = 500;

/// The same ones in every run.
pub(crate) fn messages() -> Vec<Bytes> {
    let mut rng = Rng::with_seed(0x6455);
    (0..COUNT).map(|number| Bytes::from(message(&mut rng, number))).collect()
}

fn message(rng: &mut Rng, number: usize) -> String {
    let symbol = ["EURUSD", "BTCUSD", "ETHUSD", "XAUUSD", "GBPJPY"][rng.usize(..5)];
    let mut json = format!(
        "{{\"type\":\"book\",\"symbol\":\"{symbol}\",\"sequence\":{},\"time\":{}",
        81_000_000 + number,
        1_750_000_000_000u64 + number as u64 * 17 + rng.u64(..17),
    );
    for side in ["bids", "asks"] {
        let levels: Vec<_> = (0..6).map(|_| level(rng)).collect();
        json.push_str(&format!(",\"{side}\":[{}]", levels.join(",")));
    }
    // What is left up to the length: a text that stays much the same, as in most feeds.
    let rest = SIZE - json.len() - ",\"venue\":\"\"}".len();
    let venue: String =
        "the venue that all of this comes from, ".chars().cycle().take(rest).collect();
    json.push_str(&format!(",\"venue\":\"{venue}\"}}"));
    json
}

/// A price and an amount, 24 bytes or so of which most are random.
fn level(rng: &mut Rng) -> String {
    format!(
        "[\"{}.{:02}\",\"{}.{:04}\"]",
        64_000 + rng.u32(..300),
        rng.u32(..100),
        rng.u32(..90) + 10,
        rng.u32(..10_000)
    )
}
