//! The operator's tools.

mod bench;
mod cat;
mod completions;
mod du;
mod man;
mod quarantine;
mod tree;
mod until_signal;
mod verify;

use crate::cli::Tools;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

pub(super) async fn run(command: Tools, session: &mut Session) -> Result<Exit, Failure> {
    match command {
        Tools::Verify(args) => verify::run(args, session).await,
        Tools::Quarantine(args) => quarantine::run(args, session).await,
        Tools::Du(args) => du::run(args, session).await,
        Tools::Tree(args) => tree::run(args, session).await,
        Tools::Cat(args) => cat::run(args, session).await,
        Tools::Bench(args) => bench::run(args, session).await,
        Tools::Completions(args) => completions::run(&args, session),
        Tools::Man(args) => man::run(args, session),
    }
}
