//! Connections to the file of a store.

use rusqlite::{Connection, OpenFlags};
use tokio::time::Instant;

use crate::error::{self, Failure};
use crate::options::{Durability, SqliteOptions};
use crate::patience::Patience;
use crate::place::Place;
use crate::schema;

/// How many prepared statements a connection keeps: all that this crate has.
const STATEMENTS: usize = 64;

/// The connection that writes, to a file that is a store from now on.
pub(crate) fn for_writing(
    place: &Place,
    options: &SqliteOptions,
    deadline: Instant,
) -> Result<Connection, Failure> {
    let mut connection = connect(place, deadline)?;
    if connection.is_readonly("main")? {
        let error = std::io::ErrorKind::PermissionDenied.into();
        return Err(error::io(place.file(), error).into());
    }
    Patience::until(deadline).insist(|| schema::establish(&mut connection, place))?;
    let synchronous = match options.durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    // The limit is what the log is cut to when it begins anew. `fullfsync` means something on Apple's systems only, where
    // `fsync` alone does not reach the disk.
    connection.execute_batch(&format!(
        "PRAGMA synchronous = {synchronous}; PRAGMA fullfsync = {}; PRAGMA journal_size_limit = 4194304",
        u8::from(options.durability == Durability::Full),
    ))?;
    Ok(connection)
}

/// A connection to a store, for reading.
pub(crate) fn for_reading(place: &Place, deadline: Instant) -> Result<Connection, Failure> {
    let connection = connect(place, deadline)?;
    connection.execute_batch("PRAGMA query_only = ON")?;
    Ok(connection)
}

fn connect(place: &Place, deadline: Instant) -> Result<Connection, Failure> {
    // Without `SQLITE_OPEN_URI`: a path is a path. Without a mutex: a connection is used by one thread at a time.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(place.file(), flags)?;
    // Waiting is up to us, who know for how long.
    connection.busy_timeout(std::time::Duration::ZERO)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // What a damaged or hostile file says is not believed more than need be.
    let settings = "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY";
    Patience::until(deadline).insist(|| Ok(connection.execute_batch(settings)?))?;
    Ok(connection)
}
