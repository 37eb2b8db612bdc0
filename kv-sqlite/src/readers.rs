use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use storage_core::kv::BackendError;
use tokio::sync::Semaphore;
use tokio::task;
use tokio::time::{self, Instant};

use crate::error::{self, Failure};
use crate::open;
use crate::patience::Patience;
use crate::place::Place;

/// The connections that read. Each call has one to itself, and one transaction: what it answers is one state.
#[derive(Debug)]
pub(crate) struct Readers {
    place: Arc<Place>,
    permits: Arc<Semaphore>,
    /// `None` once the store is closed.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    /// How many calls read at once. Reading is mostly computing, so a few are enough to keep the processors busy.
    const MOST: usize = 8;

    pub(crate) fn new(place: Arc<Place>) -> Self {
        let permits = Arc::new(Semaphore::new(Self::MOST));
        Self { place, permits, idle: Mutex::new(Some(Vec::new())) }
    }

    /// Reads on a thread for blocking work, until the deadline.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        call: &'static str,
        deadline: Instant,
        work: impl FnMut(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, BackendError> {
        let reading = async {
            let permit = Arc::clone(&self.permits).acquire_owned().await;
            let readers = Arc::clone(self);
            let blocking = task::spawn_blocking(move || {
                let result = readers.read_here(deadline, work);
                drop(permit);
                result
            });
            match blocking.await {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(failure)) if failure.is_busy() => Err(error::timeout(call)),
                Ok(Err(failure)) => Err(failure.into_error()),
                Err(_gone) => Err(error::ended("a thread that reads").not_applied()),
            }
        };
        time::timeout_at(deadline, reading).await.unwrap_or_else(|_| Err(error::timeout(call)))
    }

    fn read_here<T>(
        &self,
        deadline: Instant,
        mut work: impl FnMut(&Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.place.check_unmoved()?;
        Patience::until(deadline).insist(|| {
            let connection = match self.take() {
                Some(connection) => connection,
                None => open::for_reading(&self.place, deadline)?,
            };
            let result = read(&connection, &mut work);
            // One that has met an error is not trusted with another call.
            if matches!(result, Ok(_) | Err(Failure::Refused(_))) {
                self.put_back(connection);
            }
            result
        })
    }

    /// Closes all connections, now or when they are put back. It takes a while and belongs on a thread of its own.
    pub(crate) fn close(&self) {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(idle);
    }

    fn take(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.pop()
    }

    fn put_back(&self, connection: Connection) {
        if let Some(idle) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            idle.push(connection);
        }
    }
}

/// Reads in one transaction.
pub(crate) fn read<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let reading = connection.unchecked_transaction()?;
    let value = work(&reading)?;
    reading.finish()?;
    Ok(value)
}
