use std::fmt::Write as _;
use std::time::Duration;

use sha1::{Digest, Sha1};
use tokio::time::Instant;

/// What happened in a simulation, with the simulated time of each line.
#[derive(Debug)]
pub(crate) struct Trace {
    start: Instant,
    lines: Vec<(Duration, String)>,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), lines: Vec::new() }
    }

    pub(crate) fn add(&mut self, line: String) {
        self.add_at(Instant::now(), line);
    }

    /// Adds what happened before.
    pub(crate) fn add_at(&mut self, at: Instant, line: String) {
        self.lines.push((at.duration_since(self.start), line));
    }

    /// The lines in the order of time, and a digest of them.
    pub(crate) fn finish(mut self) -> (Vec<String>, String) {
        self.lines.sort_by_key(|(at, _)| *at);
        let mut digest = Sha1::new();
        let mut lines = Vec::with_capacity(self.lines.len());
        for (at, line) in self.lines {
            let mut timed = String::with_capacity(line.len() + 16);
            let _ = write!(timed, "{:>11.6} {line}", at.as_secs_f64());
            digest.update(timed.as_bytes());
            digest.update(b"\n");
            lines.push(timed);
        }
        (lines, hex::encode(digest.finalize()))
    }
}
