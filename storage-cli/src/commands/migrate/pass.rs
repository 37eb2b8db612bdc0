//! One pass: survey, copy, verify, compare.

use std::collections::BTreeSet;
use std::time::SystemTime;

use bytes::Bytes;
use storage_core::{Error, ErrorKind, Replaces, Sha1Digest, StoreOptions, Survey};

use super::Ends;
use super::plan::{Copy, Origin, Plan};
use super::report::{Problem, Report, Trouble};
use crate::cli::Migrate;
use crate::commands::concurrent::for_each_while;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::session::{Session, Tree};

/// What became of a file that was to be copied.
enum Copied {
    Done {
        name: String,
        path: String,
        size: u64,
    },
    /// It is the same already.
    Same,
    /// It is gone from the source, or something has changed in the destination: the comparison will show it.
    Overtaken,
    Not(Problem),
}

/// Brings the destination up to date, and compares both trees.
pub(super) async fn pass(
    ends: Ends<'_>,
    args: &Migrate,
    report: &mut Report,
    interrupt: &Interrupt,
    session: &mut Session,
) -> Result<(), Failure> {
    let Ends { from, to } = ends;
    let (source, destination) = interrupt.unless("migrate", surveys(ends)).await?;
    let plan = Plan::new(&source, &destination, &args.refused);
    report.is_rehearsal = args.dry_run;
    (report.unchanged, report.skipped, report.extra) = (plan.unchanged, plan.skipped, 0);
    report.problems = plan.problems;
    report.revision = source.revision.0;
    if args.dry_run {
        for copy in &plan.copies {
            let size = if let Origin::File(file) = copy.origin { file.size } else { 0 };
            report.copied(copy.origin.name(), copy.to.as_str(), size, session)?;
        }
        for (path, _) in &plan.extra {
            if args.delete {
                report.removed(path.as_str(), session)?;
            } else {
                report.extra += 1;
            }
        }
        return Ok(());
    }

    // Files that stand where directories are needed, or the reverse, have to go before something is copied there.
    if args.delete {
        for (path, version) in &plan.extra {
            check(interrupt, report)?;
            let is_same = to.stat(path.as_str()).await.is_ok_and(|file| file.version == *version);
            if is_same {
                to.delete_file(path.as_str())
                    .await
                    .map_err(|error| Failure::storage("migrate", path.as_str(), &error))?;
                report.removed(path.as_str(), session)?;
            }
        }
    }
    let bar = Progress::new(&session.output, plan.copies.len(), "migrate");
    let mut outcomes = Vec::with_capacity(plan.copies.len());
    let copying = for_each_while(
        || !interrupt.has_come(),
        plan.copies,
        |copy| copied(from, to, copy),
        |outcome| {
            bar.step(if let Copied::Done { size, .. } = &outcome { *size } else { 0 });
            outcomes.push(outcome);
        },
    );
    let stopped = copying.await;
    bar.finish();
    for outcome in outcomes {
        match outcome {
            Copied::Done { name, path, size } => {
                report.copied(&name, &path, size, session)?;
            }
            Copied::Same => report.unchanged += 1,
            Copied::Overtaken => {}
            Copied::Not(problem) => report.problems.push(problem),
        }
    }
    stopped.map_err(|failure| failure.with_note("what was copied stays, running it again is safe"))?;
    check(interrupt, report)?;
    compare(ends, args, report, interrupt).await
}

/// The failure to say when a signal has come.
fn check(interrupt: &Interrupt, report: &Report) -> Result<(), Failure> {
    interrupt.check(|| {
        let (copied, removed) = (report.copied, report.removed);
        format!(
            "migrate: interrupted; {copied} files are copied and {removed} removed, running it again goes on"
        )
    })
}

