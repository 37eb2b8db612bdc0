use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use storage_core::Environment;
use tokio::time::Instant;

use crate::chance::Chance;

/// The time and chance of one client's machine. Its clock goes a little faster or slower than the others, jumps, and
/// stands while its process is stopped: a process that does not run does not look.
#[derive(Debug)]
pub(crate) struct Machine(Mutex<State>);

#[derive(Debug)]
struct State {
    chance: Chance,
    start: Instant,
    /// By how much the wall clock is wrong.
    error: Duration,
    /// How far the clock goes in a thousand milliseconds, in milliseconds.
    rate: u32,
    jumped: Duration,
    stopped: Option<Duration>,
}

impl Machine {
    /// Clocks may go wrong by so much: leases count a tenth less than they are.
    const DRIFT: u64 = 50;

    pub(crate) fn new(mut chance: Chance) -> Self {
        let rate = chance.between(1_000 - Self::DRIFT, 1_000 + Self::DRIFT);
        let state = State {
            start: Instant::now(),
            error: chance.millis(0, 10_000),
            rate: u32::try_from(rate).expect("about a thousand"),
            jumped: Duration::ZERO,
            stopped: None,
            chance,
        };
        Self(Mutex::new(state))
    }

    pub(crate) fn stop(&self) {
        let mut state = self.state();
        state.stopped = Some(state.time());
    }

    pub(crate) fn go_on(&self) {
        self.state().stopped = None;
    }

    pub(crate) fn jump(&self, by: Duration) {
        self.state().jumped += by;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics under it")
    }
}

impl State {
    fn time(&self) -> Duration {
        self.stopped.unwrap_or_else(|| self.start.elapsed() * self.rate / 1_000 + self.jumped)
    }
}

impl Environment for Machine {
    fn wall_clock(&self) -> SystemTime {
        // The beginning of 2026.
        let new_year = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        let state = self.state();
        new_year + state.error + state.time()
    }

    fn monotonic(&self) -> Duration {
        self.state().time()
    }

    fn random(&self) -> [u8; 16] {
        self.state().chance.bytes()
    }
}
