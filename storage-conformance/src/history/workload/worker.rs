use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use storage_core::Storage;
use storage_core::kv::KvBackend;

use crate::history::recorded::RecordedStorage;
use crate::history::recorder::Recorder;

/// A client at work.
pub(super) struct Worker<B> {
    pub(super) tree: RecordedStorage<B>,
    pub(super) random: StdRng,
    number: usize,
    written: u64,
}

impl<B: KvBackend> Worker<B> {
    pub(super) fn new(tree: Storage<B>, recorder: Recorder, number: usize, seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(number as u64));
        Self { tree: RecordedStorage::new(tree, recorder, number), random, number, written: 0 }
    }

    /// A content that nobody has written yet, of any length up to some hundred bytes.
    pub(super) fn content(&mut self) -> Bytes {
        let padding = self.random.random_range(0..300);
        format!("{}{}", self.signature(), "x".repeat(padding)).into()
    }

    /// What makes a content one that nobody has written yet.
    pub(super) fn signature(&mut self) -> String {
        self.written += 1;
        format!("client {}, content {}, ", self.number, self.written)
    }

    /// One of so many paths.
    pub(super) fn one_of(&mut self, files: u32, below: &str) -> String {
        format!("{below}/{}", self.random.random_range(0..files))
    }
}
