//! The figures: as a table, as JSON, as plots.

mod goals;
mod markdown;
mod plots;
pub(crate) mod table;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::machine::Machine;
use crate::row::{Fact, Row};

/// A whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) mode: String,
    pub(crate) date: String,
    pub(crate) machine: Machine,
    pub(crate) rows: Vec<Row>,
    pub(crate) facts: Vec<Fact>,
}

/// Prints the table, writes JSON and plots. Only what is to be recorded changes the checkout.
pub(crate) fn give(report: &Report, record: bool) -> Result<()> {
    println!();
    table::print(report);
    let directory = directory(record);
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    println!();
    let json = serde_json::to_string_pretty(report)? + "\n";
    for (extension, text) in [("json", json), ("md", markdown::write(report)?)] {
        let file = directory.join("figures").with_extension(extension);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        println!("written: {}", file.display());
    }
    for plot in plots::draw(&report.rows, &directory)? {
        println!("written: {}", plot.display());
    }
    Ok(())
}

fn directory(record: bool) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    if record { here.join("../docs/performance") } else { here.join("target/performance") }
}
