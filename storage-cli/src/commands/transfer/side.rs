//! One end of a transfer.

use std::path::{Path, PathBuf};

use storage_core::FilePath;

use super::Verb;
use crate::choice::Choice;
use crate::failure::Failure;
use crate::location::{Location, TarFile};
use crate::session::{Session, Tree, any_path};
use crate::store_url::Store;

/// A location whose store is open.
#[derive(Clone)]
pub(super) enum Side {
    Tree(TreeSide),
    Local(PathBuf),
    Tar(TarFile),
}

/// A part of a tree in a store.
#[derive(Clone)]
pub(super) struct TreeSide {
    pub(super) tree: Tree,
    pub(super) root: FilePath,
    pub(super) store: Store,
}

impl Side {
    /// Finds out what is wrong with a location before any store is asked.
    pub(super) fn check(verb: Verb, location: &Location) -> Result<(), Failure> {
        match location {
            Location::Here(path) | Location::Store { path, .. } => any_path(verb.name(), path).map(drop),
            Location::Local(_) | Location::Tar(_) => Ok(()),
        }
    }

    /// Finds out what is wrong with a location that is to be read before any store is asked.
    pub(super) fn check_source(verb: Verb, location: &Location) -> Result<(), Failure> {
        Self::check(verb, location)?;
        let (Location::Local(path) | Location::Tar(TarFile::File(path))) = location else { return Ok(()) };
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() && matches!(location, Location::Tar(_)) => {
                let hint = "is a directory and not a tar; with a slash behind it, it is one to copy";
                Err(Failure::usage(format!("{}: {hint}", verb.about(&location.name()))))
            }
            Ok(_) => Ok(()),
            Err(error) => {
                let hint = "name a local directory, a tar file, or store:PATH for one in the store";
                Err(Failure::usage(format!("{}: {error}; {hint}", verb.about(&location.name()))))
            }
        }
    }

    pub(super) async fn open(verb: Verb, location: &Location, session: &Session) -> Result<Self, Failure> {
        let (place, path) = match location {
            Location::Here(path) => (session.place().await?, path),
            Location::Store { url, path } => {
                let place = session.place_of(Choice::Url(url.clone())).await?;
                (place.with_to_check("the URL"), path)
            }
            Location::Local(path) => return Ok(Self::Local(path.clone())),
            Location::Tar(file) => return Ok(Self::Tar(file.clone())),
        };
        let root = any_path(verb.name(), path)?;
        Ok(Self::Tree(TreeSide { tree: place.open().await?, root, store: place.store }))
    }
}

impl TreeSide {
    /// The path in the tree of what has this path below the root.
    pub(super) fn path(&self, below: &FilePath) -> Result<FilePath, storage_core::Error> {
        self.root.join(below.as_str())
    }
}

/// Refuses what is neither a directory nor a tar.
pub(crate) fn check_directory(dir: &Path) -> Result<(), Failure> {
    let name = dir.display().to_string();
    match dir.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => {
            let hint = "`kvfs put` stores a file, tar:FILE is a tar of another name than FILE.tar";
            Err(Failure::usage(format!("import {name:?}: not a directory; {hint}")))
        }
        Err(error) => Err(Failure::usage(format!("import {name:?}: {error}; name a local directory"))),
    }
}
