//! The nodes: each command is a process of its own.

use std::path::Path;
use std::process::{Child, Command};

use anyhow::{Result, bail};

use crate::process;

/// A machine of the cluster: it knows the store, and nothing else.
pub(super) struct Node<'n> {
    pub(super) kvfs: &'n Path,
    pub(super) store: Store<'n>,
}

/// How a node is told of the store.
pub(super) enum Store<'n> {
    /// It is not: the store is the one that belongs to the user with this home directory.
    Home(&'n Path),
    Url(&'n str),
}

impl Node<'_> {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = process::command(self.kvfs);
        match self.store {
            Store::Home(home) => command.env_remove("XDG_DATA_HOME").env("HOME", home),
            Store::Url(url) => command.env("KVFS_STORE", url),
        };
        command.args(args);
        command
    }

    /// Runs a command for the person who watches.
    pub(super) fn show(&self, args: &[&str]) -> Result<()> {
        process::run(&mut self.command(args))
    }

    /// Starts a command and does not wait for its end.
    pub(super) fn start(&self, args: &[&str]) -> Result<Child> {
        process::start(&mut self.command(args))
    }

    pub(super) fn capture(&self, args: &[&str]) -> Result<String> {
        process::capture(&mut self.command(args))
    }

    /// Runs a command that must fail with this exit code.
    pub(super) fn fail(&self, code: i32, args: &[&str]) -> Result<()> {
        match process::run_to_code(&mut self.command(args))? {
            Some(found) if found == code => {
                println!("exit code {code}");
                Ok(())
            }
            found => bail!("exit code {found:?} instead of {code}"),
        }
    }
}