/// Looks at both trees anew.
async fn compare(
    ends: Ends<'_>,
    args: &Migrate,
    report: &mut Report,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let Ends { from, to } = ends;
    let (source, destination) = surveys(ends).await?;
    check(interrupt, report)?;
    let plan = Plan::new(&source, &destination, &args.refused);
    let known: BTreeSet<&str> = report.problems.iter().map(|problem| problem.name.as_str()).collect();
    let mut differing =
        plan.problems.iter().filter(|problem| !known.contains(problem.name.as_str())).count() as u64;
    for copy in &plan.copies {
        let differs = match copy.origin {
            Origin::File(file) => !known.contains(file.path.as_str()),
            // Only its content tells.
            Origin::Finding(finding) => {
                !known.contains(finding.name.as_str())
                    && !matches!(copied(from, to, copy_of(copy)).await?, Copied::Same)
            }
        };
        differing += u64::from(differs);
    }
    report.differing = differing;
    // A copy of a file that has been damaged since is no file that only the destination has.
    report.extra = plan.extra.iter().filter(|(path, _)| !known.contains(path.as_str())).count() as u64;
    report.revision = source.revision.0;
    Ok(())
}

fn copy_of<'s>(copy: &Copy<'s>) -> Copy<'s> {
    Copy { origin: copy.origin, to: copy.to.clone(), over: copy.over }
}

async fn surveys(ends: Ends<'_>) -> Result<(Survey, Survey), Failure> {
    let failed = |error| Failure::storage_at_large("migrate", &error);
    Ok((ends.from.survey().await.map_err(failed)?, ends.to.survey().await.map_err(failed)?))
}

/// Copies a file if the destination is still as it was, and loads the copy back. A failure ends the migration; what is wrong
/// with this file alone does not.
async fn copied(from: &Tree, to: &Tree, copy: Copy<'_>) -> Result<Copied, Failure> {
    let (name, path) = (copy.origin.name(), copy.to.as_str());
    let problem = |trouble, error: &Error| {
        let text = Failure::storage("migrate", name, error);
        let Failure::Told { message, .. } = text else { unreachable!("a failure of the storage is told") };
        let why = message.split_once("\": ").map_or(message.as_str(), |(_, why)| why).to_owned();
        Ok(Copied::Not(Problem::new(trouble, name, why)))
    };
    let (content, modified) = match load(from, copy.origin).await {
        Ok(loaded) => loaded,
        Err(error) if error.is_damage() || error.kind() == ErrorKind::Unsupported => {
            return problem(Trouble::Damaged, &error);
        }
        Err(error) if error.is_not_found() => return Ok(Copied::Overtaken),
        Err(error) => return Err(Failure::storage("migrate", name, &error)),
    };
    let size = content.len() as u64;
    if let Some(over) = copy.over
        && (over.size, over.sha1, over.modified) == (size, Some(Sha1Digest::of(&content)), modified)
    {
        return Ok(Copied::Same);
    }
    let replaces = copy.over.map_or(Replaces::Nothing, |file| Replaces::Version(file.version));
    let options = StoreOptions::new().with_modified(modified).with_replaces(replaces);
    match to.store_with(path, content.clone(), options).await {
        Ok(_) => {}
        Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {
            return Ok(Copied::Overtaken);
        }
        Err(error) if error.is_conflict() => return problem(Trouble::Conflict, &error),
        Err(error) if matches!(error.kind(), ErrorKind::InvalidPath | ErrorKind::TooLarge) => {
            return problem(Trouble::Refused, &error);
        }
        Err(error) => return Err(Failure::storage("migrate", path, &error)),
    }
    match to.load_file(path).await {
        Ok(copy) if copy.content == content && copy.metadata.modified == modified => {
            Ok(Copied::Done { name: name.to_owned(), path: path.to_owned(), size })
        }
        Ok(_) => Ok(Copied::Overtaken),
        Err(error) if error.is_not_found() => Ok(Copied::Overtaken),
        Err(error) => Err(Failure::storage("migrate", path, &error)),
    }
}

async fn load(from: &Tree, origin: Origin<'_>) -> Result<(Bytes, SystemTime), Error> {
    match origin {
        Origin::File(file) => {
            from.load_file(file.path.as_str()).await.map(|file| (file.content, file.metadata.modified))
        }
        Origin::Finding(finding) => from.load_finding(finding).await,
    }
}
