//! Where files go, other than into a tar.

use std::path::Path;
use std::sync::Arc;

use storage_core::{ErrorKind, FilePath, Sha1Digest, StoreOptions};

use super::copy::{Done, Job};
use super::order::{Extras, Mode, Order};
use super::place::{self, Spot};
use super::side::{Side, TreeSide};
use super::{Item, Loaded, OfOneFile, Shape, Verb, directory, find, tree};
use crate::failure::Failure;
use crate::local::{Existing, blocking, create_directory};

/// Where files go.
pub(super) enum Target {
    Tree { side: TreeSide, there: Vec<Item> },
    Directory { root: Arc<Path>, there: Vec<Item> },
}

/// How a target stands to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Absent,
    /// It has the same content.
    Same,
    /// It has another content.
    Other,
}

impl Target {
    /// Finds out what is there as far as that is needed, and makes the directory.
    pub(super) async fn open(order: &Order, side: Side, job: &Job<'_>, about: &str) -> Result<Self, Failure> {
        let harmless = async {
            match side {
                Side::Tree(side) => {
                    let there = there(order.verb, &side, job).await?;
                    Ok(Self::Tree { side, there })
                }
                Side::Local(path) => Self::directory(order, path.into(), job, about).await,
                Side::Tar(_) => unreachable!("a tar is written as a whole"),
            }
        };
        job.interrupt.unless(about, harmless).await
    }

    async fn directory(order: &Order, root: Arc<Path>, job: &Job<'_>, about: &str) -> Result<Self, Failure> {
        if root.exists() && !root.is_dir() {
            let name = root.display().to_string();
            return Err(Failure::usage(format!("{about}: {name:?} is not a directory; name one")));
        }
        if order.mode == Mode::Real {
            create_directory(&root).map_err(|error| {
                Failure::local(format!("{about}: cannot make {}", root.display()), &error)
            })?;
        }
        let mut there = Vec::new();
        if order.extras == Extras::Delete && root.is_dir() {
            let (verb, hidden) = (order.verb, order.hidden);
            let (dir, interrupt) = (Arc::clone(&root), job.interrupt.clone());
            let survey = blocking(move || directory::survey(verb, &dir, hidden, &interrupt)).await?;
            there = survey.items;
        }
        Ok(Self::Directory { root, there })
    }

    /// Whether nothing but the order keeps it from replacing what it has.
    pub(super) fn is_store(&self) -> bool {
        matches!(self, Self::Tree { .. })
    }

    /// What is there, as far as it was looked for.
    pub(super) fn there(&self) -> &[Item] {
        let (Self::Tree { there, .. } | Self::Directory { there, .. }) = self;
        there
    }

    /// Whether there is a file of this path already, with this content or another. What is said to be the same was read.
    pub(super) async fn look(
        &self,
        verb: Verb,
        path: &FilePath,
        size: u64,
        sha1: Sha1Digest,
    ) -> OfOneFile<Standing> {
        match self {
            Self::Tree { side, there } => match find(there, path) {
                None => Ok(Ok(Standing::Absent)),
                Some(item) if item.size != size || item.sha1 != Some(sha1) => Ok(Ok(Standing::Other)),
                Some(_) => {
                    let is_same = match side.tree.load(full(side, path, verb)?.as_str()).await {
                        Ok(content) => Sha1Digest::of(&content) == sha1,
                        Err(error) if error.is_damage() || error.is_not_found() => false,
                        Err(error) => return Err(Failure::storage(verb.name(), path.as_str(), &error)),
                    };
                    Ok(Ok(if is_same { Standing::Same } else { Standing::Other }))
                }
            },
            Self::Directory { root, .. } => {
                let (root, path) = (Arc::clone(root), path.clone());
                blocking(move || {
                    let about = verb.about(path.as_str());
                    Ok(match place::spot(&root, &path, &about)? {
                        Err(problem) => Err(problem),
                        Ok(Spot::Free(_)) => Ok(Standing::Absent),
                        Ok(Spot::Taken(target)) if place::holds(&target, size, sha1, &about)? => {
                            Ok(Standing::Same)
                        }
                        Ok(Spot::Taken(_)) => Ok(Standing::Other),
                    })
                })
                .await
            }
        }
    }

