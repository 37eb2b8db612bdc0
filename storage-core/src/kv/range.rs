use std::num::NonZeroU32;

use bytes::Bytes;

use super::{Key, KeyRange, LeaseId, Revision};

/// A key with its value, as it stood at some revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The value; empty when only keys were asked for.
    pub value: Bytes,
    /// The revision at which the key came into being.
    pub create_revision: Revision,
    /// The revision at which it was last put.
    pub mod_revision: Revision,
    /// The lease it is attached to.
    pub lease: Option<LeaseId>,
}

/// Whether a read brings the values along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Projection {
    /// Keys with their values.
    #[default]
    KeysAndValues,
    /// Keys alone; the values are left empty and are not moved.
    KeysOnly,
}

/// How fresh a read must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// Sees every transaction that was acknowledged before the read began.
    #[default]
    Linearizable,
    /// May be answered from a copy that lags behind. At a fixed revision it is just as good, and cheaper.
    Serializable,
}

/// Which page of which range to read, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RangeRequest {
    /// The whole range.
    pub range: KeyRange,
    /// Where in it the page begins: the [`next`](RangePage::next) of the page before, or `None` for the first.
    pub cursor: Option<Cursor>,
    /// The revision to read at, or `None` for the newest.
    pub at: Option<Revision>,
    /// The most entries in the page, or `None` to leave it to the backend.
    pub limit: Option<NonZeroU32>,
    /// With values, or without.
    pub projection: Projection,
    /// How fresh it must be.
    pub consistency: Consistency,
}

impl RangeRequest {
    /// The first page of the range at the newest revision, with values, linearizable.
    pub fn new(range: KeyRange) -> Self {
        Self {
            range,
            cursor: None,
            at: None,
            limit: None,
            projection: Projection::default(),
            consistency: Consistency::default(),
        }
    }

    /// This request for the page that begins at the cursor.
    pub fn with_cursor(mut self, cursor: Cursor) -> Self {
        self.cursor = Some(cursor);
        self
    }

    /// This request at a fixed revision.
    pub fn with_revision(mut self, at: Revision) -> Self {
        self.at = Some(at);
        self
    }

    /// This request with at most so many entries in the page.
    pub fn with_limit(mut self, limit: NonZeroU32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// This request with or without values.
    pub fn with_projection(mut self, projection: Projection) -> Self {
        self.projection = projection;
        self
    }

    /// This request with another consistency.
    pub fn with_consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = consistency;
        self
    }

    /// The part of the range that the page may come from: what is left of it from the cursor on.
    pub fn remaining(&self) -> KeyRange {
        match &self.cursor {
            Some(cursor) => self.range.starting_at(&cursor.key),
            None => self.range.clone(),
        }
    }
}

/// Where the next page of a range begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Every entry before this key has been delivered.
    pub key: Key,
    /// What the backend wants to remember from page to page, for instance how densely the keys lie. It never changes
    /// which entries are in the range; zero is always right.
    pub hint: u64,
}

impl Cursor {
    /// A cursor at this key that remembers nothing.
    pub fn at(key: Key) -> Self {
        Self { key, hint: 0 }
    }
}

/// A page of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangePage {
    /// The revision whose state the page shows: the one asked for, or the newest when it was read.
    pub revision: Revision,
    /// The entries, in ascending key order. There may be fewer than asked for, or none, although more follow.
    pub entries: Vec<Entry>,
    /// Where to go on, or `None` when the range is exhausted. Always beyond the cursor of the request.
    pub next: Option<Cursor>,
}
