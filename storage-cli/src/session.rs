//! What every command needs: the store and the output.

use std::error::Error as StdError;
use std::sync::Arc;

use kv_etcd::EtcdBackend;
use kv_memory::MemoryBackend;
use storage_core::kv::{BackendError, BackendErrorKind, KvBackend};
use storage_core::{ErrorKind, FilePath, LayoutChoice, LockName, Storage, StorageOptions};
use tokio::process::Command;

use crate::choice::{Choice, Given};
use crate::failure::Failure;
use crate::layout_choice;
use crate::output::{Format, Output};
use crate::store_url::Store;

/// The file tree, whatever store it is in.
pub(crate) type Tree = Storage<Arc<dyn KvBackend>>;

/// One run of the command.
pub(crate) struct Session {
    pub(crate) given: Given,
    pub(crate) output: Output,
}

/// Where the tree is, and how it is opened.
pub(crate) struct Place {
    /// What the user chose it by, unless it is an argument of the command.
    choice: Option<Choice>,
    to_check: String,
    pub(crate) store: Store,
    pub(crate) options: StorageOptions,
}

impl Session {
    pub(crate) fn new(format: Format, given: Given) -> Self {
        Self { given, output: Output::to_stdout(format) }
    }

    /// Opens the tree.
    pub(crate) async fn open(&self) -> Result<Tree, Failure> {
        self.place().await?.open().await
    }

    /// Finds out where the tree is. The store is not asked.
    pub(crate) async fn place(&self) -> Result<Place, Failure> {
        let choice = self.given.choice()?;
        let place = match &choice {
            Choice::Url(url) => Place::named(url, &choice.to_check())?,
            Choice::Config(source) => {
                Place::new(Store::from(source.read().await?), LayoutChoice::Detect, choice.to_check())
            }
        };
        Ok(Place { choice: Some(choice), ..place })
    }
}

impl Store {
    /// Connects to the store, whatever is in it.
    pub(crate) async fn connect(&self) -> Result<Arc<dyn KvBackend>, BackendError> {
        Ok(match self {
            Self::Memory => Arc::new(MemoryBackend::new()),
            Self::Etcd(config) => Arc::new(EtcdBackend::connect(config).await?),
        })
    }
}

impl Place {
    /// The place of a store URL that the user knows by this name.
    pub(crate) fn named(url: &str, name: &str) -> Result<Self, Failure> {
        let (url, layout) =
            layout_choice::split(url).map_err(|error| Failure::usage(format!("store URL: {error}")))?;
        let store = url.parse().map_err(|error| Failure::usage(format!("{error}")))?;
        Ok(Self::new(store, layout, name.to_owned()))
    }

    fn new(store: Store, layout: LayoutChoice, to_check: String) -> Self {
        let options = match &store {
            Store::Memory => StorageOptions::new(),
            Store::Etcd(config) => config.storage_options(),
        };
        Self { choice: None, to_check, store, options: options.with_layout(layout) }
    }

    /// Opens the tree.
    pub(crate) async fn open(&self) -> Result<Tree, Failure> {
        let backend = self.store.connect().await.map_err(|error| self.not_connected(&error))?;
        let opened = Storage::open(backend, self.options.clone()).await;
        opened.map_err(|error| self.not_opened(error.kind(), &error))
    }

    /// Lets a `kvfs` in this command work on the same tree.
    pub(crate) fn hand_on(&self, command: &mut Command) {
        if let Some(choice) = &self.choice {
            choice.hand_on(command);
        }
    }

    /// The failure to connect to it.
    pub(crate) fn not_connected(&self, error: &BackendError) -> Failure {
        self.not_opened(not_connected(error), error)
    }

    /// What to check when it does not serve.
    pub(crate) fn to_check(&self) -> String {
        self.to_check.clone()
    }

    fn not_opened(&self, kind: ErrorKind, error: &dyn StdError) -> Failure {
        Failure::opening(&self.store.to_string(), &self.to_check, kind, error)
    }
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
