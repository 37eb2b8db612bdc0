//! The commands, one file each. Each has a `run` that answers the exit code if nothing failed.

mod concurrent;
mod config;
mod cp;
mod exists;
mod export;
mod get;
mod health;
mod import;
mod lock;
mod locks;
mod ls;
mod migrate;
mod mv;
mod put;
mod rm;
mod stat;
mod tools;
mod transfer;
mod watch;

use crate::cli::Command;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

pub(crate) async fn run(command: Command, session: &mut Session) -> Result<Exit, Failure> {
    match command {
        Command::Put(args) => put::run(args, session).await,
        Command::Get(args) => get::run(args, session).await,
        Command::Ls(args) => ls::run(args, session).await,
        Command::Stat(args) => stat::run(args, session).await,
        Command::Exists(args) => exists::run(args, session).await,
        Command::Rm(args) => rm::run(args, session).await,
        Command::Mv(args) => mv::run(args, session).await,
        Command::Import(args) => import::run(args, session).await,
        Command::Export(args) => export::run(args, session).await,
        Command::Cp(args) => cp::run(args, session).await,
        Command::Sync(args) => cp::sync(args, session).await,
        Command::Diff(args) => cp::diff(args, session).await,
        Command::Migrate(args) => migrate::run(*args, session).await,
        Command::Lock(args) => lock::run(args, session).await,
        Command::TryLock(args) => lock::run_if_free(args, session).await,
        Command::Locks(args) => locks::run(args, session).await,
        Command::Watch(args) => watch::run(args, session).await,
        Command::Health => health::run(session).await,
        Command::Config(args) => config::run(args, session).await,
        Command::Tools(command) => tools::run(command, session).await,
    }
}
