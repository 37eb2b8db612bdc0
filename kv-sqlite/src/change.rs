use std::ops::ControlFlow;

use bytes::Bytes;
use rusqlite::{Connection, params};
use storage_core::kv::{BackendError, Key, KeyRange, LeaseId, Revision};

use crate::clock::{self, Moment};
use crate::error::Failure;
use crate::meta::{Meta, number};
use crate::versions::{self, Version};
use crate::{history, lease};

/// What is written within one transaction of SQLite: any number of revisions.
///
/// A job that runs in it refuses before its first write, so that a refusal leaves nothing behind in the transaction that others
/// share.
#[derive(Debug)]
pub(crate) struct Write<'c> {
    pub(crate) connection: &'c Connection,
    pub(crate) now: Moment,
    pub(crate) meta: Meta,
    /// As it was read.
    former: Meta,
    /// Whether the leases are not what they were.
    pub(crate) has_leases_changed: bool,
}

impl<'c> Write<'c> {
    /// Begins, in a transaction that can write already: from here on no lease is due, and all count by this clock.
    pub(crate) fn begin(connection: &'c Connection) -> Result<Self, Failure> {
        let meta = Meta::read(connection)?;
        let former = meta.clone();
        let mut write = Self { connection, now: Moment::now(), meta, former, has_leases_changed: false };
        if write.meta.boot != clock::boot() {
            lease::start_all_again(&mut write)?;
            clock::boot().clone_into(&mut write.meta.boot);
        }
        lease::end_due(&mut write)?;
        Ok(write)
    }

    /// Begins the next revision.
    pub(crate) fn change(&mut self) -> Change<'_, 'c> {
        let revision = Revision(self.meta.revision.0 + 1);
        Change { write: self, revision, keys: 0 }
    }

    /// Gives up what is older than a revision.
    pub(crate) fn compact(&mut self, revision: Revision) -> Result<(), Failure> {
        if revision > self.meta.revision {
            return Err(BackendError::future_revision(revision, self.meta.revision).into());
        }
        history::forget(self.connection, &mut self.meta, revision)?;
        history::give_back_pages(self.connection)
    }

    /// Prepares the transaction for its end, with so much history, and answers whether there is something to tell others.
    pub(crate) fn finish(mut self, history: u64) -> Result<bool, Failure> {
        let made = self.meta.revision.0 - self.former.revision.0;
        if made > 0 {
            history::trim(self.connection, &mut self.meta, history, made)?;
        }
        if self.meta != self.former {
            self.meta.write(self.connection)?;
        }
        Ok(made > 0 || self.has_leases_changed)
    }
}

/// A revision in the making: there is none unless [`commit`](Self::commit) is called.
#[must_use = "a change has to be committed"]
#[derive(Debug)]
pub(crate) struct Change<'w, 'c> {
    write: &'w mut Write<'c>,
    revision: Revision,
    keys: u64,
}

impl Change<'_, '_> {
    /// The state that the steps so far have left.
    pub(crate) fn connection(&self) -> &Connection {
        self.write.connection
    }

    /// Puts a key that this change has not touched yet, with a lease that is running.
    pub(crate) fn put(&mut self, key: &Key, value: &Bytes, lease: Option<LeaseId>) -> Result<(), Failure> {
        let connection = self.write.connection;
        connection.prepare_cached("INSERT INTO contents (value) VALUES (?1)")?.execute([value.as_ref()])?;
        let content = connection.last_insert_rowid();
        let lease = lease.map(LeaseId::get);
        if let Some(before) = versions::newest(connection, key)? {
            self.supersede(key, before)?;
            connection.prepare_cached(REPLACE)?.execute(params![
                key.as_bytes(),
                number(self.revision),
                lease,
                content
            ])?;
        } else {
            let sql =
                "INSERT INTO newest (key, created, modified, lease, content) VALUES (?1, ?2, ?2, ?3, ?4)";
            connection.prepare_cached(sql)?.execute(params![
                key.as_bytes(),
                number(self.revision),
                lease,
                content
            ])?;
        }
        self.log(key)
    }

    /// Deletes a key, which this change must not have put, and answers how many were there: one or none.
    pub(crate) fn delete(&mut self, key: &Key) -> Result<u64, Failure> {
        let connection = self.write.connection;
        let Some(before) = versions::newest(connection, key)? else { return Ok(0) };
        self.supersede(key, before)?;
        connection.prepare_cached(DELETE)?.execute([key.as_bytes()])?;
        self.log(key)?;
        Ok(1)
    }

    /// Deletes the keys of a range, in which this change must not have put any, and answers how many there were.
    pub(crate) fn delete_range(&mut self, range: &KeyRange) -> Result<u64, Failure> {
        let mut keys = Vec::new();
        versions::walk(self.write.connection, range, |key, _| {
            keys.push(key);
            Ok(ControlFlow::Continue(()))
        })?;
        keys.iter().try_fold(0, |deleted, key| Ok(deleted + self.delete(key)?))
    }

    /// Makes the revision, or none if nothing changed; answers the newest.
    pub(crate) fn commit(self) -> Revision {
        if self.keys > 0 {
            self.write.meta.revision = self.revision;
        }
        self.write.meta.revision
    }

    fn supersede(&self, key: &Key, before: Version) -> Result<(), Failure> {
        let sql = "INSERT INTO superseded (key, until, created, modified, lease, content) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let Version { created, modified, lease, content } = before;
        self.write.connection.prepare_cached(sql)?.execute(params![
            key.as_bytes(),
            number(self.revision),
            number(created),
            number(modified),
            lease.map(LeaseId::get),
            content
        ])?;
        Ok(())
    }

    fn log(&mut self, key: &Key) -> Result<(), Failure> {
        let sql = "INSERT INTO changes (revision, key) VALUES (?1, ?2)";
        self.write.connection.prepare_cached(sql)?.execute(params![number(self.revision), key.as_bytes()])?;
        self.keys += 1;
        Ok(())
    }
}

pub(crate) const REPLACE: &str = "UPDATE newest SET modified = ?2, lease = ?3, content = ?4 WHERE key = ?1";
pub(crate) const DELETE: &str = "DELETE FROM newest WHERE key = ?1";
