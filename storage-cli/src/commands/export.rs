//! `kvfs export PATH DIR`
//!
//! A file that is damaged, or that stands in the way, is told of and the others are exported all the same; a store or
//! a disk that fails ends it. Nothing is written outside `DIR`: a symbolic link below it is never followed. (Somebody
//! who swaps directories for links at the same time is not held off; who can write in `DIR` owns it anyway.)

mod place;

use std::sync::Arc;

use serde::Serialize;
use storage_core::{EntryKind, ErrorKind, FilePath, Filter, ListOptions};

use self::place::place;
use super::concurrent::for_each;
use crate::cli::Export;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::local::{Existing, blocking, create_directory};
use crate::output::{EntryJson, Format};
use crate::progress::bar;
use crate::session::{Session, Tree, any_path};

#[derive(Serialize)]
struct SummaryJson {
    exported: usize,
    bytes: u64,
    verified: bool,
}

/// What became of one file.
type Outcome = Result<storage_core::Metadata, Failure>;

pub(super) async fn run(args: Export, session: &mut Session) -> Result<Exit, Failure> {
    let root = any_path("export", &args.path)?;
    let tree = session.open().await?;
    let files = files_of(&tree, &args.path, &root).await?;
    if args.dir.exists() && !args.dir.is_dir() {
        let name = args.dir.display().to_string();
        return Err(Failure::usage(format!("export {:?}: {name:?} is not a directory; name one", args.path)));
    }
    create_directory(&args.dir).map_err(|error| {
        Failure::local(format!("export {:?}: cannot make {}", args.path, args.dir.display()), &error)
    })?;

    let dir: Arc<std::path::Path> = args.dir.into();
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    let bar = bar(&session.output, files.len(), "exporting");
    let wanted = files.len();
    let (mut written, mut problems) = (Vec::new(), Vec::new());
    let exporting = for_each(
        files,
        |(path, components)| export(&tree, path, components, Arc::clone(&dir), existing),
        |outcome| {
            bar.inc(1);
            match outcome {
                Ok(metadata) => written.push(metadata),
                Err(problem) => problems.push(problem),
            }
        },
    );
    let result = exporting.await;
    bar.finish_and_clear();
    for problem in &problems {
        session.output.warn(problem);
    }
    let done = written.len();
    result.map_err(|failure| failure.with_note(format!("{done} of {wanted} files are exported")))?;

    written.sort_by(|a, b| a.path.cmp(&b.path));
    summarize(&written, session)?;
    match problems.iter().max_by_key(|problem| problem.exit()) {
        None => Ok(Exit::Ok),
        Some(worst) => {
            session.output.finish()?;
            let missing = format!("{} of {wanted} files were not exported, see above", problems.len());
            Err(worst.retold(format!("export {:?}: {missing}", args.path)))
        }
    }
}

/// The files to export, each with the components of its local path.
async fn files_of(tree: &Tree, path: &str, root: &FilePath) -> Result<Vec<(FilePath, Vec<String>)>, Failure> {
    let depth = root.components().count();
    let options = ListOptions::descendants().with_filter(Filter::FilesOnly);
    match tree.list(path, options).await {
        Ok(entries) => Ok(entries
            .into_iter()
            .filter(|entry| entry.kind == EntryKind::File)
            .map(|entry| {
                let below = entry.path.components().skip(depth).map(str::to_owned).collect();
                (entry.path, below)
            })
            .collect()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            Ok(vec![(root.clone(), vec![root.name().to_owned()])])
        }
        Err(error) => Err(Failure::storage("export", path, &error)),
    }
}

/// Exports one file. What is wrong with this file only is an outcome; what would be wrong with any is an error.
async fn export(
    tree: &Tree,
    path: FilePath,
    components: Vec<String>,
    dir: Arc<std::path::Path>,
    existing: Existing,
) -> Result<Outcome, Failure> {
    let file = match tree.load_file(path.as_str()).await {
        Ok(file) => file,
        Err(error) if error.is_not_found() => {
            let why = "removed by somebody else during the export; run it again";
            return Ok(Err(Failure::of_kind(
                ErrorKind::Conflict,
                format!("export {:?}: {why}", path.as_str()),
            )));
        }
        Err(error) => {
            let failure = Failure::storage("export", path.as_str(), &error);
            let of_this_file =
                error.is_damage() || error.is_conflict() || error.kind() == ErrorKind::Unsupported;
            return if of_this_file { Ok(Err(failure)) } else { Err(failure) };
        }
    };
    let metadata = file.metadata.clone();
    blocking(move || place(&dir, &components, &file, existing)).await.map(|placed| placed.map(|()| metadata))
}

fn summarize(written: &[storage_core::Metadata], session: &mut Session) -> Result<(), Failure> {
    let exported = written.len();
    let bytes = written.iter().map(|metadata| metadata.size).sum();
    match session.output.format() {
        Format::Json => {
            for metadata in written {
                session.output.object(&EntryJson::from(metadata))?;
            }
            session.output.object(&SummaryJson { exported, bytes, verified: true })
        }
        Format::Text => {
            let files = if exported == 1 { "file" } else { "files" };
            session.output.summary(format!("exported {exported} {files}, {bytes} bytes, verified"))
        }
    }
}
