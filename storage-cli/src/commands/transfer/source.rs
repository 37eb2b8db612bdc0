//! Where files come from.

use std::path::Path;
use std::sync::Arc;

use storage_core::{ErrorKind, FilePath, Sha1Digest};

use super::archive::Archive;
use super::left_out::LeftOut;
use super::side::{Side, TreeSide};
use super::{Hidden, Item, Loaded, OfOneFile, Survey, Verb, directory, tree};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::local::blocking;

/// Where files come from.
#[derive(Clone)]
pub(super) enum Source {
    Tree(TreeSide),
    Directory(Arc<Path>),
    Archive(Archive),
}

impl Source {
    /// Looks at everything that there is. Nothing is changed, so it may be given up.
    pub(super) async fn survey(
        verb: Verb,
        side: Side,
        hidden: Hidden,
        interrupt: &Interrupt,
    ) -> Result<(Self, Survey), Failure> {
        let interrupt = interrupt.clone();
        match side {
            Side::Tree(mut side) => {
                let survey = tree::survey(verb, &mut side).await?;
                Ok((Self::Tree(side), survey))
            }
            Side::Local(path) => {
                let surveyed = blocking(move || {
                    if path.is_dir() {
                        let survey = directory::survey(verb, &path, hidden, &interrupt)?;
                        return Ok((path, survey));
                    }
                    directory::file(verb, &path)
                });
                let (root, survey) = surveyed.await?;
                Ok((Self::Directory(root.into()), survey))
            }
            Side::Tar(file) => {
                blocking(move || {
                    let archive = Archive::open(verb, &file)?;
                    let survey = archive.survey(verb, &interrupt)?;
                    Ok((Self::Archive(archive), survey))
                })
                .await
            }
        }
    }

    /// What a file is called in messages.
    pub(super) fn name_of(&self, path: &FilePath) -> String {
        match self {
            Self::Tree(side) => side.path(path).map_or_else(|_| path.to_string(), |path| path.to_string()),
            Self::Directory(root) => directory::shown(&directory::local(root, path)),
            Self::Archive(archive) => format!("{}: {path}", archive.name()),
        }
    }

    /// Loads a file. What is wrong with this file only is the inner result.
    pub(super) async fn load(&self, verb: Verb, item: &Item, limit: usize) -> OfOneFile<Loaded> {
        match self {
            Self::Tree(side) => load_stored(verb, side, &item.path).await,
            Self::Directory(root) => {
                let (root, path) = (Arc::clone(root), item.path.clone());
                blocking(move || directory::load(verb, &root, &path, limit)).await.map(Ok)
            }
            Self::Archive(archive) => {
                let (archive, item) = (archive.clone(), item.clone());
                blocking(move || archive.load(verb, &item)).await.map(Ok)
            }
        }
    }

    /// The SHA-1 of a file: what its record says, or else that of its content.
    pub(super) async fn sha1(&self, verb: Verb, item: &Item, limit: usize) -> OfOneFile<Sha1Digest> {
        match item.sha1 {
            Some(sha1) => Ok(Ok(sha1)),
            None => Ok(self.load(verb, item, limit).await?.map(|loaded| loaded.sha1)),
        }
    }

    /// The file of this path if it is one that a survey leaves out.
    pub(super) async fn find_left_out(&self, path: &FilePath, hidden: Hidden) -> Option<Item> {
        let Self::Directory(root) = self else { return None };
        let (root, path) = (Arc::clone(root), path.clone());
        let found = move || {
            let is_left_out = LeftOut::of(&root).reason(path.as_str()).is_some();
            is_left_out.then(|| directory::find(&root, &path)).flatten()
        };
        if hidden == Hidden::LeftOut { blocking(found).await } else { None }
    }
}

async fn load_stored(verb: Verb, side: &TreeSide, path: &FilePath) -> OfOneFile<Loaded> {
    let path = side.path(path).map_err(|error| Failure::storage(verb.name(), path.as_str(), &error))?;
    match side.tree.load_file(path.as_str()).await {
        Ok(file) => {
            let sha1 = file.metadata.sha1.unwrap_or_else(|| Sha1Digest::of(&file.content));
            let (modified, version) = (Some(file.metadata.modified), Some(file.metadata.version));
            Ok(Ok(Loaded { content: file.content, sha1, modified, version }))
        }
        Err(error) if error.is_not_found() => {
            let why = format!("removed by somebody else during the {}; run it again", verb.name());
            let message = format!("{}: {why}", verb.about(path.as_str()));
            Ok(Err(Failure::of_kind(ErrorKind::Conflict, message)))
        }
        Err(error) => {
            let failure = Failure::storage(verb.name(), path.as_str(), &error);
            let of_this_file =
                error.is_damage() || error.is_conflict() || error.kind() == ErrorKind::Unsupported;
            if of_this_file { Ok(Err(failure)) } else { Err(failure) }
        }
    }
}
