//! `kvfs rm PATH [-r]`
//!
//! The library's `delete` removes files and directories alike, so whether the path is a directory is asked first. A
//! file that becomes a directory between the two calls is removed with everything below it; the count that is printed
//! tells of it. A file whose metadata is damaged, or whose content alone is left, can be removed like any other.

use futures::TryStreamExt;
use serde::Serialize;
use storage_core::{ErrorKind, FilePath, ListOptions};

use crate::cli::Rm;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Format;
use crate::session::{Session, Tree, file_path};

#[derive(Serialize)]
struct RemovedJson<'a> {
    path: &'a str,
    removed: u64,
}

pub(super) async fn run(args: Rm, session: &mut Session) -> Result<Exit, Failure> {
    let path = file_path("rm", &args.path)?;
    let failed = |error| Failure::storage("rm", &args.path, &error);
    let tree = session.open().await?;
    if !args.recursive && is_directory(&tree, &path).await.map_err(failed)? {
        let hint = "use `kvfs rm -r` to remove everything below it";
        let message = format!("rm {:?}: is a directory; {hint}", args.path);
        return Err(Failure::of_kind(ErrorKind::IsADirectory, message));
    }
    let removed = tree.delete(path.as_str()).await.map_err(failed)?;
    if removed == 0 {
        let message = format!("rm {:?}: not found; `kvfs ls -r` shows what is there", args.path);
        return Err(Failure::of_kind(ErrorKind::NotFound, message));
    }
    match session.output.format() {
        Format::Json => session.output.object(&RemovedJson { path: path.as_str(), removed })?,
        Format::Text if args.recursive || removed > 1 => {
            let files = if removed == 1 { "file" } else { "files" };
            session.output.line(format!("removed {removed} {files}"))?;
        }
        Format::Text => {}
    }
    Ok(Exit::Ok)
}

async fn is_directory(tree: &Tree, path: &FilePath) -> storage_core::Result<bool> {
    let mut children = tree.list_stream(path.as_str(), ListOptions::children());
    match children.try_next().await {
        Ok(first) => Ok(first.is_some()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}
