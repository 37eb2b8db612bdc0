//! A command to move a tree, from its arguments to its summary.

use std::io;
use std::path::Path;

use storage_core::{ErrorKind, FilePath};
use tokio::time::Instant;

use super::copy::{Job, Tally};
use super::pack::pack;
use super::report::{Summary, report};
use super::side::Side;
use super::source::Source;
use super::target::Target;
use super::{Hidden, Shape, Survey, Verb, fits, overlap};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::local::Existing;
use crate::location::{Location, TarFile};
use crate::output::Output;
use crate::session::Session;

/// What is to be moved, and how.
pub(in super::super) struct Order {
    pub(in super::super) verb: Verb,
    pub(in super::super) source: Location,
    pub(in super::super) target: Location,
    pub(in super::super) hidden: Hidden,
    pub(in super::super) existing: Existing,
    pub(in super::super) extras: Extras,
    pub(in super::super) mode: Mode,
}

/// What becomes of what the target has and the source has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Extras {
    Keep,
    Delete,
}

/// Whether anything is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Mode {
    Real,
    Dry,
}

impl Order {
    pub(in super::super) async fn run(self, session: &mut Session) -> Result<Exit, Failure> {
        self.check()?;
        Interrupt::over(self.about(), async |interrupt| self.carry_out(session, &interrupt).await).await
    }

    /// Finds out what is wrong with the order itself, before any store is asked.
    fn check(&self) -> Result<(), Failure> {
        Side::check(self.verb, &self.target)?;
        Side::check_source(self.verb, &self.source)?;
        let standard = Location::Tar(TarFile::Standard);
        if self.source == standard && self.target == standard {
            let why = "nothing to do: a tar from standard input would only be written to standard output";
            return Err(Failure::usage(format!("{}: {why}", self.about())));
        }
        Ok(())
    }

    /// The beginning of a message on the whole.
    pub(super) fn about(&self) -> String {
        match &self.source {
            Location::Here(path) if self.verb == Verb::Export => self.verb.about(path),
            source => self.verb.about(&source.name()),
        }
    }

