//! The command line.

mod config;
mod lock;
mod migrate;
mod tools;
mod transfer;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::choice::Given;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Format;
use crate::telling::{Telling, colors_asked_for};

pub(crate) use config::{Config, ConfigCommand};
pub(crate) use lock::{Break, Lock, Locks, LocksCommand, Target, TryLock, Watch};
pub(crate) use migrate::{Migrate, Refused};
pub(crate) use tools::{
    Bench, Cat, Completions, Du, Man, Quarantine, QuarantineCommand, QuarantineGet, QuarantineId, Tools,
    Tree, Verify,
};
pub(crate) use transfer::{Cp, Diff, Export, Hidden, Import, Sync};

/// A small, safe file tree and locks for the members of a cluster, kept in etcd or in a file.
#[derive(Debug, Parser)]
#[command(name = "kvfs", version, after_help = Exit::HELP, arg_required_else_help = false)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) given: Given,

    /// Write one JSON object on a line, errors included.
    #[arg(long, global = true)]
    json: bool,

    #[command(flatten)]
    pub(crate) telling: Telling,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Store a file: make it or replace it.
    Put(Put),
    /// Write a file's content to standard output or to a local file.
    Get(Get),
    /// List a directory.
    Ls(Ls),
    /// Show what is known of a file or directory.
    Stat(Stat),
    /// Say by the exit code whether there is a file or directory: 0 yes, 1 no.
    Exists(Exists),
    /// Remove a file, or with -r a directory and everything below it.
    Rm(Rm),
    /// Move a file, never onto another.
    Mv(Mv),
    /// Store all files of a local directory or a tar, then check that they are in the store.
    ///
    /// Looks at everything first, and stores nothing if anything cannot be stored. Files that are in the store already
    /// are passed over, so running it again goes on where it was ended.
    Import(Import),
    /// Write a file or all files of a directory to a local directory or a tar, then check them.
    ///
    /// The files of a directory are made with mode 0600 and replaced only with --force, one by one. A tar is written as
    /// a whole, under a temporary name until it is checked; the same files give the same bytes.
    Export(Export),
    /// Copy a file or a tree between any two of stores, local directories and tars; nothing is deleted.
    ///
    /// What is in a directory goes into the target itself. A file goes into a directory that exists or is written with
    /// a slash behind it; else it gets the name of the target. What is there with another content is replaced.
    Cp(Cp),
    /// Make a tree as another is, between any two of stores, local directories and tars.
    ///
    /// As `cp`. With --delete also what only the target has is deleted, in the end and only if all of the source could
    /// be read. What is left out of a local directory is never deleted there.
    Sync(Sync),
    /// Compare two files or trees by size and SHA-1: the code is 0 if they are equal, and 1 if not.
    ///
    /// Prints a line for every difference: `only in A: PATH`, `only in B: PATH` or `differs: PATH (...)`. Times are not
    /// compared. What is not found ends it with code 2.
    Diff(Diff),
    /// Copy a tree to another store or layout, verified: take over what caddy-etcd has stored.
    ///
    /// Copies what the destination does not have as the source has it, with the times at which files were written, loads
    /// every copy back, and compares both trees at the end. It can be repeated while the source is in use. What is damaged
    /// is reported, and the rest goes on. --store and --config are not used.
    Migrate(Box<Migrate>),
    /// Run a command while holding a lock.
    ///
    /// Waits until everybody who asked for the lock before has let go of it, runs the command, and releases the lock.
    /// Ends with the code of the command. Signals are passed on to it. If the lock is lost the command is ended, with
    /// SIGTERM and 10 s later with SIGKILL, and the code is 4.
    Lock(Lock),
    /// Run a command while holding a lock, or end with code 4 if the lock is not free.
    TryLock(TryLock),
    /// Show who holds locks and who waits for them, or break a lock.
    Locks(Locks),
    /// Print every change of files, until it is interrupted.
    Watch(Watch),
    /// Show how the store is: every member, alarms, certificates, and a short session; 0 if it serves, 3 if not.
    ///
    /// Asks every endpoint, and every member that the cluster names, within the dial timeout. Warns on standard error
    /// of members that are not reached, have no leader or are behind, of alarms, of certificates that end within 30
    /// days, and of a session that ends earlier than the clock here says. The session is a lease of 10 s, which is
    /// taken back at once; nothing else is written.
    Health,
    /// Show or check the configuration: that of --config, or else the variables `CADDY_CLUSTERING_ETCD_*`.
    #[command(arg_required_else_help = false)]
    Config(Config),
    #[command(flatten)]
    Tools(Tools),
}

