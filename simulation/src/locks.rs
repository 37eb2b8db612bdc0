//! What of locks can be seen in the store alone.

use std::collections::{BTreeMap, BTreeSet};

use storage_conformance::history::{Log, PlaceKind};
use storage_core::kv::{Event, Key, Revision};

/// The places in all queues as they come and go.
#[derive(Debug, Default)]
pub(crate) struct Places(BTreeSet<Key>);

impl Places {
    /// Looks at a change. The tasks of a client have one place in a queue together: what is wrong, if they have two.
    pub(crate) fn see(&mut self, event: &Event) -> Option<String> {
        let key = event.key();
        let place = std::str::from_utf8(key.as_bytes()).ok()?;
        // `<prefix>/lock/<name>/<session>-<number>`
        let (of_session, _) = place.contains("/lock/").then(|| place.rsplit_once('-'))??;
        match event {
            Event::Delete { .. } => {
                self.0.remove(key);
                None
            }
            Event::Put(_) => {
                let is_other =
                    |other: &&Key| *other != key && other.as_bytes().starts_with(of_session.as_bytes());
                let other = self.0.iter().find(is_other).cloned();
                self.0.insert(key.clone());
                other.map(|other| format!("a client has two places in a queue: {other:?} and {key:?}"))
            }
        }
    }
}

/// What is wrong with locks that were released, each with its token and a revision before that.
pub(crate) fn check(releases: &[(Revision, Revision)], log: &Log) -> Vec<String> {
    let changes = log.transactions.iter().flat_map(|transaction| {
        transaction.places.iter().map(|change| (change.kind, change.token, transaction.revision))
    });
    let went: BTreeMap<Revision, Revision> =
        changes.filter(|(kind, ..)| *kind == PlaceKind::Went).map(|(_, token, at)| (token, at)).collect();
    let wrong = releases.iter().filter(|(token, asked_at)| went.get(token).is_none_or(|at| at <= asked_at));
    wrong
        .map(|(token, asked_at)| {
            format!(
                "the lock {token} was released after {asked_at}, and its place went at {:?}",
                went.get(token)
            )
        })
        .collect()
}
