//! What every command needs: the store and the output.

use std::error::Error as StdError;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use kv_etcd::EtcdBackend;
use kv_memory::MemoryBackend;
use kv_sqlite::{SqliteBackend, SqliteOptions};
use storage_core::kv::{BackendError, BackendErrorKind, KvBackend};
use storage_core::{ErrorKind, FilePath, LayoutChoice, LockName, Storage, StorageOptions};
use tokio::process::Command;

use crate::choice::{Choice, Given};
use crate::failure::Failure;
use crate::layout_choice;
use crate::local::{blocking, create_directory};
use crate::output::{Format, Output};
use crate::store_url::Store;
use crate::telling::Verbosity;

/// The file tree, whatever store it is in.
pub(crate) type Tree = Storage<Arc<dyn KvBackend>>;

/// One run of the command.
pub(crate) struct Session {
    pub(crate) given: Given,
    pub(crate) output: Output,
    files: OpenFiles,
}

/// The files that were opened as stores, for the end: each of these waits until one is closed.
type OpenFiles = Arc<Mutex<Vec<BoxFuture<'static, ()>>>>;

/// Where the tree is, and how it is opened.
pub(crate) struct Place {
    choice: Choice,
    to_check: String,
    pub(crate) store: Store,
    pub(crate) options: StorageOptions,
    files: OpenFiles,
}

impl Session {
    pub(crate) fn new(format: Format, given: Given, verbosity: Verbosity) -> Self {
        Self { given, output: Output::to_stdout(format, verbosity), files: OpenFiles::default() }
    }

    /// Waits until the files that were stores are closed, so that each is whole without those beside it. A command that has ended
    /// does not wait for long: nothing would be lost.
    pub(crate) async fn close(&self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        let files = std::mem::take(&mut *self.files.lock().unwrap_or_else(PoisonError::into_inner));
        let _ = tokio::time::timeout(PATIENCE, join_all(files)).await;
    }

    /// Opens the tree.
    pub(crate) async fn open(&self) -> Result<Tree, Failure> {
        self.place().await?.open().await
    }

    /// Finds out where the tree is, and says it if that is wanted. The store is not asked.
    pub(crate) async fn place(&self) -> Result<Place, Failure> {
        let choice = self.given.choice()?;
        let origin = self.given.origin(&choice);
        let place = self.place_of(choice).await?;
        // No setting that may be secret is shown.
        self.output.inform("store", format!("the store is {}, from {origin}", place.store));
        Ok(place)
    }

    /// Finds out where the tree of this choice is. The store is not asked.
    pub(crate) async fn place_of(&self, choice: Choice) -> Result<Place, Failure> {
        let mut layout = LayoutChoice::Detect;
        let store = match &choice {
            Choice::Url(url) => {
                let (url, asked_for) = layout_choice::split(url).map_err(Failure::usage)?;
                layout = asked_for;
                url.parse().map_err(|error| Failure::usage(format!("{error}")))?
            }
            Choice::Config(source) => Store::from(source.read().await?),
            Choice::Default(file) => Store::Sqlite(file.clone()),
        };
        let options = match &store {
            Store::Memory | Store::Sqlite(_) => StorageOptions::new(),
            Store::Etcd(config) => config.storage_options(),
        };
        let options = options.with_layout(layout);
        Ok(Place { to_check: choice.to_check(), choice, store, options, files: Arc::clone(&self.files) })
    }
}

impl Place {
    /// Opens the tree.
    pub(crate) async fn open(&self) -> Result<Tree, Failure> {
        let backend = self.connect().await?;
        let opened = Storage::open(backend, self.options.clone()).await;
        opened.map_err(|error| self.not_opened(error.kind(), error.to_string(), &error))
    }

    /// Connects to the store, whatever is in it.
    pub(crate) async fn connect(&self) -> Result<Arc<dyn KvBackend>, Failure> {
        if let Choice::Default(file) = &self.choice {
            make_room_for(file).await?;
        }
        self.connect_to_store().await.map_err(|error| self.not_connected(&error))
    }