    /// Writes a file. What is wrong with this file only is the inner result.
    pub(super) async fn put(
        &self,
        verb: Verb,
        path: &FilePath,
        file: &Loaded,
        existing: Existing,
    ) -> OfOneFile<()> {
        match self {
            Self::Tree { side, .. } => {
                let path = full(side, path, verb)?;
                let options = StoreOptions::new();
                let options = file.modified.map_or(options.clone(), |time| options.with_modified(time));
                let stored = side.tree.store_with(path.as_str(), file.content.clone(), options).await;
                stored.map_err(|error| Failure::storage(verb.name(), path.as_str(), &error))?;
                Ok(Ok(()))
            }
            Self::Directory { root, .. } => {
                let (root, path, file) = (Arc::clone(root), path.clone(), file.clone());
                blocking(move || {
                    let about = verb.about(path.as_str());
                    match place::spot(&root, &path, &about)? {
                        Ok(spot) => place::write(&spot, &file, existing, &about),
                        Err(problem) => Ok(Err(problem)),
                    }
                })
                .await
            }
        }
    }

    /// Reads back what was written: what counts is what is in the store, not what was sent there. What was written to a
    /// directory has been read back already.
    pub(super) async fn verify(&self, verb: Verb, done: &Done) -> Result<(), Failure> {
        let Self::Tree { side, .. } = self else { return Ok(()) };
        let path = full(side, &done.path, verb)?;
        let loaded = side.tree.load(path.as_str()).await;
        let content = loaded.map_err(|error| Failure::storage(verb.name(), path.as_str(), &error))?;
        if content.len() as u64 == done.size && Sha1Digest::of(&content) == done.sha1 {
            return Ok(());
        }
        let why = format!("the store holds another content than was {}", verb.done());
        let message = format!("{}: {why}, so somebody else has written it", verb.about(path.as_str()));
        Err(Failure::of_kind(ErrorKind::Conflict, message))
    }

    pub(super) async fn delete(&self, verb: Verb, path: &FilePath) -> Result<(), Failure> {
        match self {
            Self::Tree { side, .. } => {
                let path = full(side, path, verb)?;
                let deleted = side.tree.delete_file(path.as_str()).await;
                deleted.map(drop).map_err(|error| Failure::storage(verb.name(), path.as_str(), &error))
            }
            Self::Directory { root, .. } => {
                let (root, path) = (Arc::clone(root), path.clone());
                blocking(move || place::remove(&root, &path, &verb.about(path.as_str()))).await
            }
        }
    }
}

/// The files in a tree, those with damaged records too: their content is another than any.
async fn there(verb: Verb, side: &TreeSide, job: &Job<'_>) -> Result<Vec<Item>, Failure> {
    if let (Shape::File, [item]) = (job.survey.shape, job.survey.items.as_slice()) {
        let name = job.to(item);
        let path = full(side, name, verb)?;
        return match side.tree.stat(path.as_str()).await {
            Ok(found) if found.is_dir() => Ok(Vec::new()),
            Ok(found) => Ok(vec![Item { sha1: found.sha1, ..Item::new(name.clone(), found.size) }]),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) if error.is_damage() => Ok(vec![Item::new(name.clone(), 0)]),
            Err(error) => Err(Failure::storage(verb.name(), path.as_str(), &error)),
        };
    }
    let survey = tree::survey_if_any(verb, side).await?;
    let mut there = survey.items;
    there.extend(survey.damaged.into_iter().map(|(path, _)| Item::new(path, 0)));
    there.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(there)
}

fn full(side: &TreeSide, path: &FilePath, verb: Verb) -> Result<FilePath, Failure> {
    side.path(path).map_err(|error| Failure::storage(verb.name(), path.as_str(), &error))
}
