use std::ops::ControlFlow;

use rusqlite::Connection;
use storage_core::kv::{Cursor, Entry, Get, GetReply, Key, Projection, RangePage, RangeRequest};

use crate::error::Failure;
use crate::meta::Meta;
use crate::versions::{self, Version};

/// How many entries a page holds unless the request says it.
const DEFAULT_PAGE: usize = 1_000;

/// With so many bytes of values a page is full: a read must not take long, because the write-ahead log cannot begin anew
/// meanwhile, and a page has to fit into memory.
const MOST_BYTES: usize = 4 << 20;

/// How many keys that did not exist at its revision a page walks over before it ends early.
const MOST_SKIPPED: usize = 1_000;

/// Reads a page; the request is well formed.
pub(crate) fn range(connection: &Connection, request: &RangeRequest) -> Result<RangePage, Failure> {
    let meta = Meta::read(connection)?;
    let revision = request.at.unwrap_or(meta.revision);
    meta.check_readable(revision)?;
    let range = request.remaining();
    let limit = request.limit.map_or(DEFAULT_PAGE, |limit| as_count(limit.get()));
    let mut page = Page::new(connection, limit, request.projection);
    if revision == meta.revision {
        let is_single = range.as_single().is_some();
        versions::walk(connection, &range, |key, version| {
            let step = page.visit(key, Some(version))?;
            // Nothing else can be in it: what follows need not be looked at.
            Ok(if is_single { ControlFlow::Break(()) } else { step })
        })?;
    } else {
        versions::walk_at(connection, &range, revision, |key, version| page.visit(key, version))?;
    }
    Ok(RangePage { revision, entries: page.entries, next: page.next })
}

/// Reads inside a transaction, in the state as it is.
pub(crate) fn get(connection: &Connection, get: &Get) -> Result<GetReply, Failure> {
    let limit = get.limit.map_or(usize::MAX, |limit| as_count(limit.get()));
    let mut reply = GetReply::default();
    versions::walk(connection, &get.range, |key, version| {
        if reply.entries.len() == limit {
            reply.more = true;
            return Ok(ControlFlow::Break(()));
        }
        reply.entries.push(version.entry(connection, key, get.projection)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(reply)
}

struct Page<'c> {
    connection: &'c Connection,
    limit: usize,
    projection: Projection,
    entries: Vec<Entry>,
    bytes: usize,
    skipped: usize,
    next: Option<Cursor>,
}

impl<'c> Page<'c> {
    fn new(connection: &'c Connection, limit: usize, projection: Projection) -> Self {
        Self { connection, limit, projection, entries: Vec::new(), bytes: 0, skipped: 0, next: None }
    }

    /// Takes a key in, or ends before it. A page takes at least one step, so that the next one begins further on.
    fn visit(&mut self, key: Key, version: Option<Version>) -> Result<ControlFlow<()>, Failure> {
        let is_full = self.entries.len() == self.limit || self.bytes >= MOST_BYTES;
        if is_full && version.is_some() || self.skipped == MOST_SKIPPED {
            self.next = Some(Cursor::at(key));
            return Ok(ControlFlow::Break(()));
        }
        match version {
            Some(version) => {
                let entry = version.entry(self.connection, key, self.projection)?;
                self.bytes += entry.value.len();
                self.entries.push(entry);
            }
            None => self.skipped += 1,
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn as_count(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
