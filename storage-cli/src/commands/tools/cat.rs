//! `kvfs cat PATH…`

use storage_core::{Error, ErrorKind, File};

use crate::cli::Cat;
use crate::commands::get::FileJson;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Format, Output};
use crate::session::{Session, any_path};

pub(super) async fn run(args: Cat, session: &mut Session) -> Result<Exit, Failure> {
    for path in &args.paths {
        any_path("cat", path)?;
    }
    let tree = session.open().await?;
    let output = &mut session.output;
    let mut exit = Exit::Ok;
    match tree.load_many(&args.paths).await {
        Ok(files) => {
            for (path, file) in args.paths.iter().zip(files) {
                exit = exit.max(write(path, file, output)?);
            }
        }
        // More than one answer of the store can hold, or the root among them, which is no file's path.
        Err(error) if matches!(error.kind(), ErrorKind::TooLarge | ErrorKind::InvalidPath) => {
            output.inform("revisions", "the files are loaded one by one, not all of one revision");
            for path in &args.paths {
                exit = exit.max(write(path, tree.load_file(path).await, output)?);
            }
        }
        Err(error) => return Err(Failure::storage_at_large("cat", &error)),
    }
    Ok(exit)
}

/// Writes a file, or tells why not: the others are written all the same, unless the store does not answer.
fn write(path: &str, file: Result<File, Error>, output: &mut Output) -> Result<Exit, Failure> {
    let failed = |error: &Error| Failure::storage("cat", path, error);
    match file {
        Ok(file) if output.format() == Format::Json => output.object(&FileJson::with_content(&file))?,
        Ok(file) => output.bytes(&file.content)?,
        Err(error) if error.is_connection() => {
            output.finish()?;
            return Err(failed(&error));
        }
        Err(error) => {
            // In the order in which they were asked for, as far as both go to one terminal.
            output.finish()?;
            output.warn(&failed(&error));
            return Ok(failed(&error).exit());
        }
    }
    Ok(Exit::Ok)
}
