//! `kvfs mv FROM TO`

use crate::cli::Mv;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{EntryJson, Format};
use crate::session::{Session, file_path};

pub(super) async fn run(args: Mv, session: &mut Session) -> Result<Exit, Failure> {
    file_path("mv", &args.from)?;
    file_path("mv", &args.to)?;
    let tree = session.open().await?;
    let moved = tree.rename(&args.from, &args.to).await;
    let metadata = moved.map_err(|error| Failure::storage("mv", &args.from, &error))?;
    if session.output.format() == Format::Json {
        session.output.object(&EntryJson::from(&metadata))?;
    }
    Ok(Exit::Ok)
}
