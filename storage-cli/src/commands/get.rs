//! `kvfs get PATH [-o FILE]`

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::cli::Get;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::local::{self, Existing, Found, blocking};
use crate::output::{EntryJson, Format};
use crate::session::{Session, any_path};

/// The metadata of a file, and its content unless that went into a local file.
#[derive(Serialize)]
pub(super) struct FileJson<'a> {
    #[serde(flatten)]
    metadata: EntryJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_base64: Option<String>,
}

impl<'a> FileJson<'a> {
    /// The file with its content.
    pub(super) fn with_content(file: &'a storage_core::File) -> Self {
        let content_base64 = Some(STANDARD.encode(&file.content));
        Self { metadata: EntryJson::from(&file.metadata), content_base64 }
    }
}

pub(super) async fn run(args: Get, session: &mut Session) -> Result<Exit, Failure> {
    any_path("get", &args.path)?;
    let target = args.output.filter(|file| file != Path::new("-"));
    if let Some(target) = &target {
        check_target("get", &args.path, target)?;
    }
    let tree = session.open().await?;
    let loaded = tree.load_file(&args.path).await;
    let file = loaded.map_err(|error| Failure::storage("get", &args.path, &error))?;
    let to_stdout = target.is_none();
    if let Some(target) = target {
        write("get", &args.path, target, file.content.clone()).await?;
    }
    match session.output.format() {
        Format::Json => session.output.object(&FileJson {
            metadata: EntryJson::from(&file.metadata),
            content_base64: to_stdout.then(|| STANDARD.encode(&file.content)),
        })?,
        Format::Text if to_stdout => session.output.bytes(&file.content)?,
        Format::Text => {}
    }
    Ok(Exit::Ok)
}

/// A rename replaces whatever has the name, were it `/dev/null`; only a file may be replaced.
pub(super) fn check_target(command: &str, path: &str, target: &Path) -> Result<(), Failure> {
    let found = Found::at(target);
    let found = found.map_err(|error| not_written(command, path, target, &error))?;
    match found {
        Found::Nothing | Found::File => Ok(()),
        Found::Directory | Found::Other => Err(Failure::usage(format!(
            "{command} {path:?}: {} is {}; -o needs the name of a file",
            target.display(),
            found.describe()
        ))),
    }
}

/// Writes the local file, whole or not at all.
pub(super) async fn write(
    command: &str,
    path: &str,
    target: PathBuf,
    content: bytes::Bytes,
) -> Result<(), Failure> {
    let written = {
        let target = target.clone();
        blocking(move || local::write(&target, &content, Existing::Replace)).await
    };
    written.map_err(|error| not_written(command, path, &target, &error))
}

fn not_written(command: &str, path: &str, target: &Path, error: &std::io::Error) -> Failure {
    Failure::local(format!("{command} {path:?}: cannot write {}", target.display()), error)
}