#[derive(Debug, Args)]
pub(crate) struct Put {
    /// The file's path in the tree.
    pub(crate) path: String,
    /// The local file to read; standard input if it is `-` or not given.
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The file's path in the tree.
    pub(crate) path: String,
    /// The local file to write, readable by its owner only; replaced if it exists.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// The directory's path in the tree.
    #[arg(default_value = "", hide_default_value = true)]
    pub(crate) path: String,
    /// List everything below it.
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Show kind, size, time and version too.
    #[arg(short, long)]
    pub(crate) long: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Stat {
    /// A path in the tree.
    pub(crate) path: String,
}

#[derive(Debug, Args)]
pub(crate) struct Exists {
    /// A path in the tree.
    pub(crate) path: String,
}

#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// A path in the tree.
    pub(crate) path: String,
    /// Remove a directory with everything below it, all at once.
    #[arg(short, long)]
    pub(crate) recursive: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Mv {
    /// The file's path in the tree.
    pub(crate) from: String,
    /// Its new path.
    pub(crate) to: String,
}

impl Cli {
    /// Reads the command line. Help and version are printed here, and end the process.
    pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Failure> {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let colors = colors_asked_for(arguments.iter().filter_map(|argument| argument.to_str()));
        let matches = Self::command().color(colors).try_get_matches_from(arguments);
        let parsed = matches.and_then(|mut matches| Self::from_arg_matches_mut(&mut matches));
        parsed.map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => error.exit(),
            _ => Failure::usage(format!("{}; see `kvfs --help`", summary(&error.to_string()))),
        })
    }

    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Text }
    }
}

/// The first paragraph of what clap says, on one line.
fn summary(text: &str) -> String {
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    let joined = lines.collect::<Vec<_>>().join(" ");
    joined.strip_prefix("error: ").unwrap_or(&joined).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Choice;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_wrong_fits_on_a_line() {
        for (arguments, reason) in [
            (vec!["kvfs"], "requires a subcommand"),
            (vec!["kvfs", "put"], "not provided: <PATH>"),
            (vec!["kvfs", "frob"], "unrecognized subcommand 'frob'"),
            (vec!["kvfs", "ls", "--frob"], "unexpected argument '--frob'"),
            (vec!["kvfs", "mv", "a"], "<TO>"),
            (vec!["kvfs", "lock", "a"], "<COMMAND>"),
            (vec!["kvfs", "config"], "requires a subcommand"),
            (vec!["kvfs", "lock", "a", "ls"], "unexpected argument 'ls'"),
            (vec!["kvfs", "lock", "a", "--wait=-1s", "--", "ls"], "not negative"),
            (vec!["kvfs", "lock", "a", "--wait=0s", "--", "ls"], "try-lock"),
            (vec!["kvfs", "try-lock", "a", "--ttl=x", "--", "ls"], "like 30s"),
            (vec!["kvfs", "watch", "--after=x"], "--after"),
            (vec!["kvfs", "ls", "-q", "-v"], "cannot be used with"),
            (vec!["kvfs", "--color=pink", "ls"], "pink"),
            (vec!["kvfs", "du", "-s", "-d", "1"], "cannot be used with"),
            (vec!["kvfs", "tree", "-L", "0"], "0 is not in 1.."),
            (vec!["kvfs", "cat"], "<PATH>..."),
            (vec!["kvfs", "bench", "--clients", "0"], "0 is not in 1.."),
            (vec!["kvfs", "bench", "--seconds", "x"], "invalid digit"),
            (vec!["kvfs", "completions", "dos"], "invalid value 'dos'"),
            (vec!["kvfs", "quarantine", "rm"], "<ID>"),
            (vec!["kvfs", "quarantine", "frob"], "unrecognized subcommand"),
        ] {
            let failure = Cli::read(arguments.iter().map(OsString::from)).unwrap_err();
            let Failure::Told { exit, message, .. } = failure else { panic!("it should be told") };
            assert_eq!(exit, Exit::Usage);
            assert!(message.contains(reason) && !message.contains('\n'), "{message:?}");
            assert!(message.ends_with("; see `kvfs --help`"), "{message:?}");
        }
    }

    #[test]
    fn global_options_may_stand_behind_the_command() {
        let cli =
            Cli::read(["kvfs", "put", "a", "-", "--json", "--store", "memory:"].map(Into::into)).unwrap();
        assert_eq!(cli.format(), Format::Json);
        assert_eq!(cli.given.choice().unwrap(), Choice::Url("memory:".to_owned()));
    }
}
