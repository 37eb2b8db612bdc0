//! `kvfs locks [list]` and `kvfs locks break NAME`

use std::time::SystemTime;

use serde::Serialize;
use storage_core::{ErrorKind, LockEntry};

use crate::cli::{Break, Locks, LocksCommand};
use crate::exit::Exit;
use crate::failure::{BREAK, Failure, one_line};
use crate::output::{Format, friendly, rfc3339};
use crate::session::{Session, lock_name};

pub(super) async fn run(args: Locks, session: &mut Session) -> Result<Exit, Failure> {
    match args.command {
        None | Some(LocksCommand::List) => list(session).await,
        Some(LocksCommand::Break(args)) => break_lock(args, session).await,
    }
}

/// Who holds a lock or waits for it, as JSON. The names of its fields do not change.
#[derive(Serialize)]
struct LockJson<'a> {
    name: &'a str,
    position: usize,
    holder: bool,
    token: u64,
    session: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_seconds: Option<u64>,
}

impl<'a> From<&'a LockEntry> for LockJson<'a> {
    fn from(lock: &'a LockEntry) -> Self {
        Self {
            name: &lock.name,
            position: lock.position,
            holder: lock.is_holder(),
            token: lock.token.get(),
            session: &lock.session,
            host: lock.host.as_deref(),
            pid: lock.pid,
            label: lock.label.as_deref(),
            since: lock.since.map(|since| rfc3339(since).to_string()),
            remaining_seconds: lock.remaining.map(|remaining| remaining.as_secs()),
        }
    }
}

async fn list(session: &mut Session) -> Result<Exit, Failure> {
    let tree = session.open().await?;
    let locks = tree.locks().await.map_err(|error| Failure::storage_at_large("locks", &error))?;
    match session.output.format() {
        Format::Json => {
            for lock in &locks {
                session.output.object(&LockJson::from(lock))?;
            }
        }
        Format::Text => {
            // None need no heading.
            if !locks.is_empty() {
                let heading = ["NAME", "WHO", "HOST", "PID", "LABEL", "SINCE", "REMAINING"];
                session.output.table(heading, locks.iter().map(row))?;
            }
        }
    }
    Ok(Exit::Ok)
}

async fn break_lock(args: Break, session: &mut Session) -> Result<Exit, Failure> {
    lock_name(BREAK, &args.name)?;
    let tree = session.open().await?;
    let broken = tree.break_lock(&args.name).await;
    let Some(holder) = broken.map_err(|error| Failure::storage(BREAK, &args.name, &error))? else {
        let message =
            format!("{BREAK} {:?}: nobody holds it; `kvfs locks` shows all that are held", args.name);
        return Err(Failure::of_kind(ErrorKind::NotFound, message));
    };
    match session.output.format() {
        Format::Json => session.output.object(&LockJson::from(&holder))?,
        Format::Text => {
            session.output.line(format!("broke {:?}, held by {}", holder.name, described(&holder)))?;
        }
    }
    Ok(Exit::Ok)
}

/// Whose a lock is, in words.
fn described(lock: &LockEntry) -> String {
    let mut parts = Vec::new();
    if let Some(host) = &lock.host {
        parts.push(format!("host {}", one_line(host)));
    }
    if let Some(pid) = lock.pid {
        parts.push(format!("process {pid}"));
    }
    if let Some(label) = &lock.label {
        parts.push(format!("label {label:?}"));
    }
    if let Some(since) = lock.since {
        parts.push(format!("since {}", time(since)));
    }
    if parts.is_empty() { format!("session {}", one_line(&lock.session)) } else { parts.join(", ") }
}

/// A line of the table.
fn row(lock: &LockEntry) -> [String; 7] {
    let unknown = || "-".to_owned();
    let who = if lock.is_holder() { "holder".to_owned() } else { format!("waiter {}", lock.position) };
    [
        one_line(&lock.name),
        who,
        lock.host.as_deref().map_or_else(unknown, one_line),
        lock.pid.map_or_else(unknown, |pid| pid.to_string()),
        lock.label.as_deref().map_or_else(unknown, one_line),
        lock.since.map_or_else(unknown, time),
        lock.remaining.map_or_else(unknown, friendly),
    ]
}

fn time(time: SystemTime) -> String {
    format!("{:.0}", rfc3339(time))
}
