use rusqlite::{Connection, Row, params};
use storage_core::kv::{BackendError, Revision};

use crate::error::Failure;

/// The row that says where the store stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    /// The newest revision.
    pub(crate) revision: Revision,
    /// The oldest revision whose state is still kept. What led to it is not.
    pub(crate) compacted: Revision,
    /// Under which run of the clock the deadlines of leases were noted.
    pub(crate) boot: String,
}

impl Meta {
    pub(crate) fn read(connection: &Connection) -> Result<Self, Failure> {
        let mut statement =
            connection.prepare_cached("SELECT revision, compacted, boot FROM meta WHERE id = 1")?;
        let meta = statement
            .query_row([], |row| Ok((revision(row, 0)?, revision(row, 1)?, row.get::<_, String>(2)?)))?;
        let (revision, compacted, boot) = meta;
        if compacted > revision {
            return Err(Failure::Damaged("it is compacted beyond its newest revision"));
        }
        Ok(Self { revision, compacted, boot })
    }

    pub(crate) fn write(&self, connection: &Connection) -> Result<(), Failure> {
        let sql = "UPDATE meta SET revision = ?1, compacted = ?2, boot = ?3 WHERE id = 1";
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute(params![number(self.revision), number(self.compacted), self.boot])?;
        Ok(())
    }

    /// Refuses a revision whose state is not there: not any more, or not yet.
    pub(crate) fn check_readable(&self, revision: Revision) -> Result<(), BackendError> {
        if revision > self.revision {
            return Err(BackendError::future_revision(revision, self.revision));
        }
        if revision < self.compacted {
            return Err(BackendError::compacted(revision, self.compacted));
        }
        Ok(())
    }
}

/// A revision as SQLite holds it. No store gets to the end of its numbers; one that is asked for may be beyond.
pub(crate) fn number(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

/// The revision in a column.
pub(crate) fn revision(row: &Row<'_>, column: usize) -> rusqlite::Result<Revision> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map(Revision).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}
