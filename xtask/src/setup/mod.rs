//! What building and testing need beyond Rust and a C linker: found, or installed without root and without a question.

mod components;
mod etcd;
mod protoc;

use std::process::Command;

use anyhow::Result;

use self::protoc::Protoc;
use crate::process;

/// How far [`ensure`] goes for what is useful but not necessary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Get what building needs, and nothing that only checks and tests use.
    Building,
    /// Be content with one etcd.
    Sufficient,
    /// Get every version of etcd that can be had.
    Everything,
}

/// Finds or installs everything and prints a line for each thing.
pub(crate) fn ensure(effort: Effort) -> Result<Tools> {
    if effort == Effort::Building {
        return Ok(Tools { protoc: protoc::ensure()? });
    }
    components::ensure()?;
    let protoc = protoc::ensure()?;
    etcd::ensure(effort)?;
    Ok(Tools { protoc })
}

/// What later commands of cargo have to be told.
#[derive(Debug)]
pub(crate) struct Tools {
    protoc: Protoc,
}

impl Tools {
    /// cargo, able to build every member of the workspace.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = process::cargo();
        self.configure(&mut cargo);
        cargo
    }

    /// Tells a `command` that will run cargo where the tools are.
    pub(crate) fn configure<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        self.protoc.configure(command)
    }
}

/// The one line that says where `tool` is.
fn report(tool: &str, found: &str) {
    println!("{tool:<8} {found}");
}
