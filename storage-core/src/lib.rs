#![doc = include_str!("../README.md")]

mod checksum;
mod clock;
mod config;
mod error;
pub mod kv;
mod layout;
mod metadata;
mod path;
mod random;
mod record;
mod storage;

pub use checksum::Sha1Digest;
pub use config::StorageOptions;
pub use error::{Error, ErrorKind, Result};
pub use layout::KeyPrefix;
pub use metadata::{DirEntry, EntryKind, File, Metadata, Version};
pub use path::FilePath;
pub use storage::{Filter, ListItem, ListOptions, ListStream, LoadOrStore, Storage};
