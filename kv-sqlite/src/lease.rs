//! Leases: rows with a deadline, and the keys that bear their id.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};
use storage_core::kv::{BackendError, Key, Lease, LeaseId};

use crate::change::Write;
use crate::clock::{self, Moment};
use crate::error::Failure;
use crate::meta::Meta;
use crate::versions;

/// Makes a lease with a TTL as [`Limits::granted_ttl`](storage_core::kv::Limits::granted_ttl) answers it.
///
/// Its name is drawn by chance: where a backup was restored, a process that still renews a lease of before must not meet one
/// of another's.
pub(crate) fn grant(write: &mut Write<'_>, ttl: Duration) -> Result<Lease, Failure> {
    let sql = "INSERT INTO leases (id, ttl, deadline) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    let deadline = write.now.plus(ttl);
    loop {
        let random: i64 = write
            .connection
            .prepare_cached("SELECT random() & 0x7fffffffffffffff")?
            .query_row([], |row| row.get(0))?;
        let Some(id) = LeaseId::new(random) else { continue };
        let mut statement = write.connection.prepare_cached(sql)?;
        if statement.execute(params![id.get(), seconds(ttl), deadline.0])? == 1 {
            write.has_leases_changed = true;
            return Ok(Lease { id, ttl });
        }
    }
}

/// Gives a lease its whole TTL again, and answers it.
pub(crate) fn renew(write: &mut Write<'_>, id: LeaseId) -> Result<Duration, Failure> {
    let (ttl, _) = find(write.connection, id)?;
    let sql = "UPDATE leases SET deadline = ?2 WHERE id = ?1";
    write.connection.prepare_cached(sql)?.execute(params![id.get(), write.now.plus(ttl).0])?;
    write.has_leases_changed = true;
    Ok(ttl)
}

/// How long a lease still runs unless it is renewed; in a write, where none is due.
pub(crate) fn time_to_live(write: &Write<'_>, id: LeaseId) -> Result<Duration, Failure> {
    Ok(write.now.until(find(write.connection, id)?.1))
}

/// How long a lease still runs, as far as that can be seen by reading: `None` if it is due, or counted by another clock.
pub(crate) fn time_left(connection: &Connection, id: LeaseId) -> Result<Option<Duration>, Failure> {
    let (_, deadline) = find(connection, id)?;
    let now = Moment::now();
    let is_known = Meta::read(connection)?.boot == clock::boot() && now < deadline;
    Ok(is_known.then(|| now.until(deadline)))
}

/// Ends a lease: its keys go in one revision.
pub(crate) fn end(write: &mut Write<'_>, id: LeaseId) -> Result<(), Failure> {
    require(write.connection, id)?;
    let keys = keys_of(write.connection, id)?;
    write.connection.prepare_cached("DELETE FROM leases WHERE id = ?1")?.execute([id.get()])?;
    write.has_leases_changed = true;
    let mut change = write.change();
    for key in &keys {
        change.delete(key)?;
    }
    change.commit();
    Ok(())
}

/// Refuses a lease that is not running.
pub(crate) fn require(connection: &Connection, id: LeaseId) -> Result<(), Failure> {
    find(connection, id).map(drop)
}

/// Ends the leases whose time is over, each in a revision of its own, in the order in which they ran out.
pub(crate) fn end_due(write: &mut Write<'_>) -> Result<(), Failure> {
    while let Some((deadline, id)) = first_to_end(write.connection)?
        && deadline <= write.now
    {
        end(write, id)?;
    }
    Ok(())
}

/// Gives every lease its whole TTL again: how much of it had passed on another clock nobody knows.
pub(crate) fn start_all_again(write: &mut Write<'_>) -> Result<(), Failure> {
    let sql = "UPDATE leases SET deadline = ?1 + ttl * 1000000";
    write.has_leases_changed |= write.connection.execute(sql, [write.now.0])? > 0;
    Ok(())
}

/// The lease that ends first unless it is renewed, and when.
pub(crate) fn first_to_end(connection: &Connection) -> Result<Option<(Moment, LeaseId)>, Failure> {
    let mut statement = connection.prepare_cached(FIRST_TO_END)?;
    let first = statement.query_row([], |row| Ok((Moment(row.get(0)?), row.get(1)?))).optional()?;
    first
        .map(|(deadline, id)| {
            Ok((deadline, LeaseId::new(id).ok_or(Failure::Damaged("a lease without a name"))?))
        })
        .transpose()
}

pub(crate) const FIRST_TO_END: &str = "SELECT deadline, id FROM leases ORDER BY deadline LIMIT 1";
pub(crate) const KEYS_OF: &str = "SELECT key FROM newest WHERE lease = ?1";
pub(crate) const FIND: &str = "SELECT ttl, deadline FROM leases WHERE id = ?1";

/// For how long a lease was granted, and when it ends.
fn find(connection: &Connection, id: LeaseId) -> Result<(Duration, Moment), Failure> {
    let mut statement = connection.prepare_cached(FIND)?;
    let found = statement.query_row([id.get()], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?))).optional()?;
    let (ttl, deadline) = found.ok_or_else(|| BackendError::lease_not_found(id))?;
    let ttl = u64::try_from(ttl).map_err(|_| Failure::Damaged("a lease of less than no time"))?;
    Ok((Duration::from_secs(ttl), Moment(deadline)))
}

fn keys_of(connection: &Connection, id: LeaseId) -> Result<Vec<Key>, Failure> {
    let mut statement = connection.prepare_cached(KEYS_OF)?;
    let keys = statement.query_map([id.get()], |row| versions::key(row, 0))?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}

fn seconds(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX)
}
