//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Measures kvfs side by side with the store below it and with its peers
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
pub(crate) struct Options {
    /// How much is measured: for a few minutes, or for about half an hour
    #[arg(value_enum, default_value_t = Mode::Quick)]
    pub(crate) mode: Mode,
    /// Only the workloads whose names begin so; `--list` prints the names
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) only: String,
    /// Only the contenders whose names begin so: for a profile of one of them
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) contender: String,
    /// Print the names of the workloads, and measure nothing
    #[arg(long)]
    pub(crate) list: bool,
    /// Write the figures and plots into docs/performance, for the repository, instead of below bench/target
    #[arg(long)]
    pub(crate) record: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// For a few minutes, with small trees
    Quick,
    /// For about half an hour, with trees of a million files
    Full,
}

/// What the program starts itself for.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// In a process of its own, because what one has used once is not given back
    #[command(hide = true)]
    Child(Child),
}

/// What is done in a process of its own.
#[derive(Args, Clone, Debug)]
pub(crate) struct Child {
    /// What to do
    #[arg(value_enum)]
    pub(crate) task: Task,
    /// The endpoints, separated by commas
    #[arg(long, value_delimiter = ',')]
    pub(crate) endpoints: Vec<String>,
    /// The directory in question
    #[arg(long)]
    pub(crate) directory: String,
}

/// Tasks of processes of their own. Each prints one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Task {
    /// Connect and do nothing; prints the peak of the memory in bytes
    Idle,
    /// List all files below the directory as a stream; prints the peak of the memory in bytes
    ListStream,
    /// The same with one unlimited call of etcd-client
    ListRaw,
}
