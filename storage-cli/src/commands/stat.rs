//! `kvfs stat PATH`

use crate::cli::Stat;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{EntryJson, Format, kind_word, rfc3339};
use crate::session::{Session, any_path};

pub(super) async fn run(args: Stat, session: &mut Session) -> Result<Exit, Failure> {
    any_path("stat", &args.path)?;
    let tree = session.open().await?;
    let metadata = tree.stat(&args.path).await;
    let metadata = metadata.map_err(|error| Failure::storage("stat", &args.path, &error))?;
    let output = &mut session.output;
    if output.format() == Format::Json {
        output.object(&EntryJson::from(&metadata))?;
        return Ok(Exit::Ok);
    }
    output.line(format!("path: {}", metadata.path))?;
    output.line(format!("kind: {}", kind_word(metadata.kind)))?;
    output.line(format!("size: {}", metadata.size))?;
    output.line(format!("modified: {}", rfc3339(metadata.modified)))?;
    if let Some(sha1) = metadata.sha1 {
        output.line(format!("sha1: {sha1}"))?;
    }
    output.line(format!("version: {}", metadata.version))?;
    Ok(Exit::Ok)
}
