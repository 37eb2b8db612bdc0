//! Listings under way, and watches.

use std::time::Duration;

use futures::StreamExt;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use storage_core::kv::Revision;
use storage_core::{ChangeStream, ErrorKind, ListItem, ListStream, WatchEvent};
use tokio::time::timeout;

use super::files::is_outage;
use super::listing::{Listing, Shown};
use super::run::{Change, Checked, Disturbed, Run, only_of_leases};
use super::steps::{Kind, Trouble};
use crate::files::{Expected, any_path, is_below};

/// Far more than anything takes to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A listing that is read bit by bit.
pub(super) struct OpenList {
    path: String,
    listing: Listing,
    items: ListStream,
    /// What it has to show, and at which revision the store was then; not before it is read first.
    expected: Option<(Expected<Vec<Shown>>, Revision)>,
    shown: usize,
}

/// A watch.
pub(super) struct Following {
    pub(super) client: usize,
    path: String,
    events: ChangeStream,
    /// Everything up to here has come.
    position: Revision,
    /// It may be told that changes are missing.
    may_resync: bool,
    is_closed: bool,
}

/// What became of reading a watch.
enum Next {
    Event,
    Nothing,
    End,
}

impl Following {
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    pub(super) fn may_resync(&mut self) {
        self.may_resync = true;
    }
}

impl Run {
    pub(super) fn open_list(&mut self, client: usize, path: String, listing: Listing) -> Disturbed {
        let items = self.storages[client].list_stream(&path, listing.options());
        self.lists.push(OpenList { path, listing, items, expected: None, shown: 0 });
        None
    }

    pub(super) async fn read_list(
        &mut self,
        number: usize,
        count: usize,
    ) -> Result<Disturbed, TestCaseError> {
        if self.lists.is_empty() {
            return Ok(None);
        }
        let number = number % self.lists.len();
        for _ in 0..count {
            let newest = self.raw.newest().await;
            let list = &mut self.lists[number];
            let tree = &self.tree;
            let (expected, at) =
                list.expected.get_or_insert_with(|| (tree.list(&list.path, &list.listing), newest));
            match (list.items.next().await, expected) {
                (Some(Ok(ListItem::Entry(entry))), Ok(expected)) => {
                    prop_assert_eq!(Some(&Shown::of(&entry)), expected.get(list.shown));
                    list.shown += 1;
                }
                (Some(Ok(ListItem::StartOver)), Ok(_)) => {
                    prop_assert!(self.compacted > *at, "it starts over though {} is kept", at);
                    (list.expected, list.shown) = (None, 0);
                }
                (Some(Err(error)), Err(kinds)) if kinds.contains(&error.kind()) => {
                    self.lists.swap_remove(number);
                    break;
                }
                (None, Ok(expected)) => {
                    prop_assert_eq!(list.shown, expected.len(), "it ends too early: {:?}", expected);
                    self.lists.swap_remove(number);
                    break;
                }
                (item, expected) => prop_assert!(false, "{:?}, expected {:?}", item, expected),
            }
        }
        Ok(None)
    }

    pub(super) async fn watch(
        &mut self,
        client: usize,
        path: &str,
        trouble: Option<Trouble>,
    ) -> Result<Disturbed, TestCaseError> {
        let position = self.raw.newest().await;
        let storage = self.storages[client].clone();
        let attempt = self.attempt(client, trouble, storage.watch(path)).await;
        match (attempt.result, any_path(path), attempt.fault) {
            (Some(Ok(events)), Ok(path), _) => self.follow(client, path, events, position),
            (Some(Err(error)), Err(kinds), _) => prop_assert!(kinds.contains(&error.kind()), "{:?}", error),
            (Some(Err(error)), _, fault) => {
                prop_assert!(is_outage(&error, fault), "{:?} with {:?}", error, fault);
            }
            (None, _, Some(Kind::Hang)) => {}
            (result, _, fault) => prop_assert!(false, "{:?} with {:?}", result, fault),
        }
        Ok(only_of_leases(attempt.fault))
    }