    async fn connect_to_store(&self) -> Result<Arc<dyn KvBackend>, BackendError> {
        Ok(match &self.store {
            Store::Memory => Arc::new(MemoryBackend::new()),
            Store::Sqlite(file) => {
                let backend = SqliteBackend::open(file, SqliteOptions::default()).await?;
                self.files.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(backend.closed()));
                Arc::new(backend)
            }
            Store::Etcd(config) => Arc::new(EtcdBackend::connect(config).await?),
        })
    }

    /// Lets a `kvfs` in this command work on the same tree.
    pub(crate) fn hand_on(&self, command: &mut Command) {
        self.choice.hand_on(command);
    }

    /// The failure to connect to it.
    pub(crate) fn not_connected(&self, error: &BackendError) -> Failure {
        let said = match error.kind() {
            // It is the settings that are wrong: nobody here has made a request.
            BackendErrorKind::InvalidRequest => error.message().to_owned(),
            _ => error.to_string(),
        };
        self.not_opened(not_connected(error), said, error)
    }

    /// What to check when it does not serve.
    pub(crate) fn to_check(&self) -> String {
        self.to_check.clone()
    }

    /// This place, of which something else is to be checked than the options that name the store of a run.
    pub(crate) fn with_to_check(mut self, what: &str) -> Self {
        what.clone_into(&mut self.to_check);
        self
    }

    fn not_opened(&self, kind: ErrorKind, said: String, error: &dyn StdError) -> Failure {
        Failure::opening(&self.store, &self.to_check, kind, said, error)
    }
}

/// Makes the directory of the store that belongs to the user. That of a file which somebody has named must be there.
async fn make_room_for(file: &Path) -> Result<(), Failure> {
    let Some(directory) = file.parent().map(Path::to_owned) else { return Ok(()) };
    let what = format!("cannot make {} for the default store", directory.display());
    blocking(move || create_directory(&directory)).await.map_err(|error| Failure::local(what, &error))
}

/// Refuses what is no path before the store is asked; the root is one.
pub(crate) fn any_path(command: &str, path: &str) -> Result<FilePath, Failure> {
    FilePath::parse(path).map_err(|error| Failure::storage(command, path, &error))
}

/// Refuses what is no file's path before the store is asked.
pub(crate) fn file_path(command: &str, path: &str) -> Result<FilePath, Failure> {
    let parsed = any_path(command, path)?;
    if parsed.is_root() {
        let reason =
            "invalid path: the root is not a file; name a file in it, such as sites/example.com/cert.pem";
        return Err(Failure::of_kind(ErrorKind::InvalidPath, format!("{command} {path:?}: {reason}")));
    }
    Ok(parsed)
}

/// Refuses what is no name of a lock before the store is asked.
pub(crate) fn lock_name(command: &str, name: &str) -> Result<LockName, Failure> {
    LockName::parse(name).map_err(|error| Failure::storage(command, name, &error))
}

fn not_connected(error: &BackendError) -> ErrorKind {
    match error.kind() {
        BackendErrorKind::Timeout => ErrorKind::Timeout,
        BackendErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        BackendErrorKind::Unauthenticated => ErrorKind::Unauthenticated,
        // Nobody was asked: the settings cannot be honoured.
        BackendErrorKind::InvalidRequest => ErrorKind::InvalidConfig,
        // Whatever else a server says, it does not serve us.
        _ => ErrorKind::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn settings_that_cannot_be_honoured_are_no_outage() {
        let exit = |kind| Exit::of(not_connected(&BackendError::new(kind, "why")));
        assert_eq!(exit(BackendErrorKind::InvalidRequest), Exit::Usage);
        assert_eq!(exit(BackendErrorKind::Unauthenticated), Exit::Usage);
        assert_eq!(exit(BackendErrorKind::Internal), Exit::Unavailable);
    }
}
