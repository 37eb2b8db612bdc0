use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::{Direction, Mode};

/// The mode, and what must not be missed although only the last mode counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Setting {
    pub(super) mode: Mode,
    /// How many times [`Mode::Reset`] was set: a connection older than the last time is to be reset, even if the mode
    /// has changed again.
    pub(super) resets: u64,
}

/// What a proxy has done so far.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) connections: AtomicUsize,
    to_server: Bytes,
    to_client: Bytes,
}

/// The bytes of one direction.
#[derive(Debug, Default)]
pub(super) struct Bytes {
    pub(super) forwarded: AtomicU64,
    pub(super) swallowed: AtomicU64,
}

impl Counters {
    pub(super) fn bytes(&self, direction: Direction) -> &Bytes {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }
}

/// An open connection; counted until it is dropped.
#[derive(Debug)]
pub(super) struct Open {
    counters: Arc<Counters>,
    /// [`Setting::resets`] when it was accepted.
    resets: u64,
}

impl Open {
    pub(super) fn new(counters: Arc<Counters>, accepted_under: Setting) -> Self {
        counters.connections.fetch_add(1, Ordering::Relaxed);
        Self { counters, resets: accepted_under.resets }
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Whether [`Mode::Reset`] was set since it was accepted.
    pub(super) fn is_reset_by(&self, setting: Setting) -> bool {
        setting.resets != self.resets
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.counters.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
