//! The command line for moving whole trees.

use std::ffi::OsString;

use clap::Args;

/// What a location is, for `--help`.
const LOCATIONS: &str = "\
Locations:
  store:[PATH]    a file or directory in the store of --store, --config or the environment
  URL[#PATH]      the same in the store with this URL, as in etcd://host:2379/prefix#sites
  tar:FILE        a tar file, as `caddy storage export` and `tar` write it; so is FILE.tar
  -               a tar on standard input or output
  anything else   a local file or directory";

#[derive(Debug, Args)]
#[command(after_help = LOCATIONS)]
pub(crate) struct Import {
    /// A local directory, a tar file, - for a tar on standard input, or any other location.
    #[arg(value_name = "SOURCE")]
    pub(crate) source: OsString,
    /// The directory in the tree, which need not exist.
    #[arg(default_value = "", hide_default_value = true)]
    pub(crate) path: String,
    #[command(flatten)]
    pub(crate) hidden: Hidden,
}

#[derive(Debug, Args)]
#[command(after_help = LOCATIONS)]
pub(crate) struct Export {
    /// A path in the tree; "" is the whole tree.
    pub(crate) path: String,
    /// A local directory, made if need be, a tar file, - for a tar on standard output, or any other location.
    #[arg(value_name = "TARGET")]
    pub(crate) target: OsString,
    /// Replace what has another content.
    #[arg(short, long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
#[command(after_help = LOCATIONS)]
pub(crate) struct Cp {
    #[command(flatten)]
    pub(crate) ends: Ends,
    #[command(flatten)]
    pub(crate) hidden: Hidden,
}

#[derive(Debug, Args)]
#[command(after_help = LOCATIONS)]
pub(crate) struct Sync {
    #[command(flatten)]
    pub(crate) ends: Ends,
    /// Delete what DST has and SRC has not, when everything is copied.
    #[arg(long)]
    pub(crate) delete: bool,
    /// Say what would be done, and change nothing.
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) hidden: Hidden,
}

#[derive(Debug, Args)]
#[command(after_help = LOCATIONS)]
pub(crate) struct Diff {
    /// A location.
    #[arg(value_name = "A")]
    pub(crate) one: OsString,
    /// Another location.
    #[arg(value_name = "B")]
    pub(crate) other: OsString,
    #[command(flatten)]
    pub(crate) hidden: Hidden,
}

/// From where to where.
#[derive(Debug, Args)]
pub(crate) struct Ends {
    /// The location to read.
    #[arg(value_name = "SRC")]
    pub(crate) source: OsString,
    /// The location to write.
    #[arg(value_name = "DST")]
    pub(crate) target: OsString,
}

/// What of a local directory counts.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Hidden {
    /// Of a local directory, take also what is left out otherwise: dot files, and the locks and temporary files of
    /// certmagic's `FileStorage`.
    #[arg(short, long)]
    pub(crate) all: bool,
}