    async fn carry_out(&self, session: &mut Session, interrupt: &Interrupt) -> Result<Exit, Failure> {
        let started = Instant::now();
        let about = self.about();
        let from = interrupt.unless(&about, Side::open(self.verb, &self.source, session)).await?;
        let to = interrupt.unless(&about, Side::open(self.verb, &self.target, session)).await?;
        let (overlapping, surveying) =
            (from.clone(), Source::survey(self.verb, from, self.hidden, interrupt));
        let (source, survey) = interrupt.unless(&about, surveying).await?;
        let (to, name) = interrupt.unless(&about, self.settle(to, &survey)).await?;
        if let Some(why) = overlap::of(&overlapping, &to, survey.shape, name.as_ref(), self.extras) {
            return Err(Failure::usage(format!("{about}: {why}; nothing was changed")));
        }
        self.accept(&to, &source, &survey, name.as_ref(), &session.output).await?;

        let job = Job::new(self, &source, &survey, name, interrupt, &session.output);
        let result = match to {
            Side::Tar(file) => pack(&job, &file).await,
            to => match Target::open(self, to, &job, &about).await {
                Ok(target) => job.fill(&target).await,
                Err(failure) => Err((Tally::default(), failure)),
            },
        };
        job.bar.finish();
        let (mut tally, failure) = match result {
            Ok(tally) => (tally, None),
            Err((tally, failure)) => (tally, Some(failure)),
        };
        tally.problems.extend(survey.damaged.iter().map(|(_, damage)| damage.clone()));
        for problem in &tally.problems {
            session.output.warn(problem);
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        if self.target == Location::Tar(TarFile::Standard) {
            // Standard output is the tar.
            session.output = Output::new(session.output.format(), io::stderr());
        }
        let summary = Summary { order: self, skipped: survey.skipped.len(), elapsed: started.elapsed() };
        report(&summary, &source, &mut tally, &mut session.output)?;
        self.outcome(&tally, survey.items.len() + survey.damaged.len(), session)
    }

    /// The target for what was found: a file goes into a directory, or takes the name that it is given.
    async fn settle(&self, to: Side, survey: &Survey) -> Result<(Side, Option<FilePath>), Failure> {
        if survey.shape == Shape::Tree {
            return Ok((to, None));
        }
        let about = self.about();
        if self.verb == Verb::Sync {
            return Err(Failure::usage(format!("{about}: is a file; `kvfs cp` copies it")));
        }
        let goes_into =
            matches!(self.verb, Verb::Export | Verb::Import) || self.target.is_written_as_directory();
        match to {
            _ if goes_into => Ok((to, None)),
            Side::Tar(_) => Ok((to, None)),
            Side::Local(path) if path.is_dir() => Ok((Side::Local(path), None)),
            Side::Local(path) => {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                let name = name.and_then(|name| FilePath::parse(&name).ok());
                let name = name.ok_or_else(|| {
                    Failure::usage(format!("{about}: {:?} is no name for a file", self.target.name()))
                })?;
                let parent = path.parent().filter(|parent| *parent != Path::new(""));
                Ok((Side::Local(parent.unwrap_or(Path::new(".")).to_owned()), Some(name)))
            }
            Side::Tree(mut side) => match side.tree.stat(side.root.as_str()).await {
                Ok(found) if found.is_dir() => Ok((Side::Tree(side), None)),
                Err(error) if !error.is_not_found() && !error.is_damage() => {
                    Err(Failure::storage(self.verb.name(), side.root.as_str(), &error))
                }
                _ => {
                    let name = FilePath::parse(side.root.name()).expect("a component of a path is a path");
                    side.root = side.root.parent().unwrap_or_else(FilePath::root);
                    Ok((Side::Tree(side), Some(name)))
                }
            },
        }
    }

    /// Tells what is left out and what is wrong. If anything is wrong nothing is begun.
    async fn accept(
        &self,
        to: &Side,
        source: &Source,
        survey: &Survey,
        name: Option<&FilePath>,
        output: &Output,
    ) -> Result<(), Failure> {
        for skipped in &survey.skipped {
            output.warn(skipped);
        }
        for problem in &survey.problems {
            output.warn(problem);
        }
        let mut problems = survey.problems.len();
        if let Side::Tree(side) = to {
            for item in &survey.items {
                let about = self.verb.about(&source.name_of(&item.path));
                let fits = match side.path(name.unwrap_or(&item.path)) {
                    Ok(path) => fits::check(&side.tree, &path, item.size, &about).await,
                    Err(error) => Err(Failure::of_kind(error.kind(), format!("{about}: {error}"))),
                };
                if let Err(problem) = fits {
                    output.warn(&problem);
                    problems += 1;
                }
            }
        } else {
            let too_large = survey.items.iter().filter(|item| item.size > super::budget::MOST as u64);
            for item in too_large {
                let about = self.verb.about(&source.name_of(&item.path));
                let most = super::budget::MOST;
                let message =
                    format!("{about}: too large: it has {} bytes, kvfs moves up to {most}", item.size);
                output.warn(&Failure::of_kind(ErrorKind::TooLarge, message));
                problems += 1;
            }
        }
        if problems == 0 {
            return Ok(());
        }
        let done = self.verb.done();
        let sum = format!("{problems} of what is in it cannot be {done}, see above; nothing was {done}");
        Err(Failure::usage(format!("{}: {sum}", self.about())))
    }

    fn outcome(&self, tally: &Tally, wanted: usize, session: &mut Session) -> Result<Exit, Failure> {
        match tally.problems.iter().max_by_key(|problem| problem.exit()) {
            None => Ok(Exit::Ok),
            Some(worst) => {
                session.output.finish()?;
                let (missing, done) = (tally.problems.len(), self.verb.done());
                let mut sum = format!("{missing} of {wanted} files were not {done}, see above");
                if self.extras == Extras::Delete {
                    sum.push_str("; nothing was deleted");
                }
                Err(worst.retold(format!("{}: {sum}", self.about())))
            }
        }
    }
}
