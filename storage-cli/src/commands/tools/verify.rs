//! `kvfs verify [PATH] [--repair]`
//!
//! What is wrong is printed as it is found. A signal ends it in order: a file that is being moved is moved to the end, if
//! the store answers within two seconds.

use std::pin::pin;
use std::time::Duration;

use indicatif::ProgressBar;
use serde::Serialize;
use storage_core::{ErrorKind, Problem, ProblemKind, Quarantined, VerifyItem, VerifyOptions};

use super::until_signal::{interrupted, next};
use crate::cli::Verify;
use crate::exit::Exit;
use crate::failure::{Failure, one_line};
use crate::output::{ErrorJson, Format, NOTABLE, Output, WRONG};
use crate::progress::counter;
use crate::session::{Session, Tree, any_path};
use crate::signals::{Received, Signals};

/// How long a move that is under way may take once the command is to end.
const GRACE: Duration = Duration::from_secs(2);

/// A problem as JSON. The names of its fields do not change.
#[derive(Serialize)]
struct ProblemJson<'a> {
    problem: &'static str,
    damage: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    key: String,
    message: String,
    /// Its name in the quarantine, if it was moved there.
    #[serde(skip_serializing_if = "Option::is_none")]
    quarantine: Option<String>,
    /// Why it was not moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorJson<'a>>,
}

/// What was done, as JSON. The names of its fields do not change.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Done {
    files: u64,
    bytes: u64,
    problems: u64,
    damaged: u64,
    moved: u64,
}

/// What has become of a problem.
enum Fate {
    Left,
    Moved(Quarantined),
    NotMoved(Failure),
}

pub(super) async fn run(args: Verify, session: &mut Session) -> Result<Exit, Failure> {
    any_path("verify", &args.path)?;
    let tree = session.open().await?;
    let mut signals = Signals::listen()?;
    let bar = counter(&session.output, "verified files");
    let mut done = Done::default();
    let ended = verify(&args, &tree, &mut signals, &bar, &mut done, &mut session.output).await;
    bar.finish_and_clear();
    let command = format!("verify {:?}", args.path);
    match ended {
        Ok(None) => {}
        Ok(Some(received)) => {
            session.output.finish()?;
            return Err(interrupted(&command, received, &done.in_words()));
        }
        Err(failure) => {
            session.output.finish()?;
            return Err(failure.with_note(done.in_words()));
        }
    }
    match session.output.format() {
        Format::Json => session.output.object(&done)?,
        Format::Text => session.output.summary(done.in_words())?,
    }
    if done.damaged == 0 {
        return Ok(Exit::Ok);
    }
    session.output.finish()?;
    let hint = match (args.repair, done.damaged - done.moved) {
        (false, _) => "`kvfs verify --repair` moves damaged files to the quarantine",
        (true, 0) => "all of it was moved, `kvfs quarantine` shows it",
        (true, _) => "what was not moved is left as it was",
    };
    let files = if done.damaged == 1 { "file is" } else { "files are" };
    Err(Failure::of_kind(
        ErrorKind::Corrupt,
        format!("{command}: {} {files} damaged, see above; {hint}", done.damaged),
    ))
}

/// Verifies until the end or a signal.
async fn verify(
    args: &Verify,
    tree: &Tree,
    signals: &mut Signals,
    bar: &ProgressBar,
    done: &mut Done,
    output: &mut Output,
) -> Result<Option<Received>, Failure> {
    let failed = |error| Failure::storage("verify", &args.path, &error);
    let mut items = tree.verify(&args.path, VerifyOptions::new());
    loop {
        let item = match next(signals, &mut items).await {
            Err(received) => return Ok(Some(received)),
            Ok(None) => return Ok(None),
            Ok(Some(item)) => item.map_err(failed)?,
        };
        let problem = match item {
            VerifyItem::Whole(metadata) => {
                done.files += 1;
                done.bytes += metadata.size;
                bar.inc(1);
                continue;
            }
            VerifyItem::Problem(problem) => problem,
            other => {
                let message = format!("verify: something that this kvfs does not know: {other:?}");
                return Err(Failure::of_kind(ErrorKind::Unsupported, message));
            }
        };
        let mut received = None;
        let fate = if args.repair && problem.kind.is_movable() {
            let (fate, signal) = repair(tree, &problem, signals).await?;
            received = signal;
            fate
        } else {
            Fate::Left
        };
        done.count(&problem, &fate);
        bar.suspend(|| print(&problem, fate, output))?;
        if received.is_some() {
            return Ok(received);
        }
    }
}

