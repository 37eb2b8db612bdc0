//! What lies in the file. A change of it is another [`VERSION`].

use rusqlite::{Connection, params};

use crate::error::Failure;
use crate::{clock, error, place::Place};

/// Says in the head of the file that it is a store of kvfs: "kvfs" in ASCII.
const APPLICATION_ID: i32 = 0x6b76_6673;

/// The version of what is below.
const VERSION: i32 = 1;

/// - `newest` has what exists, `superseded` what did until `until`: a read of the newest state never walks over what was
///   deleted long ago. A key has at most one change in a revision.
/// - Values lie apart, one row for each version, so that a list of keys moves none and superseding a version copies none.
/// - `changes` has the keys that each revision behind the compacted one has changed.
/// - Deadlines are microseconds of the clock whose name is `meta.boot`.
const TABLES: &str = "
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL,
    compacted INTEGER NOT NULL,
    boot TEXT NOT NULL
) STRICT;
CREATE TABLE contents (id INTEGER PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE newest (
    key BLOB PRIMARY KEY,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    lease INTEGER,
    content INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX newest_by_lease ON newest (lease) WHERE lease IS NOT NULL;
CREATE TABLE superseded (
    key BLOB NOT NULL,
    until INTEGER NOT NULL,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    lease INTEGER,
    content INTEGER NOT NULL,
    PRIMARY KEY (key, until)
) STRICT, WITHOUT ROWID;
CREATE TABLE changes (
    revision INTEGER NOT NULL,
    key BLOB NOT NULL,
    PRIMARY KEY (revision, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE leases (id INTEGER PRIMARY KEY, ttl INTEGER NOT NULL, deadline INTEGER NOT NULL) STRICT;
CREATE INDEX leases_by_deadline ON leases (deadline);
";

/// Makes sure that the file of a connection is a store: makes one of an empty file, and refuses what is something else. It
/// changes nothing of that.
pub(crate) fn establish(connection: &mut Connection, place: &Place) -> Result<(), Failure> {
    if let Contents::Nothing = Contents::of(connection, place)? {
        create(connection, place)?;
    }
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(error::unusable(place.file(), "the file system has no shared memory for SQLite").into());
    }
    Ok(())
}

/// What a file turned out to be, where it is not refused.
enum Contents {
    Nothing,
    Store,
}

impl Contents {
    fn of(connection: &Connection, place: &Place) -> Result<Self, Failure> {
        let refused = |why: &str| Err(error::unusable(place.file(), why).into());
        let pragma = |name| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
        // One transaction: two answers of different moments could make a new store look like a foreign file.
        let reading = connection.unchecked_transaction()?;
        let pages = match pragma("page_count") {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
                return refused("not a kvfs store, nor any SQLite database");
            }
            pages => pages?,
        };
        if pages == 0 {
            return Ok(Self::Nothing);
        }
        if pragma("application_id")? != i64::from(APPLICATION_ID) {
            return refused("not a kvfs store but another program's SQLite database");
        }
        let version = pragma("user_version")?;
        if version > i64::from(VERSION) {
            let why = format!(
                "written by a later version of kvfs: its format is {version}, this one knows {VERSION}"
            );
            return Err(error::unusable(place.file(), &why).into());
        }
        // Also keeps out triggers and views, which would run code of whoever made the file.
        if version != i64::from(VERSION) || definitions(connection)? != expected()? {
            return refused("not a kvfs store: its tables are not those of one");
        }
        reading.finish()?;
        Ok(Self::Store)
    }
}

/// All at once, and before the write-ahead log is turned on: so the head of the file says what it is from the first moment
/// on, and whoever dies here leaves an empty file or a store.
fn create(connection: &mut Connection, place: &Place) -> Result<(), Failure> {
    let creating = connection.transaction()?;
    // First, because only before the first page can it be said how freed pages are given back; and within the transaction,
    // because it writes that page: others would see a database of somebody else.
    creating.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    // Another process may have been first. That there is a page says nothing here: this transaction has made one.
    let defined: i64 = creating.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if defined > 0 {
        drop(creating);
        return Contents::of(connection, place).map(drop);
    }
    creating.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; {TABLES}"
    ))?;
    creating.execute(
        "INSERT INTO meta (id, revision, compacted, boot) VALUES (1, 0, 0, ?1)",
        params![clock::boot()],
    )?;
    Ok(creating.commit()?)
}

/// How everything in a database was defined, but for the statistics that SQLite keeps where somebody has asked for them.
fn definitions(connection: &Connection) -> Result<Vec<(String, Option<String>)>, Failure> {
    let mut statement = connection.prepare(
        "SELECT name, sql FROM sqlite_schema \
         WHERE NOT (type = 'table' AND name IN ('sqlite_stat1', 'sqlite_stat4')) ORDER BY name",
    )?;
    let definitions = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(definitions.collect::<rusqlite::Result<_>>()?)
}

fn expected() -> Result<Vec<(String, Option<String>)>, Failure> {
    let model = Connection::open_in_memory()?;
    model.execute_batch(TABLES)?;
    definitions(&model)
}
