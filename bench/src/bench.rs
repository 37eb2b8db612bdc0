//! A run: which workloads are wanted, how long each may take, and what came out.

use std::time::Duration;

use anyhow::Result;
use etcd_process::EtcdBinary;

use crate::machine::Machine;
use crate::options::{Mode, Options};
use crate::race::{Budget, Race};
use crate::report::{self, Report};
use crate::row::{Fact, Row};
use crate::servers::Servers;
use crate::workload;

/// A run under way.
pub(crate) struct Bench {
    options: Options,
    binary: EtcdBinary,
    rows: Vec<Row>,
    facts: Vec<Fact>,
}

impl Bench {
    /// Runs what is wanted, prints the table and writes the figures.
    pub(crate) async fn run(options: Options) -> Result<()> {
        let binary = Servers::binary()?;
        let mut bench = Self { options, binary, rows: Vec::new(), facts: Vec::new() };
        workload::run_all(&mut bench).await?;
        if bench.options.list {
            return Ok(());
        }
        let report = Report {
            mode: format!("{:?}", bench.options.mode).to_lowercase(),
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            machine: Machine::this(&bench.binary.version),
            rows: bench.rows,
            facts: bench.facts,
        };
        report::give(&report, bench.options.record)
    }

    /// The etcd that is measured.
    pub(crate) fn binary(&self) -> &EtcdBinary {
        &self.binary
    }

    /// Whether this is the long run.
    pub(crate) fn is_full(&self) -> bool {
        self.options.mode == Mode::Full
    }

    /// Whether the names of the workloads are printed, and nothing is measured.
    pub(crate) fn only_lists(&self) -> bool {
        self.options.list
    }

    /// One of two, by how long the run is.
    pub(crate) fn quick_or_full<T>(&self, quick: T, full: T) -> T {
        if self.is_full() { full } else { quick }
    }

    /// Whether a workload is wanted. If names are to be listed it prints the name.
    pub(crate) fn wants(&self, name: &str) -> bool {
        let is_wanted = name.starts_with(&self.options.only);
        if is_wanted && self.options.list {
            println!("{name}");
        }
        is_wanted && !self.options.list
    }

    /// Whether a workload whose name begins so may be wanted.
    pub(crate) fn wants_some(&self, beginning: &str) -> bool {
        let only = &self.options.only;
        only.starts_with(beginning) || beginning.starts_with(only)
    }

    /// Lets contenders take turns, and keeps the result.
    pub(crate) async fn hold(&mut self, race: Race) {
        let budget = self.quick_or_full(
            Budget { rounds: 30, time: Duration::from_secs(2) },
            Budget { rounds: 200, time: Duration::from_secs(5) },
        );
        self.hold_for(race, budget).await;
    }

    /// As [`hold`](Self::hold), for what takes long.
    pub(crate) async fn hold_for(&mut self, race: Race, budget: Budget) {
        let race = race.among(&self.options.contender);
        if race.is_empty() {
            return;
        }
        eprintln!("{}", race.name());
        self.rows.push(race.run(budget).await);
    }

    /// Keeps a figure that is no time.
    pub(crate) fn note(&mut self, fact: Fact) {
        self.facts.push(fact);
    }
}
