#![doc = include_str!("../README.md")]

mod background;
mod checksum;
mod clock;
mod config;
mod environment;
mod error;
#[cfg(test)]
mod fuzz;
mod identity;
pub mod kv;
mod layout;
mod lock;
mod metadata;
#[cfg(test)]
mod mock;
mod observe;
mod path;
mod problem;
mod quarantine;
mod random;
mod record;
mod retry;
mod session;
mod storage;
mod watch;

pub use checksum::Sha1Digest;
pub use config::StorageOptions;
pub use environment::Environment;
pub use error::{Error, ErrorKind, Result};
pub use layout::{KeyPrefix, LayoutChoice, LayoutKind};
pub use lock::{FencingToken, LockEntry, LockGuard, LockName, LockOptions, LockState};
pub use metadata::{DirEntry, EntryKind, File, Metadata, Version};
pub use path::FilePath;
pub use problem::{Problem, ProblemKind, VerifyItem};
pub use quarantine::{QuarantineId, Quarantined, QuarantinedFile};
pub use storage::{
    Filter, Finding, FindingKind, ListItem, ListOptions, ListStream, LoadOrStore, Replaces, Storage,
    StoreOptions, Survey, VerifyOptions, VerifyStream,
};
pub use watch::{ChangeKind, ChangeStream, WatchEvent};
