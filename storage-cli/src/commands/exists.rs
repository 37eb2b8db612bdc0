//! `kvfs exists PATH`

use serde::Serialize;

use crate::cli::Exists;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Format;
use crate::session::{Session, any_path};

#[derive(Serialize)]
struct ExistsJson<'a> {
    path: &'a str,
    exists: bool,
}

pub(super) async fn run(args: Exists, session: &mut Session) -> Result<Exit, Failure> {
    let path = any_path("exists", &args.path)?;
    let tree = session.open().await?;
    let exists = tree.exists(&args.path).await;
    let exists = exists.map_err(|error| Failure::storage("exists", &args.path, &error))?;
    if session.output.format() == Format::Json {
        session.output.object(&ExistsJson { path: path.as_str(), exists })?;
    }
    Ok(if exists { Exit::Ok } else { Exit::NotFound })
}
