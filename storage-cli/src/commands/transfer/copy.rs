//! The work itself: file by file, a few at once.

use std::cell::RefCell;

use storage_core::{ErrorKind, FilePath, Sha1Digest, Version};

use super::budget::{Budget, largest};
use super::order::{Extras, Mode, Order};
use super::source::Source;
use super::target::{Standing, Target};
use super::{Item, Loaded, OfOneFile, Survey, find, is_in_the_way};
use crate::commands::concurrent::for_each_while;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::local::Existing;
use crate::output::Output;
use crate::progress::Progress;

/// An order under way.
pub(super) struct Job<'a> {
    pub(super) order: &'a Order,
    pub(super) source: &'a Source,
    pub(super) survey: &'a Survey,
    /// The name that the one file gets, if not its own.
    name: Option<FilePath>,
    pub(super) interrupt: &'a Interrupt,
    pub(super) budget: Budget,
    pub(super) bar: Progress,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Copied,
    Replaced,
    Unchanged,
    Deleted,
}

/// A file that the target now has as the source has it, or not any more.
#[derive(Debug)]
pub(super) struct Done {
    /// Its path below the root of the target.
    pub(super) path: FilePath,
    pub(super) action: Action,
    pub(super) size: u64,
    pub(super) sha1: Sha1Digest,
    pub(super) modified: Option<std::time::SystemTime>,
    pub(super) version: Option<Version>,
}

/// What was done, and what could not be done.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) done: Vec<Done>,
    pub(super) deleted: Vec<FilePath>,
    pub(super) problems: Vec<Failure>,
}

/// What was done until then, and why it ended.
pub(super) type Ended = (Tally, Failure);

impl<'a> Job<'a> {
    pub(super) fn new(
        order: &'a Order,
        source: &'a Source,
        survey: &'a Survey,
        name: Option<FilePath>,
        interrupt: &'a Interrupt,
        output: &Output,
    ) -> Self {
        let bar = Progress::new(output, survey.items.len(), order.verb.name());
        Self { order, source, survey, name, interrupt, budget: Budget::new(), bar }
    }

    /// The path of an item below the root of the target.
    pub(super) fn to<'i>(&'i self, item: &'i Item) -> &'i FilePath {
        self.name.as_ref().unwrap_or(&item.path)
    }

    /// Brings everything to the target. What is only there goes last, when all else has been done.
    pub(super) async fn fill(&self, target: &Target) -> Result<Tally, Ended> {
        let mut tally = Tally::default();
        match self.fill_into(target, &mut tally).await {
            Ok(()) => Ok(tally),
            Err(failure) => {
                let failure = self.with_count(failure, &tally);
                Err((tally, failure))
            }
        }
    }

    async fn fill_into(&self, target: &Target, tally: &mut Tally) -> Result<(), Failure> {
        let items = &self.survey.items;
        if self.order.extras == Extras::Keep {
            self.copy(target, items, None, tally).await?;
        } else {
            let extras = target.there().iter().filter(|there| find(items, &there.path).is_none());
            let extras: Vec<Item> = extras.cloned().collect();
            let (blocked, free): (Vec<_>, Vec<_>) =
                items.iter().partition(|item| is_in_the_way(&extras, &item.path));
            self.copy(target, free, None, tally).await?;
            // What could not be read may be what the extras have instead.
            if tally.problems.is_empty() && self.survey.damaged.is_empty() {
                self.delete(target, &extras, tally).await?;
                let freed = if self.order.mode == Mode::Dry { Some(Standing::Absent) } else { None };
                self.copy(target, blocked, freed, tally).await?;
            }
        }
        if self.order.mode == Mode::Real {
            self.verify(target, tally).await?;
        }
        Ok(())
    }

