use std::sync::Mutex;
use std::time::Duration;

use super::Storage;
use crate::clock::Moment;
use crate::environment::Surroundings;
use crate::error::Result;
use crate::kv::{KvBackend, Revision};
use crate::session::lock;

/// The newest revision of the store that this handle has seen, and when.
#[derive(Debug)]
pub(super) struct Seen(Mutex<(Revision, Moment)>);

impl Seen {
    pub(super) fn nothing(surroundings: &Surroundings) -> Self {
        Self(Mutex::new((Revision::ZERO, Moment::now(surroundings))))
    }
}

impl<B: KvBackend> Storage<B> {
    /// How long ago the newest revision that is known may have been seen. Stores keep the history of minutes at least; the
    /// part of it in which a lost write is looked for should not be longer.
    const FRESH: Duration = Duration::from_secs(60);

    /// Takes note of a revision that the store has answered.
    pub(super) fn note(&self, revision: Revision) {
        let mut seen = lock(&self.shared.seen.0);
        *seen = (seen.0.max(revision), Moment::now(self.surroundings()));
    }

    /// A revision that the store had reached before now, and not long ago. A handle that was idle asks.
    pub(super) async fn known_revision(&self) -> Result<Revision> {
        let (revision, when) = lock(&self.shared.seen.0).clone();
        if when.elapsed() < Self::FRESH {
            return Ok(revision);
        }
        Box::pin(self.read_format()).await?;
        Ok(lock(&self.shared.seen.0).0)
    }
}
