//! What a migration says: a line for each thing that is wrong, and one for the whole.

use std::fmt::Write as _;

use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Format;
use crate::session::Session;

/// Something that was not copied, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) trouble: Trouble,
    pub(super) name: String,
    why: String,
}

/// What kind of problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    /// A name that kvfs refuses.
    Refused,
    /// The destination has a newer file.
    Newer,
    /// The destination has something else there.
    Conflict,
    /// It cannot be read.
    Damaged,
}

impl Problem {
    pub(super) fn new(trouble: Trouble, name: &str, why: impl Into<String>) -> Self {
        Self { trouble, name: name.to_owned(), why: why.into() }
    }

    fn failure(&self) -> Failure {
        let (exit, kind) = match self.trouble {
            Trouble::Refused => (Exit::Conflict, "refused"),
            Trouble::Newer => (Exit::Conflict, "newer"),
            Trouble::Conflict => (Exit::Conflict, "conflict"),
            Trouble::Damaged => (Exit::Damaged, "damaged"),
        };
        Failure::new(exit, kind, format!("migrate {:?}: {}", self.name, self.why))
    }
}

/// What has been done so far, and what the last comparison has shown.
#[derive(Debug)]
pub(super) struct Report {
    format: Format,
    pub(super) is_rehearsal: bool,
    pub(super) copied: u64,
    pub(super) bytes: u64,
    pub(super) unchanged: u64,
    pub(super) removed: u64,
    pub(super) skipped: u64,
    /// Of the last pass.
    pub(super) problems: Vec<Problem>,
    /// Only in the destination, and left there.
    pub(super) extra: u64,
    /// What differs although it was copied, or was not there before: it has changed meanwhile.
    pub(super) differing: u64,
    /// The revision of the source up to which everything is in the destination.
    pub(super) revision: u64,
    /// What to do next.
    pub(super) advice: Vec<String>,
}

#[derive(Serialize)]
struct SummaryJson {
    dry_run: bool,
    copied: u64,
    bytes: u64,
    unchanged: u64,
    removed: u64,
    skipped: u64,
    damaged: usize,
    refused: usize,
    newer: usize,
    conflicts: usize,
    extra: u64,
    differing: u64,
    identical: bool,
    revision: u64,
}

#[derive(Serialize)]
struct DoneJson<'a> {
    action: &'static str,
    path: &'a str,
    name: &'a str,
    size: u64,
}

impl Report {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            is_rehearsal: false,
            copied: 0,
            bytes: 0,
            unchanged: 0,
            removed: 0,
            skipped: 0,
            problems: Vec::new(),
            extra: 0,
            differing: 0,
            revision: 0,
            advice: Vec::new(),
        }
    }

    /// A file was copied, or would be.
    pub(super) fn copied(
        &mut self,
        name: &str,
        path: &str,
        size: u64,
        session: &mut Session,
    ) -> Result<(), Failure> {
        self.copied += 1;
        self.bytes += size;
        let (action, said) = if self.is_rehearsal { ("would copy", true) } else { ("copied", false) };
        match self.format {
            Format::Json => session.output.object(&DoneJson { action, path, name, size }),
            Format::Text if said => session.output.line(format!("would copy {path}, {size} bytes")),
            Format::Text => Ok(()),
        }
    }

    /// A file of the destination was removed, or would be.
    pub(super) fn removed(&mut self, path: &str, session: &mut Session) -> Result<(), Failure> {
        self.removed += 1;
        let action = if self.is_rehearsal { "would remove" } else { "removed" };
        match self.format {
            Format::Json => session.output.object(&DoneJson { action, path, name: path, size: 0 }),
            Format::Text if self.is_rehearsal => session.output.line(format!("would remove {path}")),
            Format::Text => Ok(()),
        }
    }

    pub(super) fn count(&self, trouble: Trouble) -> usize {
        self.problems.iter().filter(|problem| problem.trouble == trouble).count()
    }

    /// Whether the destination has everything that the source has, and nothing else.
    pub(super) fn is_identical(&self) -> bool {
        self.problems.is_empty() && self.extra == 0 && self.differing == 0 && self.skipped == 0
    }

    /// Says what was done and what is wrong; the code that the command ends with.
    pub(super) fn end(mut self, session: &mut Session) -> Result<Exit, Failure> {
        self.problems.sort_by(|one, other| one.name.cmp(&other.name));
        for problem in &self.problems {
            session.output.warn(&problem.failure());
        }
        match self.format {
            Format::Json => session.output.object(&SummaryJson {
                dry_run: self.is_rehearsal,
                copied: self.copied,
                bytes: self.bytes,
                unchanged: self.unchanged,
                removed: self.removed,
                skipped: self.skipped,
                damaged: self.count(Trouble::Damaged),
                refused: self.count(Trouble::Refused),
                newer: self.count(Trouble::Newer),
                conflicts: self.count(Trouble::Conflict),
                extra: self.extra,
                differing: self.differing,
                identical: self.is_identical(),
                revision: self.revision,
            })?,
            Format::Text => {
                session.output.summary(self.summary())?;
                for line in &self.advice {
                    session.output.summary(line)?;
                }
            }
        }
        let worst = self.problems.iter().map(|problem| problem.failure().exit()).max().unwrap_or(Exit::Ok);
        let exit = if !self.is_rehearsal && (self.extra > 0 || self.differing > 0) {
            worst.max(Exit::Conflict)
        } else {
            worst
        };
        if self.is_rehearsal || exit == Exit::Ok {
            return Ok(exit);
        }
        session.output.finish()?;
        Err(Failure::new(exit, "incomplete", format!("migrate: the trees are not the same: {}", self.left())))
    }

    fn summary(&self) -> String {
        let (copied, removed) =
            if self.is_rehearsal { ("would copy", "would remove") } else { ("copied", "removed") };
        let files = if self.copied == 1 { "file" } else { "files" };
        let mut line =
            format!("{copied} {} {files}, {} bytes, {} unchanged", self.copied, self.bytes, self.unchanged);
        for (count, what) in [(self.removed, removed), (self.skipped, "skipped")] {
            if count > 0 {
                write!(line, ", {what} {count}").expect("a string takes whatever is written");
            }
        }
        if !self.is_rehearsal && self.is_identical() {
            let revision = self.revision;
            write!(line, "; the trees are the same at revision {revision} of the source")
                .expect("a string takes whatever is written");
        }
        line
    }

    fn left(&self) -> String {
        let counted = [
            (self.count(Trouble::Damaged) as u64, "damaged in the source"),
            (self.count(Trouble::Refused) as u64, "with names that are refused, see --refused"),
            (self.count(Trouble::Newer) as u64, "newer in the destination"),
            (self.count(Trouble::Conflict) as u64, "in conflict"),
            (self.extra, "only in the destination, which --delete removes"),
            (self.differing, "changed meanwhile, so run it again"),
        ];
        let parts: Vec<_> = counted
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        parts.join(", ")
    }
}
