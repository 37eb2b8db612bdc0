//! The command line for looking at a configuration.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting, its value and where it comes from.
    Show,
    /// Print all that is wrong, and warn of what is suspicious; the code is 2 if anything is wrong.
    ///
    /// The files that it names must be readable; the store is not asked.
    Check,
}
