//! Which part of a range a page asks for, and how many entries of it.
//!
//! A limit alone does not make a page cheap: for each one etcd walks and counts all the keys up to the *end* of what was
//! asked for. So every page but the first gets an end of its own, at about the key where it should be full. Where that
//! is follows from the page before: the keys are taken for numbers (their eight bytes behind a common beginning), and
//! the keys to come are expected to lie as densely.
//!
//! The guess decides what a listing costs, never what it shows. If it reached too far, the limit ends the page and the
//! density is measured anew. If it fell short, the next page reaches further; pages without any entry reach further and
//! further, until one has no end and finds what there is.
//!
//! What is to be remembered travels in the cursor's hint, so that there is nothing to keep here.

mod hint;
mod stride;

use storage_core::kv::{Cursor, Entry, Key, KeyRange, Projection, RangeRequest};

use hint::Hint;
use stride::Stride;

/// The most entries in a page.
const MOST_ENTRIES: u32 = 20_000;
/// How many bytes a page with values should have.
const PAGE_BYTES: u64 = 8 * 1024 * 1024;
/// How many entries with values are asked for while nothing is known about their size.
const FIRST_ENTRIES: u32 = 64;
/// How many times more may be asked for than the page before had: sizes may change.
const GROWTH: u32 = 4;
/// What an entry costs beside its key and its value.
const ENTRY_OVERHEAD: u64 = 64;

/// After each empty page in a row, by how many bytes the beginning becomes shorter that the next page stays in. Each byte
/// makes it reach 256 times as far. The page after these has no end.
const WIDENING: [u8; 7] = [1, 1, 1, 2, 4, 8, 16];

/// What a page asks for.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What is left of the whole range.
    remaining: KeyRange,
    /// How much of it is asked for: all, or its beginning.
    range: KeyRange,
    limit: u32,
    /// The limit of the caller, who may ask for less than we would.
    allowed: u32,
    projection: Projection,
    hint: Hint,
}

impl Plan {
    pub(crate) fn new(request: &RangeRequest) -> Self {
        let remaining = request.remaining();
        let hint = Hint::unpack(request.cursor.as_ref().map_or(0, |cursor| cursor.hint));
        let allowed = request.limit.map_or(MOST_ENTRIES, |limit| limit.get().min(MOST_ENTRIES));
        let limit = wanted(request.projection, &hint).min(allowed);
        let range = match hint.stride.and_then(|stride| stride.end_from(remaining.start())) {
            Some(end) if remaining.contains(&end) => KeyRange::new(remaining.start().clone(), end),
            _ => remaining.clone(),
        };
        Self { remaining, range, limit, allowed, projection: request.projection, hint }
    }

    /// The range to ask for.
    pub(crate) fn range(&self) -> &KeyRange {
        &self.range
    }

    /// The most entries to ask for; at least one.
    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }

    /// Whether fewer entries can be asked for.
    pub(crate) fn can_shrink(&self) -> bool {
        self.limit > 1
    }

    /// Asks for half as many.
    pub(crate) fn shrink(&mut self) {
        self.limit = (self.limit / 2).max(1);
    }

    /// Where the next page begins if the limit left out some of what was asked for.
    pub(crate) fn next_when_full(&self, entries: &[Entry]) -> Option<Cursor> {
        let last = entries.last()?;
        // Between the first key and the last; a single key says nothing, but its distance from the start does.
        let (from, gaps) = match entries {
            [_] => (self.remaining.start(), 1),
            [first, ..] => (&first.key, entries.len() - 1),
            [] => return None,
        };
        let measured = self.measured(entries);
        let stride = Stride::between(from, &last.key)
            .map(|stride| stride.scaled(self.aim(&measured), u64::try_from(gaps).unwrap_or(u64::MAX)));
        Some(cursor(last.key.successor(), Hint { stride, ..measured }))
    }

    /// Where the next page begins if these are all the entries of what was asked for.
    pub(crate) fn next_when_exhausted(&self, entries: &[Entry]) -> Option<Cursor> {
        if self.range == self.remaining {
            return None;
        }
        let start = self.range.end()?;
        let stride_so_far = self.hint.stride?;
        let hint = if entries.is_empty() {
            let stride = WIDENING.get(usize::from(self.hint.empty_pages));
            let stride = stride.map(|bytes| stride_so_far.at(start).widened(*bytes));
            Hint { stride, empty_pages: self.hint.empty_pages.saturating_add(1), ..self.hint }
        } else {
            let measured = self.measured(entries);
            let found = u64::try_from(entries.len()).unwrap_or(u64::MAX);
            let growth = (self.aim(&measured) / found).clamp(1, 256);
            Hint { stride: Some(stride_so_far.at(start).scaled(growth, 1)), ..measured }
        };
        Some(cursor(start.clone(), hint))
    }

    /// What these entries show, apart from how they lie.
    fn measured(&self, entries: &[Entry]) -> Hint {
        let bytes = entries.iter().map(|entry| entry.key.as_bytes().len() + entry.value.len());
        let bytes = bytes.map(|bytes| u64::try_from(bytes).unwrap_or(u64::MAX)).sum::<u64>();
        let entries = u64::try_from(entries.len()).unwrap_or(u64::MAX).max(1);
        Hint { stride: None, empty_pages: 0, mean_bytes: bytes / entries + ENTRY_OVERHEAD, limit: self.limit }
    }

    /// How many entries the end of the next page should leave in it: somewhat fewer than its limit, so that the limit
    /// rarely ends it.
    fn aim(&self, measured: &Hint) -> u64 {
        let limit = wanted(self.projection, measured).min(self.allowed);
        (u64::from(limit) * 3 / 4).max(1)
    }
}

fn cursor(key: Key, hint: Hint) -> Cursor {
    Cursor { key, hint: hint.pack() }
}

/// How many entries to ask for if the caller asks for no fewer.
fn wanted(projection: Projection, hint: &Hint) -> u32 {
    match projection {
        Projection::KeysOnly => MOST_ENTRIES,
        Projection::KeysAndValues if hint.mean_bytes == 0 => FIRST_ENTRIES,
        Projection::KeysAndValues => {
            let fitting = u32::try_from(PAGE_BYTES / hint.mean_bytes).unwrap_or(u32::MAX);
            fitting.min(hint.limit.saturating_mul(GROWTH)).clamp(1, MOST_ENTRIES)
        }
    }
}

#[cfg(test)]
mod tests;