/// Moves a damaged file away. What is wrong with this file only is a fate; what would be wrong with any is an error.
async fn repair(
    tree: &Tree,
    problem: &Problem,
    signals: &mut Signals,
) -> Result<(Fate, Option<Received>), Failure> {
    let path = problem.path.as_ref().map_or("", |path| path.as_str());
    let mut moving = pin!(tree.quarantine(problem));
    let (moved, received) = tokio::select! {
        moved = &mut moving => (moved, None),
        received = signals.next() => match tokio::time::timeout(GRACE, &mut moving).await {
            Ok(moved) => (moved, Some(received)),
            Err(_) => {
                let message = format!(
                    "verify {path:?}: it was being moved to the quarantine, and is in exactly one of the two places; \
                     `kvfs quarantine` shows which"
                );
                return Ok((Fate::NotMoved(Failure::of_kind(ErrorKind::OutcomeUnknown, message)), Some(received)));
            }
        },
    };
    let fate = match moved {
        Ok(moved) => Fate::Moved(moved),
        Err(error) => {
            let failure = Failure::storage("verify", path, &error);
            match error.kind() {
                ErrorKind::Conflict | ErrorKind::TooLarge | ErrorKind::Unsupported => Fate::NotMoved(failure),
                _ => return Err(failure),
            }
        }
    };
    Ok((fate, received))
}

fn print(problem: &Problem, fate: Fate, output: &mut Output) -> Result<(), Failure> {
    if output.format() == Format::Json {
        let (quarantine, error) = match &fate {
            Fate::Left => (None, None),
            Fate::Moved(moved) => (Some(moved.id.to_string()), None),
            Fate::NotMoved(failure) => (None, ErrorJson::of(failure)),
        };
        output.object(&ProblemJson {
            problem: problem.kind.name(),
            damage: problem.kind.is_damage(),
            path: problem.path.as_ref().map(|path| path.as_str()),
            key: problem.key.as_bytes().escape_ascii().to_string(),
            message: problem.to_string(),
            quarantine,
            error,
        })?;
    } else {
        let (word, style, end) = match &fate {
            Fate::Moved(moved) => ("moved", NOTABLE, format!(", in the quarantine as {}", moved.id)),
            _ if problem.kind.is_damage() => ("damaged", WRONG, String::new()),
            _ => ("noted", NOTABLE, String::new()),
        };
        let word = output.paint(style, word);
        output.line(format!("{word} {}{end}", one_line(&problem.to_string())))?;
    }
    if let Fate::NotMoved(failure) = fate {
        output.warn(&failure);
    }
    // People are to see it at once, also where they redirect it.
    output.finish()
}

impl Done {
    fn count(&mut self, problem: &Problem, fate: &Fate) {
        self.problems += 1;
        if problem.kind.is_damage() {
            self.damaged += 1;
            // What is both file and directory was counted as a whole file.
            if problem.kind != ProblemKind::FileAndDirectory {
                self.files += 1;
            }
        }
        self.moved += u64::from(matches!(fate, Fate::Moved(_)));
    }

    fn in_words(&self) -> String {
        let Self { files, bytes, problems, damaged, moved } = self;
        let s = |count: u64| if count == 1 { "" } else { "s" };
        let moved = if *moved == 0 { String::new() } else { format!(", {moved} moved to the quarantine") };
        format!(
            "verified {files} file{}, {bytes} bytes: {problems} problem{}, {damaged} damaged{moved}",
            s(*files),
            s(*problems)
        )
    }
}
