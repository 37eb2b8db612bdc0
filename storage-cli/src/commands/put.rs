//! `kvfs put PATH [FILE]`

use std::fs::File;
use std::io;
use std::path::Path;

use bytes::Bytes;
use storage_core::kv::KvBackend;

use crate::cli::Put;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::local::{blocking, read_within};
use crate::output::{EntryJson, Format};
use crate::session::{Session, file_path};

pub(super) async fn run(args: Put, session: &mut Session) -> Result<Exit, Failure> {
    file_path("put", &args.path)?;
    let source = args.file.filter(|file| file != Path::new("-"));
    // Before the store is asked, so that a misspelt file is told of whether there is a store or not.
    let source = source.map(|file| open(&args.path, &file).map(|opened| (file, opened))).transpose()?;
    let tree = session.open().await?;
    let limit = tree.backend().limits().max_value_bytes;
    let content = blocking(move || read(source, limit)).await;
    let content = content.map_err(|failure| failure.within(&format!("put {:?}", args.path)))?;
    let stored = tree.store(&args.path, content).await;
    let metadata = stored.map_err(|error| Failure::storage("put", &args.path, &error))?;
    if session.output.format() == Format::Json {
        session.output.object(&EntryJson::from(&metadata))?;
    }
    Ok(Exit::Ok)
}

fn open(path: &str, file: &Path) -> Result<File, Failure> {
    let unusable = |why: &str, hint: &str| {
        Failure::usage(format!("put {path:?}: {} {why}, nothing was stored; {hint}", file.display()))
    };
    if file.is_dir() {
        return Err(unusable("is a directory", "`kvfs import` stores directories"));
    }
    File::open(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => unusable("does not exist", "name a local file, or - for standard input"),
        _ => Failure::local(format!("put {path:?}: cannot read {}", file.display()), &error),
    })
}

fn read(source: Option<(std::path::PathBuf, File)>, limit: usize) -> Result<Bytes, Failure> {
    match source {
        Some((name, file)) => read_within(limit, &name.display().to_string(), file),
        None => read_within(limit, "standard input", io::stdin().lock()),
    }
}
