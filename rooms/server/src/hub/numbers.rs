//! Hashing of numbers that the hub itself gives: no client chooses them, so that none can make them collide.

use std::hash::{BuildHasherDefault, Hasher};

/// For tables by the numbers of members, or by addresses in memory.
pub(super) type ByNumber = BuildHasherDefault<NumberHasher>;

/// Spreads a number over all bits: Fibonacci hashing. Tables look at the upper and at the lower ones.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NumberHasher(u64);

/// 2^64 divided by the golden ratio.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        let product = (self.0 ^ number).wrapping_mul(FACTOR);
        // The lower bits depend on the lower ones alone.
        self.0 = product ^ (product >> 32);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher as _;

    use super::*;

    #[test]
    fn numbers_in_a_row_and_addresses_differ_in_the_lower_and_in_the_upper_bits() {
        for step in [1, 16, 64, 4096] {
            let hashes = (0..1024_u64).map(|n| ByNumber::default().hash_one(n * step));
            let (lower, upper): (HashSet<_>, HashSet<_>) =
                hashes.map(|hash| (hash % 1024, hash >> 57)).unzip();
            assert!(
                lower.len() > 512 && upper.len() > 100,
                "{step}: {} {}",
                lower.len(),
                upper.len()
            );
        }
    }
}
