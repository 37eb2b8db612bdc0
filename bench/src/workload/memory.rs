//! How much memory processes had.

use std::fmt::Display;
use std::fs;

use anyhow::{Context as _, Result, bail};

pub(super) const MIB: f64 = 1_048_576.0;

/// The most memory that a process had at a time so far, in bytes: the one of this number, or `self`.
pub(super) fn peak(process: impl Display) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))
        .context("only Linux tells how much memory was used, and that of processes that run")?;
    let Some(peak) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) else {
        bail!("the system does not tell how much memory was used")
    };
    let kib: u64 = peak.trim().trim_end_matches("kB").trim().parse().context("the peak is no number")?;
    Ok(kib * 1024)
}
