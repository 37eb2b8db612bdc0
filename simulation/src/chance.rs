use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// All chance of one part of a simulation. The parts draw apart from each other, so that what one draws more does not
/// change the others.
#[derive(Debug)]
pub(crate) struct Chance(StdRng);

/// What draws.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Plan,
    Events,
    /// What a client's machine, the faults of its calls and their ways are.
    Machine,
    Faults,
    Ways,
    /// What a task of a client does.
    Task(usize),
    Watcher,
}

impl Chance {
    /// The chance of a part; `number` tells parts of a kind apart.
    pub(crate) fn of(seed: u64, part: Part, number: usize) -> Self {
        let (kind, task) = match part {
            Part::Plan => (0_u64, 0),
            Part::Events => (1, 0),
            Part::Machine => (3, 0),
            Part::Task(task) => (4, task),
            Part::Watcher => (5, 0),
            Part::Faults => (6, 0),
            Part::Ways => (7, 0),
        };
        let mut bytes = [0; 32];
        let numbers = [seed, kind, number as u64, task as u64];
        for (part, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            part.copy_from_slice(&number.to_le_bytes());
        }
        Self(StdRng::from_seed(bytes))
    }

    /// A number below this one.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    /// A number from one to another, both included.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        self.0.random_range(least..=most)
    }

    /// A time of whole milliseconds.
    pub(crate) fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.between(least, most))
    }

    /// Whether something happens that happens so often in a thousand times.
    pub(crate) fn happens(&mut self, per_mille: u64) -> bool {
        self.between(1, 1_000) <= per_mille
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(crate) fn bytes(&mut self) -> [u8; 16] {
        self.0.random()
    }
}
