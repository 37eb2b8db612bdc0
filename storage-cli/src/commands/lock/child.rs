//! The command that is run while the lock is held.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::{Child, Command};

use super::Guard;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::{self, Signals};

/// How a command ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// By itself, or by somebody else.
    Ended(ExitStatus),
    /// It was stopped because the lock was lost: in this way.
    Stopped(String),
}

/// How long a command has for ending when the lock is lost.
const GRACE: Duration = Duration::from_secs(10);

/// The command with its arguments, and with what it is told of the lock.
pub(super) fn command(words: &[OsString], guard: &Guard) -> Command {
    let (program, arguments) = words.split_first().expect("the command line requires a command");
    let mut command = Command::new(program);
    command.args(arguments);
    command.env("KVFS_LOCK_NAME", guard.name()).env("KVFS_LOCK_TOKEN", guard.token().to_string());
    command
}

/// Runs a command with the standard streams of this process, until it ends or the lock is lost.
pub(super) async fn run(
    mut command: Command,
    guard: &Guard,
    signals: &mut Signals,
    output: &Output,
) -> Result<Outcome, Failure> {
    // It must not go on without the lock, should this process fail.
    let started = command.kill_on_drop(true).spawn();
    let mut child = started.map_err(|error| not_started(command.as_std().get_program(), &error))?;
    tokio::select! {
        ended = wait(&mut child, signals, output) => Ok(Outcome::Ended(ended?)),
        () = guard.lost() => stop(&mut child, signals, output).await.map(Outcome::Stopped),
    }
}

/// Waits for the end, and hands on the signals that this process is sent until then.
async fn wait(child: &mut Child, signals: &mut Signals, output: &Output) -> Result<ExitStatus, Failure> {
    loop {
        let signal = tokio::select! {
            ended = child.wait() => {
                return ended.map_err(|error| Failure::local("cannot tell how the command ended", &error));
            }
            signal = signals.next() => signal,
        };
        if let Err(error) = signals.hand_on(signal, child) {
            output.warn(&Failure::local("cannot hand a signal on to the command", &error));
        }
    }
}

/// Ends the command: how that went.
async fn stop(child: &mut Child, signals: &mut Signals, output: &Output) -> Result<String, Failure> {
    let goes_on = |error: io::Error| format!("the command could not be ended and goes on ({error})");
    if let Err(error) = signals::end(child) {
        return Ok(goes_on(error));
    }
    if let Ok(ended) = tokio::time::timeout(GRACE, wait(child, signals, output)).await {
        return Ok(format!("the command was sent SIGTERM and has ended ({})", ended?));
    }
    if let Err(error) = child.start_kill() {
        return Ok(goes_on(error));
    }
    wait(child, signals, output).await?;
    Ok(format!("the command did not end within {} s of SIGTERM and was killed", GRACE.as_secs()))
}

/// What a command's end makes this process end with.
pub(super) fn exit(status: ExitStatus) -> Exit {
    match status.code() {
        // More than a byte only where there is no Unix.
        Some(code) => Exit::Passed(u8::try_from(code).unwrap_or(u8::MAX)),
        None => Exit::of_signal(signal(status)),
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> i32 {
    std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(i32::MAX)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> i32 {
    i32::MAX
}

/// What shells say of a command that cannot be run.
fn not_started(program: &OsStr, error: &io::Error) -> Failure {
    let (code, kind) = match error.kind() {
        io::ErrorKind::NotFound => (127, "command_not_found"),
        _ => (126, "command_not_started"),
    };
    let message = format!("cannot run {:?}: {error}", program.display().to_string());
    Failure::new(Exit::Passed(code), kind, message)
}
