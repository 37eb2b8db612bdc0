use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};

use rusqlite::Connection;
use storage_core::kv::BackendError;
use tokio::time::Instant;

use crate::change::Write;
use crate::error::{self, Failure};
use crate::hub::{self, Nudge};
use crate::notify_file::NotifyFile;
use crate::open;
use crate::options::SqliteOptions;
use crate::place::Place;
use crate::readers::Readers;
use crate::watch::Watchers;
use crate::writer::Writer;

/// An opened store: what its clients share.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) options: SqliteOptions,
    pub(crate) place: Arc<Place>,
    pub(crate) watchers: Arc<Watchers>,
    readers: Arc<Readers>,
    writer: Writer,
    hub: Sender<Nudge>,
}

impl Store {
    /// Opens a store, and makes it first if there is none. It waits for other processes and belongs on a thread for that.
    pub(crate) fn open(path: &Path, options: SqliteOptions, deadline: Instant) -> Result<Self, Failure> {
        let place = Arc::new(Place::find_or_make(path)?);
        let connection = open::for_writing(&place, &options, deadline)?;
        place.warn_of_networks();
        let notify_file = NotifyFile::open(&place)?;
        let notify_path = notify_file.path().to_owned();
        let readers = Arc::new(Readers::new(Arc::clone(&place)));
        let watchers = Arc::new(Watchers::default());
        let (hub, nudges) = mpsc::channel();
        let no_thread = |error| error::io(place.file(), error);
        let writer = Writer::start(
            connection,
            Arc::clone(&place),
            notify_file,
            options,
            Arc::clone(&readers),
            hub.clone(),
        )
        .map_err(no_thread)?;
        let nudges = (hub.clone(), nudges);
        hub::start(Arc::clone(&place), notify_path, Arc::clone(&watchers), writer.clone(), nudges)
            .map_err(no_thread)?;
        Ok(Self { options, place, watchers, readers, writer, hub })
    }

    /// Reads one state.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        call: &'static str,
        work: impl FnMut(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, BackendError> {
        self.readers.read(call, self.deadline(), work).await
    }

    /// Writes about so many bytes, and answers when that is committed. The work refuses before its first write.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        call: &'static str,
        bytes: usize,
        work: impl FnMut(&mut Write<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, BackendError> {
        self.writer.write(call, self.deadline(), bytes, work).await
    }

    pub(crate) fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.writer.closed()
    }

    pub(crate) fn nudge(&self, nudge: Nudge) {
        // It ends only when the store does.
        let _ = self.hub.send(nudge);
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.options.request_timeout
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.nudge(Nudge::End);
    }
}
