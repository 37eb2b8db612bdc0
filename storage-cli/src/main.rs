#![doc = include_str!("../README.md")]

mod choice;
mod cli;
mod commands;
mod config_source;
mod exit;
mod failure;
#[cfg(test)]
mod fuzz;
mod layout_choice;
mod local;
mod output;
mod progress;
mod session;
mod signals;
mod store_url;
mod table;

use std::process::ExitCode;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Format, report};
use crate::session::Session;

fn main() -> ExitCode {
    let (format, result) = match Cli::read(std::env::args_os()) {
        Ok(cli) => (cli.format(), run(cli)),
        Err(failure) => (Format::asked_for(std::env::args_os()), Err(failure)),
    };
    let exit = result.unwrap_or_else(|failure| {
        report(format, &failure);
        failure.exit()
    });
    exit.into()
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    // One thread is enough: the command mostly waits for the store.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::local("cannot start", &error))?;
    runtime.block_on(async {
        let mut session = Session::new(cli.format(), cli.given);
        let exit = commands::run(cli.command, &mut session).await?;
        session.output.finish()?;
        Ok(exit)
    })
}
