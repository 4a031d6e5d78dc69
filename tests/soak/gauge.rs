//! Memory, descriptors and tasks of this process.

use std::fs;
use std::time::Instant;

use tokio::runtime::Handle;

/// Samples, one for each tenth of the way.
pub(crate) struct Gauge {
    what: &'static str,
    began: Instant,
    samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Resident, in KiB.
    memory: u64,
    descriptors: usize,
    tasks: usize,
}

/// Samples before this one are of the warm-up: buffers grow to the size that they need.
const WARM: usize = 4;

/// An allocator's slack, in KiB. A leak of 100 bytes for each cycle would be ten times as much.
const MEMORY_SLACK: u64 = 2 * 1024;

/// A connection that ends has descriptors and tasks of its own for a moment.
const OTHER_SLACK: usize = 16;

impl Gauge {
    pub(crate) fn new(what: &'static str) -> Self {
        println!("{what:>12}   seconds  memory KiB  descriptors  tasks");
        Self { what, began: Instant::now(), samples: Vec::new() }
    }

    /// Takes a sample if another tenth of the way is behind.
    pub(crate) fn pass(&mut self, done: u64, of: u64) {
        while self.samples.len() < 10 && done >= of * (self.samples.len() as u64 + 1) / 10 {
            let sample = Sample::take();
            println!(
                "{done:>12} {:>9.1} {:>11} {:>12} {:>6}",
                self.began.elapsed().as_secs_f64(),
                sample.memory,
                sample.descriptors,
                sample.tasks
            );
            self.samples.push(sample);
        }
    }

    /// Whether nothing has grown since the warm-up.
    pub(crate) fn is_flat(&self) -> bool {
        let (warm, later) = self.samples.split_at(WARM);
        let most = |samples: &[Sample], of: fn(&Sample) -> u64| samples.iter().map(of).max();
        let grown = [
            ("memory", (|sample| sample.memory) as fn(&Sample) -> u64, MEMORY_SLACK),
            ("descriptors", |sample| sample.descriptors as u64, OTHER_SLACK as u64),
            ("tasks", |sample| sample.tasks as u64, OTHER_SLACK as u64),
        ]
        .into_iter()
        .filter(|(_, of, slack)| most(later, *of) > most(warm, *of).map(|most| most + slack))
        .map(|(name, ..)| name)
        .collect::<Vec<_>>();
        match grown.is_empty() {
            true => println!("{}: memory, descriptors and tasks are flat", self.what),
            false => println!("{}: GROWN: {}", self.what, grown.join(", ")),
        }
        grown.is_empty()
    }
}

impl Sample {
    fn take() -> Self {
        let pages = fs::read_to_string("/proc/self/statm").unwrap();
        let resident: u64 = pages.split(' ').nth(1).unwrap().parse().unwrap();
        Self {
            memory: resident * 4,
            descriptors: fs::read_dir("/proc/self/fd").unwrap().count(),
            tasks: Handle::current().metrics().num_alive_tasks(),
        }
    }
}