    pub(super) async fn watch_after(
        &mut self,
        client: usize,
        path: &str,
        back: Option<usize>,
    ) -> Result<Disturbed, TestCaseError> {
        let after = match back {
            Some(back) => {
                let change = self.log.len().checked_sub(back + 1).map(|index| &self.log[index]);
                change.map_or(Revision::ZERO, |change| change.version.revision())
            }
            None => self.compacted,
        };
        match (self.storages[client].watch_after(path, after).await, any_path(path)) {
            (Ok(events), Ok(path)) => self.follow(client, path, events, after),
            (Err(error), Err(_)) => prop_assert_eq!(error.kind(), ErrorKind::InvalidPath),
            (result, expected) => prop_assert!(false, "{:?}, expected {:?}", result, expected),
        }
        Ok(None)
    }

    fn follow(&mut self, client: usize, path: String, events: ChangeStream, position: Revision) {
        let watch = Following { client, path, events, position, may_resync: false, is_closed: false };
        self.watches.push(watch);
    }

    pub(super) async fn read_watch(&mut self, number: usize) -> Result<Disturbed, TestCaseError> {
        if !self.watches.is_empty() {
            let number = number % self.watches.len();
            if let Next::End = self.next_event(number).await? {
                self.watches.swap_remove(number);
            }
        }
        Ok(None)
    }

    pub(super) fn drop_watch(&mut self, number: usize) -> Disturbed {
        if !self.watches.is_empty() {
            drop(self.watches.swap_remove(number % self.watches.len()));
        }
        None
    }

    /// Reads a watch until nothing comes any more.
    pub(super) async fn exhaust_watch(&mut self) -> Checked {
        while let Next::Event = self.next_event(0).await? {}
        self.watches.swap_remove(0);
        Ok(())
    }

    async fn next_event(&mut self, number: usize) -> Result<Next, TestCaseError> {
        let watch = &mut self.watches[number];
        let concerns = |change: &&Change| {
            let is_watched = change.path == watch.path || is_below(&watch.path, &change.path);
            is_watched && change.version.revision() > watch.position
        };
        let expected: Vec<&Change> = self.log.iter().filter(concerns).collect();
        // Those of one revision come together.
        let expected: Vec<&Change> =
            expected.iter().take_while(|change| change.version == expected[0].version).copied().collect();
        tokio::task::yield_now().await;
        let must_come = watch.is_closed || !expected.is_empty();
        let wait = if must_come { PATIENCE } else { Duration::ZERO };
        let Ok(first) = timeout(wait, watch.events.next()).await else {
            prop_assert!(!must_come, "nothing comes of {:?}, expected {:?}", watch.path, expected);
            watch.may_resync = false;
            return Ok(Next::Nothing);
        };
        match first {
            Some(Ok(WatchEvent::Resync { revision, .. })) => {
                let is_gone = watch.may_resync || self.compacted > watch.position;
                prop_assert!(is_gone, "{:?} is told that changes are missing", watch.path);
                let newest = self.raw.newest().await;
                prop_assert!(revision <= newest, "up to {}, newest is {}", revision, newest);
                watch.position = revision;
                Ok(Next::Event)
            }
            Some(Ok(event)) => {
                let mut events = vec![event];
                while events.len() < expected.len() {
                    match timeout(PATIENCE, watch.events.next()).await {
                        Ok(Some(Ok(event))) => events.push(event),
                        other => prop_assert!(false, "{:?} in the middle of {:?}", other, expected),
                    }
                }
                let shown: Vec<_> = events.iter().filter_map(Change::of).collect();
                prop_assert_eq!(shown.iter().collect::<Vec<_>>(), expected, "of {:?}", watch.path);
                watch.position = shown[0].version.revision();
                Ok(Next::Event)
            }
            None => {
                prop_assert!(watch.is_closed, "the watch of {:?} ends, expected {:?}", watch.path, expected);
                Ok(Next::End)
            }
            Some(Err(error)) => {
                prop_assert!(false, "{:?} comes of {:?}", error, watch.path);
                Ok(Next::End)
            }
        }
    }
}

impl Change {
    fn of(event: &WatchEvent) -> Option<Self> {
        match event {
            WatchEvent::Change { kind, path, version, .. } => {
                Some(Self { version: *version, path: path.to_string(), kind: *kind })
            }
            _ => None,
        }
    }
}
