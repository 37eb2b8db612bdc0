//! `kvfs rm PATH [-r]`
//!
//! Without `-r` a directory is never removed, not even one that comes into being meanwhile. A file whose metadata is
//! damaged can be removed like any other.

use serde::Serialize;
use storage_core::ErrorKind;

use crate::cli::Rm;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Format;
use crate::session::{Session, file_path};

#[derive(Serialize)]
struct RemovedJson<'a> {
    path: &'a str,
    removed: u64,
}

pub(super) async fn run(args: Rm, session: &mut Session) -> Result<Exit, Failure> {
    let path = file_path("rm", &args.path)?;
    let failed = |error| Failure::storage("rm", &args.path, &error);
    let tree = session.open().await?;
    let removed = if args.recursive {
        tree.delete(path.as_str()).await.map_err(failed)?
    } else {
        tree.delete_file(path.as_str()).await.map_err(|error| match error.kind() {
            ErrorKind::IsADirectory => {
                let hint = "use `kvfs rm -r` to remove everything below it";
                Failure::of_kind(error.kind(), format!("rm {:?}: is a directory; {hint}", args.path))
            }
            _ => failed(error),
        })?
    };
    if removed == 0 {
        let message = format!("rm {:?}: not found; `kvfs ls -r` shows what is there", args.path);
        return Err(Failure::of_kind(ErrorKind::NotFound, message));
    }
    match session.output.format() {
        Format::Json => session.output.object(&RemovedJson { path: path.as_str(), removed })?,
        Format::Text if args.recursive => {
            let files = if removed == 1 { "file" } else { "files" };
            session.output.line(format!("removed {removed} {files}"))?;
        }
        Format::Text => {}
    }
    Ok(Exit::Ok)
}
