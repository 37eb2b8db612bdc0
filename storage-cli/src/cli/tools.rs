//! The command line of the operator's tools.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::Shell;

#[derive(Debug, Subcommand)]
pub(crate) enum Tools {
    /// Check every file with its checksum, and every key of the tree; 5 if anything is damaged.
    ///
    /// Prints a line for everything that is wrong. The code is 0 only if every file is whole: 5 if any is damaged, also if
    /// --repair has moved it away. Keys that are no file's are told of and do not change the code. What others write
    /// meanwhile is no damage.
    Verify(Verify),
    /// Show what `verify --repair` has moved to the quarantine, save it, put it back, or delete it for good.
    Quarantine(Quarantine),
    /// Add up the sizes of files, for each directory.
    Du(Du),
    /// Draw the files and directories as a tree.
    Tree(Tree),
    /// Write the contents of files to standard output, one after the other.
    ///
    /// All of them are of one revision, if they fit into one answer of the store. A file that cannot be read is told of on
    /// standard error, and the others are written all the same; the code is that of the worst.
    Cat(Cat),
    /// Measure how fast the store is: throughput and latencies of every kind of operation.
    ///
    /// Works in a tree of its own below the prefix, `kvfs-bench-…`, and removes it in the end. Nothing else is touched;
    /// others who use the store will notice the load. The floor is one bare call of the store.
    Bench(Bench),
    /// Print the completions of a shell.
    Completions(Completions),
    /// Print the manual page, or write the pages of all commands to a directory.
    Man(Man),
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// A file or directory; the whole tree, with all its keys, if it is not given.
    #[arg(default_value = "", hide_default_value = true)]
    pub(crate) path: String,
    /// Move damaged files to the quarantine, byte for byte. Nothing is deleted; files that a later kvfs has written, and
    /// whatever may be whole, are left alone.
    #[arg(long)]
    pub(crate) repair: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Quarantine {
    #[command(subcommand)]
    pub(crate) command: Option<QuarantineCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineCommand {
    /// List what is in the quarantine; what `kvfs quarantine` does.
    List,
    /// Write what lay where the content belongs, as it was, to standard output or to a local file.
    Get(QuarantineGet),
    /// Move a file back to its path, if it is whole and nothing is in the way.
    Restore(QuarantineId),
    /// Delete a file from the quarantine, for good.
    Rm(QuarantineId),
}

#[derive(Debug, Args)]
pub(crate) struct QuarantineGet {
    #[command(flatten)]
    pub(crate) id: QuarantineId,
    /// The local file to write, readable by its owner only; replaced if it exists.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write what lay where the metadata record belongs instead.
    #[arg(long)]
    pub(crate) metadata: bool,
}

#[derive(Debug, Args)]
pub(crate) struct QuarantineId {
    /// Its name in the quarantine: 16 hexadecimal digits, which `kvfs quarantine` shows.
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct Du {
    /// A file or directory; the whole tree if it is not given.
    #[arg(default_value = "", hide_default_value = true)]
    pub(crate) path: String,
    /// Show the sum only.
    #[arg(short, long, conflicts_with = "depth")]
    pub(crate) summarize: bool,
    /// Show directories down to this depth only; 0 is the same as --summarize.
    #[arg(short = 'd', long, value_name = "DEPTH")]
    pub(crate) depth: Option<usize>,
    /// Show sizes in KiB, MiB and GiB instead of bytes.
    #[arg(long)]
    pub(crate) human: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Tree {
    /// A directory; the whole tree if it is not given.
    #[arg(default_value = "", hide_default_value = true)]
    pub(crate) path: String,
    /// Show what lies down to this depth only, at least 1.
    #[arg(short = 'L', long, value_name = "DEPTH", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) depth: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct Cat {
    /// The files' paths in the tree.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// How long to measure in all.
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) seconds: u32,
    /// The size of the files in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 4_096)]
    pub(crate) size: usize,
    /// How many operations are under way at the same time.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) clients: u16,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The directory to write `kvfs.1`, `kvfs-put.1` and so on to, made if need be.
    pub(crate) dir: Option<PathBuf>,
}
