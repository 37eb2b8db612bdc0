//! `kvfs watch [PATH] [--after REVISION]`
//!
//! Signals have their usual effect: every line is written at once, and nothing is left in the store.

use futures::StreamExt;
use serde::Serialize;
use storage_core::kv::Revision;
use storage_core::{ChangeKind, ErrorKind, WatchEvent};

use crate::cli::Watch;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Format, Output};
use crate::session::{Session, any_path};

/// A change as JSON. The names of its fields do not change.
#[derive(Serialize)]
struct EventJson<'a> {
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
}

pub(super) async fn run(args: Watch, session: &mut Session) -> Result<Exit, Failure> {
    any_path("watch", &args.path)?;
    let failed = |error| Failure::storage("watch", &args.path, &error);
    let tree = session.open().await?;
    let events = match args.after {
        Some(revision) => tree.watch_after(&args.path, Revision(revision)).await,
        None => tree.watch(&args.path).await,
    };
    let mut events = events.map_err(failed)?;
    let print_all = async {
        while let Some(event) = events.next().await {
            print(&event.map_err(failed)?, &mut session.output)?;
        }
        let message = format!("watch {:?}: the watch has ended", args.path);
        Err(Failure::of_kind(ErrorKind::Closed, message))
    };
    tokio::select! {
        ended = print_all => ended,
        () = reader_gone() => Err(Failure::ReaderGone),
    }
}

fn print(event: &WatchEvent, output: &mut Output) -> Result<(), Failure> {
    match (event, output.format()) {
        (WatchEvent::Change { kind, path, version, .. }, Format::Text) => {
            output.line(format!("{} {path} {version}", word(*kind)))?;
        }
        (WatchEvent::Change { kind, path, version, .. }, Format::Json) => {
            let version = Some(version.revision().0);
            output.object(&EventJson {
                event: word(*kind),
                path: Some(path.as_str()),
                version,
                revision: None,
            })?;
        }
        (WatchEvent::Resync { revision, .. }, Format::Text) => {
            output.line(format!("resync {}: changes up to here may be missing, list again", revision.0))?;
        }
        (WatchEvent::Resync { revision, .. }, Format::Json) => {
            let revision = Some(revision.0);
            output.object(&EventJson { event: "resync", path: None, version: None, revision })?;
        }
        (event, _) => {
            let message = format!("watch: an event that this kvfs does not know: {event:?}");
            return Err(Failure::of_kind(ErrorKind::Unsupported, message));
        }
    }
    output.finish()
}

fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Created => "created",
        ChangeKind::Modified => "modified",
        ChangeKind::Deleted => "deleted",
    }
}

/// Waits until nobody reads standard output any more, which shows otherwise only when something is written. For what is
/// no pipe it never resolves.
async fn reader_gone() {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        use tokio::io::{Interest, Ready};
        use tokio::net::unix::pipe::Sender;
        let copy = std::io::stdout().as_fd().try_clone_to_owned();
        // Unchecked, for the check would make it non-blocking, for all who have it.
        if let Ok(pipe) = copy.and_then(Sender::from_owned_fd_unchecked)
            && pipe.ready(Interest::ERROR).await.is_ok_and(Ready::is_error)
        {
            return;
        }
    }
    std::future::pending::<()>().await;
}
