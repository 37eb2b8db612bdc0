#![doc = include_str!("../README.md")]

mod choice;
mod cli;
mod commands;
mod config_source;
mod exit;
mod failure;
#[cfg(test)]
mod fuzz;
mod interrupt;
mod layout_choice;
mod local;
mod location;
mod output;
mod progress;
mod session;
mod signals;
mod store_url;
mod table;
mod telling;

use std::process::ExitCode;

use tokio::time::Instant;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Format, report};
use crate::session::Session;

fn main() -> ExitCode {
    let (format, result) = match Cli::read(std::env::args_os()) {
        Ok(cli) => {
            cli.telling.choose_colors();
            (cli.format(), run(cli))
        }
        Err(failure) => (Format::asked_for(std::env::args_os()), Err(failure)),
    };
    let exit = result.unwrap_or_else(|failure| {
        report(format, &failure);
        failure.exit()
    });
    exit.into()
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    cli.telling.show_events(cli.format());
    // One thread is enough: the command mostly waits for the store.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::local("cannot start", &error))?;
    let result = runtime.block_on(async {
        let mut session = Session::new(cli.format(), cli.given, cli.telling.verbosity());
        let begun = Instant::now();
        let result = commands::run(cli.command, &mut session).await;
        let result = result.and_then(|exit| session.output.finish().map(|()| exit));
        session.close().await;
        session.output.inform("time", format!("took {:.1?}", begun.elapsed()));
        result
    });
    // A thread that still reads standard input is not waited for.
    runtime.shutdown_background();
    result
}
