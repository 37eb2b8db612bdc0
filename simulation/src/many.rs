use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use crate::counts::Counts;
use crate::simulation::{Run, run};

/// What the simulations of many seeds have shown.
#[derive(Debug, Default)]
pub struct Many {
    /// How many there were.
    pub seeds: u64,
    /// How often what happened, in all of them.
    pub counts: Counts,
    /// The runs in which something happened that must not, by their seeds. After the first no more were begun.
    pub failed: Vec<Run>,
}

/// How long a seed may take, in real time: it takes some milliseconds, and for ever if a task never gives way.
const LONGEST: Duration = Duration::from_secs(60);

impl Many {
    /// What should have happened in so many seeds, and has not: without it the runs show nothing.
    pub fn missing(&self) -> Vec<&'static str> {
        /// In so many everything happens.
        const MANY: u64 = 300;
        if self.seeds >= MANY {
            self.counts.missing()
        } else if self.counts.disturbances() == 0 {
            vec!["faults and events"]
        } else {
            Vec::new()
        }
    }

    fn add(&mut self, run: Run) {
        self.seeds += 1;
        self.counts.merge(&run.counts);
        if !run.violations.is_empty() {
            self.failed.push(run);
        }
    }
}

/// Runs the simulations of these seeds, as many at once as the machine has cores, until one fails.
///
/// One that does not end, because a task of it never gives way, has failed too; its thread goes on.
pub fn run_many(first: u64, seeds: u64) -> Many {
    run_many_by(run, first, seeds, LONGEST)
}

fn run_many_by(run: fn(u64) -> Run, first: u64, seeds: u64, longest: Duration) -> Many {
    let queue = Arc::new(Queue {
        run,
        next: AtomicU64::new(first),
        end: first + seeds,
        has_failed: AtomicBool::default(),
    });
    let (sender, steps) = mpsc::channel();
    for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
        let (queue, sender) = (Arc::clone(&queue), sender.clone());
        thread::spawn(move || queue.work(&sender));
    }
    drop(sender);
    let (mut many, mut running) = (Many::default(), BTreeSet::new());
    loop {
        match steps.recv_timeout(longest) {
            Ok(Step::Begins(seed)) => {
                running.insert(seed);
            }
            Ok(Step::Ends(run)) => {
                running.remove(&run.seed);
                many.add(*run);
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                for seed in running {
                    many.add(Run::failed(seed, format!("it has not ended after {longest:?}")));
                }
                break;
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    many.failed.sort_by_key(|run| run.seed);
    many
}

/// The seeds that are still to be run.
struct Queue {
    run: fn(u64) -> Run,
    next: AtomicU64,
    end: u64,
    has_failed: AtomicBool,
}

enum Step {
    Begins(u64),
    Ends(Box<Run>),
}

impl Queue {
    /// Runs one seed after the other, as long as somebody listens.
    fn work(&self, steps: &Sender<Step>) {
        while !self.has_failed.load(Ordering::Relaxed) {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            if seed >= self.end || steps.send(Step::Begins(seed)).is_err() {
                return;
            }
            let run = catch_unwind(AssertUnwindSafe(|| (self.run)(seed)));
            let run = run.unwrap_or_else(|_| Run::failed(seed, "it panicked, see above".to_owned()));
            if !run.violations.is_empty() {
                self.has_failed.store(true, Ordering::Relaxed);
            }
            if steps.send(Step::Ends(Box::new(run))).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fine(seed: u64) -> Run {
        Run { violations: Vec::new(), ..Run::failed(seed, String::new()) }
    }

    fn failures(longest: Duration, run: fn(u64) -> Run) -> Vec<(u64, Vec<String>)> {
        let many = run_many_by(run, 0, 50, longest);
        many.failed.into_iter().map(|run| (run.seed, run.violations)).collect()
    }

    #[test]
    fn a_seed_that_panics_has_failed_and_so_has_one_that_does_not_end() {
        const MINUTE: Duration = Duration::from_secs(60);
        assert_eq!(failures(MINUTE, fine), []);
        let panics = failures(MINUTE, |seed| if seed == 20 { panic!("on purpose") } else { fine(seed) });
        assert_eq!(panics, [(20, vec!["it panicked, see above".to_owned()])]);
        let hangs = failures(Duration::from_secs(4), |seed| {
            if seed == 20 {
                thread::park();
            }
            fine(seed)
        });
        assert_eq!(hangs, [(20, vec!["it has not ended after 4s".to_owned()])]);
    }

    #[test]
    fn runs_in_which_nothing_happened_show_nothing() {
        let mut many = Many { seeds: 10, ..Many::default() };
        assert_eq!(many.missing(), ["faults and events"]);
        many.counts.add("fault: late");
        assert!(many.missing().is_empty());
        many.seeds = 10_000;
        assert!(many.missing().contains(&"locks: taken") && !many.missing().contains(&"fault: late"));
    }
}
