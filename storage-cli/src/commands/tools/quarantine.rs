//! `kvfs quarantine [list|get ID|restore ID|rm ID]`

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;
use storage_core::{ErrorKind, QuarantineId as Id, Quarantined};

use crate::cli::{Quarantine, QuarantineCommand, QuarantineGet, QuarantineId};
use crate::commands::get;
use crate::exit::Exit;
use crate::failure::{Failure, one_line};
use crate::output::{EntryJson, Format, rfc3339};
use crate::session::Session;

const GET: &str = "quarantine get";
const RESTORE: &str = "quarantine restore";
const RM: &str = "quarantine rm";

/// A file in the quarantine as JSON. The names of its fields do not change.
#[derive(Serialize)]
struct QuarantinedJson<'a> {
    id: String,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_base64: Option<String>,
}

#[derive(Serialize)]
struct RemovedJson {
    id: String,
    removed: u64,
}

impl<'a> From<&'a Quarantined> for QuarantinedJson<'a> {
    fn from(file: &'a Quarantined) -> Self {
        Self {
            id: file.id.to_string(),
            path: file.path.as_str(),
            problem: file.problem.as_deref(),
            size: file.size,
            moved: file.moved.map(|moved| rfc3339(moved).to_string()),
            host: file.host.as_deref(),
            pid: file.pid,
            content_base64: None,
        }
    }
}

pub(super) async fn run(args: Quarantine, session: &mut Session) -> Result<Exit, Failure> {
    match args.command {
        None | Some(QuarantineCommand::List) => list(session).await,
        Some(QuarantineCommand::Get(args)) => get(args, session).await,
        Some(QuarantineCommand::Restore(args)) => restore(&args, session).await,
        Some(QuarantineCommand::Rm(args)) => remove(&args, session).await,
    }
}

async fn list(session: &mut Session) -> Result<Exit, Failure> {
    let tree = session.open().await?;
    let files = tree.quarantined().await.map_err(|error| Failure::storage_at_large("quarantine", &error))?;
    match session.output.format() {
        Format::Json => {
            files.iter().try_for_each(|file| session.output.object(&QuarantinedJson::from(file)))?;
        }
        // None need no heading.
        Format::Text if files.is_empty() => {}
        Format::Text => {
            let heading = ["ID", "PROBLEM", "SIZE", "MOVED", "HOST", "PID", "PATH"];
            session.output.table(heading, files.iter().map(row))?;
        }
    }
    Ok(Exit::Ok)
}

fn row(file: &Quarantined) -> [String; 7] {
    let unknown = || "-".to_owned();
    [
        file.id.to_string(),
        file.problem.as_deref().map_or_else(unknown, one_line),
        file.size.map_or_else(unknown, |size| size.to_string()),
        file.moved.map_or_else(unknown, |moved| format!("{:.0}", rfc3339(moved))),
        file.host.as_deref().map_or_else(unknown, one_line),
        file.pid.map_or_else(unknown, |pid| pid.to_string()),
        file.path.to_string(),
    ]
}

async fn get(args: QuarantineGet, session: &mut Session) -> Result<Exit, Failure> {
    let id = parse(GET, &args.id)?;
    let target = args.output.filter(|file| file != Path::new("-"));
    if let Some(target) = &target {
        get::check_target(GET, &args.id.id, target)?;
    }
    let tree = session.open().await?;
    let loaded = tree.load_quarantined(id).await;
    let loaded = loaded.map_err(|error| Failure::storage(GET, &args.id.id, &error))?;
    let (value, what) =
        if args.metadata { (loaded.metadata, "metadata record") } else { (loaded.content, "content") };
    let value: Bytes = value.ok_or_else(|| {
        let other = if args.metadata { "leave --metadata out" } else { "give --metadata for the rest" };
        let message = format!("{GET} {:?}: not found: it has no {what}; {other}", args.id.id);
        Failure::of_kind(ErrorKind::NotFound, message)
    })?;
    let to_stdout = target.is_none();
    if let Some(target) = target {
        get::write(GET, &args.id.id, target, value.clone()).await?;
    }
    match session.output.format() {
        Format::Json => {
            let content_base64 = to_stdout.then(|| STANDARD.encode(&value));
            session
                .output
                .object(&QuarantinedJson { content_base64, ..QuarantinedJson::from(&loaded.file) })?;
        }
        Format::Text if to_stdout => session.output.bytes(&value)?,
        Format::Text => {}
    }
    Ok(Exit::Ok)
}

async fn restore(args: &QuarantineId, session: &mut Session) -> Result<Exit, Failure> {
    let id = parse(RESTORE, args)?;
    let tree = session.open().await?;
    let restored = tree.restore_quarantined(id).await;
    let metadata = restored.map_err(|error| Failure::storage(RESTORE, &args.id, &error))?;
    match session.output.format() {
        Format::Json => session.output.object(&EntryJson::from(&metadata))?,
        Format::Text => session.output.summary(format!("restored {:?}", metadata.path))?,
    }
    Ok(Exit::Ok)
}

async fn remove(args: &QuarantineId, session: &mut Session) -> Result<Exit, Failure> {
    let id = parse(RM, args)?;
    let tree = session.open().await?;
    let removed = tree.delete_quarantined(id).await;
    removed.map_err(|error| Failure::storage(RM, &args.id, &error))?;
    if session.output.format() == Format::Json {
        session.output.object(&RemovedJson { id: id.to_string(), removed: 1 })?;
    }
    Ok(Exit::Ok)
}

/// Refuses what is no name before the store is asked.
fn parse(command: &str, args: &QuarantineId) -> Result<Id, Failure> {
    args.id.parse().map_err(|_| {
        let message =
            format!("{command} {:?}: a file in the quarantine is named by 16 hexadecimal digits", args.id);
        Failure::of_kind(ErrorKind::InvalidName, format!("{message}; `kvfs quarantine` shows them"))
    })
}
