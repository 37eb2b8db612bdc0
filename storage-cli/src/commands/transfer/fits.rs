//! What is in a local directory, and what of it can be stored.

use std::fs::File;
use std::path::{Path, PathBuf};

use kv_memory::{MemoryBackend, MemoryOptions};
use storage_core::kv::{KvBackend, Limits};
use storage_core::{ErrorKind, FilePath, Storage, StorageOptions};
use walkdir::{DirEntry, WalkDir};

use crate::failure::Failure;
use crate::local::too_large;
use crate::session::Tree;

/// What was found in a directory.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<LocalFile>,
    /// Why something cannot be stored.
    pub(super) problems: Vec<Failure>,
    /// What is no regular file.
    pub(super) skipped: Vec<Failure>,
}

/// A file to import.
#[derive(Debug)]
pub(super) struct LocalFile {
    pub(super) source: PathBuf,
    pub(super) path: FilePath,
}

pub(super) fn check_directory(dir: &Path) -> Result<(), Failure> {
    let name = dir.display().to_string();
    match dir.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(Failure::usage(format!("import {name:?}: not a directory; `kvfs put` stores a file"))),
        Err(error) => Err(Failure::usage(format!("import {name:?}: {error}; name a local directory"))),
    }
}

/// Looks at everything in the directory, without following symbolic links.
pub(super) async fn survey(dir: &Path, target: &FilePath, tree: &Tree) -> Found {
    let rehearsal = Rehearsal { limits: tree.backend().limits(), tree };
    let mut found = Found::default();
    for entry in WalkDir::new(dir).min_depth(1).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                found.problems.push(unusable(&error.to_string()));
                continue;
            }
        };
        if entry.file_type().is_dir() {
            continue;
        }
        if !entry.file_type().is_file() {
            let what = "skipped: a symbolic link or no regular file";
            found.skipped.push(Failure::usage(format!("import {:?}: {what}", name_of(&entry))));
            continue;
        }
        match rehearsal.file(dir, target, &entry).await {
            Ok(file) => found.files.push(file),
            Err(problem) => found.problems.push(problem),
        }
    }
    found
}

/// Finds out what the store will accept, without asking it.
struct Rehearsal<'a> {
    limits: Limits,
    tree: &'a Tree,
}

impl Rehearsal<'_> {
    async fn file(&self, dir: &Path, target: &FilePath, entry: &DirEntry) -> Result<LocalFile, Failure> {
        let name = name_of(entry);
        let about = |failure: Failure| failure.within(&format!("import {name:?}"));
        let path = path_of(dir, target, entry.path()).map_err(about)?;
        let opened = File::open(entry.path()).and_then(|file| file.metadata());
        let size = opened.map_err(|error| about(Failure::local("cannot read it", &error)))?.len();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > self.limits.max_value_bytes || !self.fits(&path, size).await {
            return Err(too_large(&format!("import {name:?}"), self.limits.max_value_bytes)
                .with_note(format!("it has {size}, and needs some more for its path and metadata")));
        }
        Ok(LocalFile { source: entry.path().to_owned(), path })
    }

    /// Whether a transaction has room for a file of this size with its keys and metadata. Near the limit that is found
    /// out by storing one like it in a store of our own that has the same limits.
    async fn fits(&self, path: &FilePath, size: usize) -> bool {
        // More than the keys and the metadata of any path take: 64 components of a path of 1,024 bytes.
        const ROOM: usize = 128 * 1024;
        if size.saturating_add(ROOM) <= self.limits.max_request_bytes {
            return true;
        }
        let memory = MemoryBackend::with_options(MemoryOptions::default().with_limits(self.limits));
        let options = StorageOptions::new().with_prefix(self.tree.prefix().clone());
        let Ok(like) = Storage::open(memory, options).await else { return false };
        like.store(path.as_str(), vec![0; size]).await.is_ok()
    }
}

/// The path in the tree of a file below the directory.
fn path_of(dir: &Path, target: &FilePath, file: &Path) -> Result<FilePath, Failure> {
    let below = file.strip_prefix(dir).expect("what is found in a directory lies below it");
    let mut path = target.to_string();
    for component in below.components() {
        let Some(component) = component.as_os_str().to_str() else {
            let message = "invalid path: its name is not UTF-8; rename it";
            return Err(Failure::of_kind(ErrorKind::InvalidPath, message));
        };
        path.push('/');
        path.push_str(component);
    }
    FilePath::parse(&path).map_err(|error| Failure::of_kind(error.kind(), format!("{error}; rename it")))
}

fn unusable(message: &str) -> Failure {
    Failure::of_kind(ErrorKind::Unavailable, format!("import: {message}"))
}

fn name_of(entry: &DirEntry) -> String {
    entry.path().display().to_string()
}
