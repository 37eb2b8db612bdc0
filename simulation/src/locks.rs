//! What of locks can be seen in the store alone.

use std::collections::BTreeMap;

use storage_conformance::history::{Log, PlaceKind};
use storage_core::kv::{Event, Key, Revision};

/// The places in all queues as they come and go.
#[derive(Debug, Default)]
pub(crate) struct Places(BTreeMap<Key, Revision>);

/// What a change of the store has to do with places.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Nothing,
    /// The place with this token went.
    Went(Revision),
    /// Two places of one client, whose tasks have one together.
    Two(Key, Key),
}

impl Places {
    /// Looks at a change.
    pub(crate) fn see(&mut self, event: &Event) -> Seen {
        let key = event.key();
        // `<prefix>/lock/<name>/<session>-<number>`
        let place = std::str::from_utf8(key.as_bytes()).ok().filter(|key| key.contains("/lock/"));
        let Some((of_session, _)) = place.and_then(|place| place.rsplit_once('-')) else {
            return Seen::Nothing;
        };
        match event {
            Event::Delete { .. } => self.0.remove(key).map_or(Seen::Nothing, Seen::Went),
            Event::Put(entry) => {
                let is_other =
                    |other: &&Key| *other != key && other.as_bytes().starts_with(of_session.as_bytes());
                let other = self.0.keys().find(is_other).cloned();
                self.0.insert(key.clone(), entry.create_revision);
                other.map_or(Seen::Nothing, |other| Seen::Two(other, key.clone()))
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
