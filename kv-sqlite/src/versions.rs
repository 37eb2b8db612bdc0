//! All keys, as they are and as they were.

use std::ops::ControlFlow;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use storage_core::kv::{Entry, Event, Key, KeyRange, LeaseId, Projection, Revision};

use crate::error::Failure;
use crate::meta::{number, revision};

/// A value as it was put. The value itself is read only where it is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version {
    pub(crate) created: Revision,
    pub(crate) modified: Revision,
    pub(crate) lease: Option<LeaseId>,
    /// The row with the value.
    pub(crate) content: i64,
}

/// What the key holds now.
pub(crate) fn newest(connection: &Connection, key: &Key) -> Result<Option<Version>, Failure> {
    let mut statement = connection.prepare_cached(NEWEST)?;
    Ok(statement.query_row([key.as_bytes()], |row| Version::from_row(row, 0)).optional()?)
}

/// What the key, which holds something else now or nothing, held right after the change of a revision.
pub(crate) fn in_force(connection: &Connection, key: &Key, at: Revision) -> Result<Option<Version>, Failure> {
    let mut statement = connection.prepare_cached(IN_FORCE)?;
    let row = |row: &Row<'_>| Version::from_row(row, 0);
    let version = statement.query_row(params![key.as_bytes(), number(at)], row).optional()?;
    Ok(version.filter(|version| version.modified <= at))
}

/// Visits what lies in the range now, in key order, until the visitor has seen enough.
pub(crate) fn walk(
    connection: &Connection,
    range: &KeyRange,
    mut visit: impl FnMut(Key, Version) -> Result<ControlFlow<()>, Failure>,
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(WALK)?;
    let mut rows = statement.query([range.start().as_bytes()])?;
    while let Some((key, version)) = next_in(&mut rows, range)? {
        if visit(key, version)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Visits the keys that lie in the range or did so once, in key order, each with what it held at the revision, which must not
/// be below the compacted one.
pub(crate) fn walk_at(
    connection: &Connection,
    range: &KeyRange,
    at: Revision,
    mut visit: impl FnMut(Key, Option<Version>) -> Result<ControlFlow<()>, Failure>,
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(WALK)?;
    let mut rows = statement.query([range.start().as_bytes()])?;
    let mut newest = next_in(&mut rows, range)?;
    let mut superseded = next_superseded(connection, range.start(), range)?;
    loop {
        let now = newest.as_ref().map(|(key, _)| key);
        let key = match (now, &superseded) {
            (Some(now), Some(before)) => now.min(before).clone(),
            (Some(key), None) | (None, Some(key)) => key.clone(),
            (None, None) => return Ok(()),
        };
        let mut version = None;
        if now == Some(&key) {
            version = newest.map(|(_, version)| version).filter(|version| version.modified <= at);
            newest = next_in(&mut rows, range)?;
        }
        if superseded.as_ref() == Some(&key) {
            if version.is_none() {
                version = in_force(connection, &key, at)?;
            }
            superseded = next_superseded(connection, &key.successor(), range)?;
        }
        if visit(key, version)?.is_break() {
            return Ok(());
        }
    }
}

/// Whether no key lies in the range now.
pub(crate) fn is_empty(connection: &Connection, range: &KeyRange) -> Result<bool, Failure> {
    let mut is_empty = true;
    walk(connection, range, |_, _| {
        is_empty = false;
        Ok(ControlFlow::Break(()))
    })?;
    Ok(is_empty)
}

/// What happened to the key at a revision that changed it and is kept.
pub(crate) fn event(connection: &Connection, key: Key, at: Revision) -> Result<Event, Failure> {
    let version = match newest(connection, &key)?.filter(|version| version.modified <= at) {
        Some(version) => Some(version),
        None => in_force(connection, &key, at)?,
    };
    Ok(match version {
        Some(version) => Event::Put(version.entry(connection, key, Projection::KeysAndValues)?),
        None => Event::Delete { key, revision: at },
    })
}

impl Version {
    pub(crate) fn entry(
        self,
        connection: &Connection,
        key: Key,
        projection: Projection,
    ) -> Result<Entry, Failure> {
        let value = match projection {
            Projection::KeysAndValues => value(connection, self.content)?,
            Projection::KeysOnly => Bytes::new(),
        };
        Ok(Entry {
            key,
            value,
            create_revision: self.created,
            mod_revision: self.modified,
            lease: self.lease,
        })
    }

    /// Reads it from four columns of a row.
    fn from_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            created: revision(row, first)?,
            modified: revision(row, first + 1)?,
            lease: row.get::<_, Option<i64>>(first + 2)?.and_then(LeaseId::new),
            content: row.get(first + 3)?,
        })
    }
}

pub(crate) const NEWEST: &str = "SELECT created, modified, lease, content FROM newest WHERE key = ?1";
pub(crate) const IN_FORCE: &str = "SELECT created, modified, lease, content FROM superseded \
                                   WHERE key = ?1 AND until > ?2 ORDER BY until LIMIT 1";
pub(crate) const NEXT_SUPERSEDED: &str = "SELECT key FROM superseded WHERE key >= ?1 ORDER BY key LIMIT 1";
pub(crate) const VALUE: &str = "SELECT value FROM contents WHERE id = ?1";

/// The range ends where the reader stops: SQLite would have to be given its end in another statement than where there is none.
pub(crate) const WALK: &str =
    "SELECT key, created, modified, lease, content FROM newest WHERE key >= ?1 ORDER BY key";

fn next_in(rows: &mut rusqlite::Rows<'_>, range: &KeyRange) -> Result<Option<(Key, Version)>, Failure> {
    if range.is_empty() {
        return Ok(None);
    }
    let Some(row) = rows.next()? else { return Ok(None) };
    let key = key(row, 0)?;
    Ok(if range.contains(&key) { Some((key, Version::from_row(row, 1)?)) } else { None })
}

/// The first key from here on in the range that has a superseded version.
fn next_superseded(connection: &Connection, from: &Key, range: &KeyRange) -> Result<Option<Key>, Failure> {
    let mut statement = connection.prepare_cached(NEXT_SUPERSEDED)?;
    let found = statement.query_row([from.as_bytes()], |row| key(row, 0)).optional()?;
    Ok(found.filter(|key| range.contains(key)))
}

fn value(connection: &Connection, content: i64) -> Result<Bytes, Failure> {
    let mut statement = connection.prepare_cached(VALUE)?;
    let value = statement.query_row([content], |row| bytes(row, 0)).optional()?;
    value.ok_or(Failure::Damaged("a value is missing"))
}

/// The key in a column.
pub(crate) fn key(row: &Row<'_>, column: usize) -> rusqlite::Result<Key> {
    bytes(row, column).map(Key::new)
}

fn bytes(row: &Row<'_>, column: usize) -> rusqlite::Result<Bytes> {
    let value = row.get_ref(column)?;
    value
        .as_blob()
        .map(Bytes::copy_from_slice)
        .map_err(|_| rusqlite::Error::InvalidColumnType(column, String::new(), value.data_type()))
}