    async fn copy<'i>(
        &self,
        target: &Target,
        items: impl IntoIterator<Item = &'i Item>,
        known: Option<Standing>,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let items = items.into_iter();
        tally.done.reserve_exact(items.size_hint().0);
        let goes_on = || !self.interrupt.has_come();
        let copying = for_each_while(
            goes_on,
            items,
            |item| self.copy_one(target, item, known),
            |outcome| match outcome {
                Ok(done) => {
                    self.bar.step(done.size);
                    tally.done.push(done);
                }
                Err(problem) => tally.problems.push(problem),
            },
        );
        copying.await?;
        self.interrupt.check(|| format!("{}: interrupted", self.order.about()))
    }

    async fn copy_one(&self, target: &Target, item: &Item, standing: Option<Standing>) -> OfOneFile<Done> {
        let (verb, path) = (self.order.verb, self.to(item));
        let _room = self.budget.room_for(item.size).await;
        let (known, sha1, size) = match item.sha1 {
            Some(sha1) => (None, sha1, item.size),
            None => match self.load(item).await? {
                Ok(loaded) => (Some(loaded.clone()), loaded.sha1, loaded.content.len() as u64),
                Err(problem) => return Ok(Err(problem)),
            },
        };
        let standing = match standing {
            Some(standing) => Ok(standing),
            None => target.look(verb, path, size, sha1).await?,
        };
        let action = match standing {
            Ok(Standing::Same) => Action::Unchanged,
            Ok(Standing::Absent) => Action::Copied,
            Ok(Standing::Other) => Action::Replaced,
            Err(problem) => return Ok(Err(problem)),
        };
        if action == Action::Replaced && self.order.existing == Existing::Keep && target.is_store() {
            let message = format!("{}: has another content; --force replaces it", verb.about(path.as_str()));
            return Ok(Err(Failure::of_kind(ErrorKind::AlreadyExists, message)));
        }
        let (modified, version) = (item.modified, item.version);
        if action == Action::Unchanged || self.order.mode == Mode::Dry {
            return Ok(Ok(Done { path: path.clone(), action, size, sha1, modified, version }));
        }
        let file = match known {
            Some(loaded) => loaded,
            None => match self.load(item).await? {
                Ok(loaded) => loaded,
                Err(problem) => return Ok(Err(problem)),
            },
        };
        if let Err(problem) = target.put(verb, path, &file, self.order.existing).await? {
            return Ok(Err(problem));
        }
        Ok(Ok(Done::of(path, action, &file)))
    }

    pub(super) async fn load(&self, item: &Item) -> OfOneFile<Loaded> {
        self.source.load(self.order.verb, item, largest(None)).await
    }

    async fn delete(&self, target: &Target, extras: &[Item], tally: &mut Tally) -> Result<(), Failure> {
        let (verb, mode) = (self.order.verb, self.order.mode);
        let deleted = RefCell::new(Vec::new());
        let deleting = for_each_while(
            || !self.interrupt.has_come(),
            extras,
            async |extra: &Item| {
                if mode == Mode::Real {
                    target.delete(verb, &extra.path).await?;
                }
                Ok(extra.path.clone())
            },
            |path| deleted.borrow_mut().push(path),
        );
        let result = deleting.await;
        tally.deleted = deleted.into_inner();
        result?;
        self.interrupt.check(|| format!("{}: interrupted", self.order.about()))
    }

    async fn verify(&self, target: &Target, tally: &Tally) -> Result<(), Failure> {
        let written = tally.done.iter().filter(|done| done.action != Action::Unchanged);
        self.bar.begin_verifying();
        let goes_on = || !self.interrupt.has_come();
        let verify = |done| async move { target.verify(self.order.verb, done).await.map(|()| done.size) };
        for_each_while(goes_on, written, verify, |size| self.bar.step(size)).await?;
        self.interrupt.check(|| format!("{}: interrupted before all was read back", self.order.about()))
    }

    /// The failure, with how far it came.
    fn with_count(&self, failure: Failure, tally: &Tally) -> Failure {
        if self.order.mode == Mode::Dry {
            return failure.with_note("nothing was changed");
        }
        let (done, wanted, verb) = (tally.done.len(), self.survey.items.len(), self.order.verb.done());
        let deleted = match tally.deleted.len() {
            0 => String::new(),
            deleted => format!(" and {deleted} deleted"),
        };
        let count = format!("{done} of {wanted} files are {verb}{deleted}");
        failure.with_note(format!("{count}, running it again is safe and goes on"))
    }
}

impl Done {
    pub(super) fn of(path: &FilePath, action: Action, file: &Loaded) -> Self {
        let (modified, version) = (file.modified, file.version);
        let (size, sha1) = (file.content.len() as u64, file.sha1);
        Self { path: path.clone(), action, size, sha1, modified, version }
    }
}
