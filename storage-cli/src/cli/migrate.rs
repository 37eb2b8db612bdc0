//! The command line of taking a tree over.

use std::time::Duration;

use clap::Args;
use storage_core::{FilePath, LayoutKind};

#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// The layout of the source: `caddy-etcd` for what the Go module has stored, or `native`.
    #[arg(long, value_name = "LAYOUT", value_parser = layout)]
    pub(crate) from: LayoutKind,
    /// The store to copy from, as for --store. No file in it is changed.
    pub(crate) source: String,
    /// The store to copy to. It needs a prefix of its own.
    pub(crate) destination: String,
    /// Only say what would be done.
    #[arg(long, conflicts_with = "cut_over")]
    pub(crate) dry_run: bool,
    /// Copy until nothing has changed for a while, while no other cut-over runs, and say what to switch.
    ///
    /// Members that run caddy-etcd have to be stopped first: nothing keeps them from writing, and what they write after the
    /// revision that is printed is not copied. While one of them holds a lock, or seems to, the cut-over is refused.
    #[arg(long)]
    pub(crate) cut_over: bool,
    /// How long nothing may change in the source before a cut-over is done.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = settle)]
    pub(crate) settle: Duration,
    /// What to do with files whose names kvfs refuses, or that have files below them: report them, which ends with code
    /// 4; skip them; or store them below another directory, with rename=DIRECTORY.
    #[arg(long, value_name = "HOW", default_value = "report", value_parser = refused)]
    pub(crate) refused: Refused,
    /// Remove files of the destination that the source does not have any more.
    #[arg(long)]
    pub(crate) delete: bool,
}

/// What becomes of files whose names are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Report,
    Skip,
    Rename(FilePath),
}

fn layout(text: &str) -> Result<LayoutKind, String> {
    text.parse().map_err(|_| "a layout is caddy-etcd or native".to_owned())
}

fn refused(text: &str) -> Result<Refused, String> {
    match (text, text.strip_prefix("rename=")) {
        ("report", _) => Ok(Refused::Report),
        ("skip", _) => Ok(Refused::Skip),
        (_, Some(directory)) => match FilePath::parse(directory) {
            Ok(directory) if !directory.is_root() => Ok(Refused::Rename(directory)),
            Ok(_) => Err("rename= is followed by a directory".to_owned()),
            Err(error) => Err(error.to_string()),
        },
        _ => Err("it is report, skip or rename=DIRECTORY".to_owned()),
    }
}

fn settle(text: &str) -> Result<Duration, String> {
    let duration: jiff::SignedDuration =
        text.parse().map_err(|_| "a duration is like 10s or 1m".to_owned())?;
    Duration::try_from(duration).map_err(|_| "it must not be negative".to_owned())
}
