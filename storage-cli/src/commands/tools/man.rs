//! `kvfs man [DIR]`

use clap::CommandFactory;
use clap_mangen::Man as Page;

use crate::cli::{Cli, Man};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

pub(super) fn run(args: Man, session: &mut Session) -> Result<Exit, Failure> {
    let Some(dir) = args.dir else {
        let mut page = Vec::new();
        let rendered = Page::new(Cli::command()).render(&mut page);
        rendered.map_err(|error| Failure::local("man: cannot make the page", &error))?;
        session.output.bytes(&page)?;
        return Ok(Exit::Ok);
    };
    let not_written = |error| Failure::local(format!("man: cannot write to {}", dir.display()), &error);
    std::fs::create_dir_all(&dir).map_err(not_written)?;
    clap_mangen::generate_to(Cli::command(), &dir).map_err(not_written)?;
    Ok(Exit::Ok)
}
