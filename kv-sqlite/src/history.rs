//! What has changed, and giving it up.

use rusqlite::{Connection, params};
use storage_core::kv::{BackendError, Key, KeyRange, Revision, WatchBatch};

use crate::error::Failure;
use crate::meta::{Meta, number, revision};
use crate::versions;

/// Changes that a watch has to deliver.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) batches: Vec<WatchBatch>,
    /// Up to here nothing else has changed in the range.
    pub(crate) seen: Revision,
    /// Whether that was the newest revision.
    pub(crate) is_all: bool,
}

/// With so many bytes of values, rows of the log or batches one look at the changes ends, but never within a revision.
const MOST_BYTES: usize = 1 << 20;
const MOST_ROWS: usize = 10_000;
const MOST_BATCHES: usize = 256;

/// The next changes of the range after a revision.
pub(crate) fn changes(connection: &Connection, range: &KeyRange, after: Revision) -> Result<Found, Failure> {
    let meta = Meta::read(connection)?;
    let mut found = Found { batches: Vec::new(), seen: after, is_all: true };
    if after >= meta.revision {
        return Ok(found);
    }
    if after < meta.compacted {
        return Err(BackendError::compacted(after, meta.compacted).into());
    }
    let mut statement = connection.prepare_cached(CHANGES)?;
    let mut rows = statement.query([number(after)])?;
    let (mut bytes, mut read) = (0, 0);
    while let Some(row) = rows.next()? {
        let (at, key) = (revision(row, 0)?, versions::key(row, 1)?);
        if at > found.seen {
            if bytes >= MOST_BYTES || read >= MOST_ROWS || found.batches.len() >= MOST_BATCHES {
                found.is_all = false;
                return Ok(found);
            }
            found.seen = at;
        }
        read += 1;
        if range.contains(&key) {
            let event = versions::event(connection, key, at)?;
            if let storage_core::kv::Event::Put(entry) = &event {
                bytes += entry.value.len();
            }
            match found.batches.last_mut().filter(|batch| batch.revision == at) {
                Some(batch) => batch.events.push(event),
                None => found.batches.push(WatchBatch { revision: at, events: vec![event] }),
            }
        }
    }
    found.seen = meta.revision;
    Ok(found)
}

/// The keys that have changed after a revision, at most about [`MOST_ROWS`] of them: up to the revision answered all.
pub(crate) fn changed_keys(
    connection: &Connection,
    meta: &Meta,
    after: Revision,
) -> Result<(Revision, Vec<(Revision, Key)>), Failure> {
    let mut statement = connection.prepare_cached(CHANGES)?;
    let mut rows = statement.query([number(after)])?;
    let mut keys: Vec<(Revision, Key)> = Vec::new();
    while let Some(row) = rows.next()? {
        let at = revision(row, 0)?;
        if let Some((last, _)) = keys.last().filter(|(last, _)| *last < at && keys.len() >= MOST_ROWS) {
            return Ok((*last, keys));
        }
        keys.push((at, versions::key(row, 1)?));
    }
    Ok((meta.revision, keys))
}

pub(crate) const CHANGES: &str =
    "SELECT revision, key FROM changes WHERE revision > ?1 ORDER BY revision, key";

/// Forgets what was superseded up to a revision, whose own state stays readable, and says so in `meta`.
///
/// The log says which keys each revision has changed, and only the versions that ended there can be dropped: so every change
/// is visited once more in its life, however many keys there are.
pub(crate) fn forget(connection: &Connection, meta: &mut Meta, up_to: Revision) -> Result<(), Failure> {
    if up_to <= meta.compacted {
        return Ok(());
    }
    for sql in FORGET {
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute(params![number(meta.compacted), number(up_to)])?;
    }
    meta.compacted = up_to;
    Ok(())
}

/// `CROSS JOIN` keeps the order: from the few changes to the versions.
pub(crate) const FORGET: [&str; 3] = [
    "DELETE FROM contents WHERE id IN (
        SELECT superseded.content FROM changes CROSS JOIN superseded
        ON superseded.key = changes.key AND superseded.until = changes.revision
        WHERE changes.revision > ?1 AND changes.revision <= ?2)",
    "DELETE FROM superseded WHERE (key, until) IN (
        SELECT key, revision FROM changes WHERE revision > ?1 AND revision <= ?2)",
    "DELETE FROM changes WHERE revision > ?1 AND revision <= ?2",
];

/// How many revisions beyond its length the history grows before some are given up together.
const BATCH: u64 = 64;

/// Gives up old revisions after so many new ones were made: twice as many as that and a batch at most, so that no write pays
/// for a history that was shortened from outside.
pub(crate) fn trim(connection: &Connection, meta: &mut Meta, length: u64, made: u64) -> Result<(), Failure> {
    let kept = meta.revision.0 - meta.compacted.0;
    let surplus = kept.saturating_sub(length);
    if surplus < BATCH {
        return Ok(());
    }
    let up_to = Revision(meta.compacted.0 + surplus.min(2 * made + BATCH));
    forget(connection, meta, up_to)?;
    give_back_pages(connection)
}

/// How many free pages a store keeps for what comes, and how many it gives back at once.
const SPARE_PAGES: i64 = 256;
const PAGES_AT_ONCE: i64 = 128;

/// Makes the file shorter where more of it is free than a quarter and the spare.
pub(crate) fn give_back_pages(connection: &Connection) -> Result<(), Failure> {
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let (free, all) = (pragma("freelist_count")?, pragma("page_count")?);
    if free > SPARE_PAGES + all / 4 {
        let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES_AT_ONCE})"))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(())
}
