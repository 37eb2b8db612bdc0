//! `cargo xtask demo`: two nodes share a tree of certificates and a lock, first without any server, then through a real
//! cluster of etcds that loses a member in the middle; for a person to watch.

mod cluster;
mod compare;
mod embedded;
mod locks;
mod node;
mod tree;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use self::node::Node;
use self::tree::Tree;
use crate::process;
use crate::setup::{self, Effort, Tools};

/// How many sites the tree has certificates for.
const DOMAINS: usize = 300;

pub(crate) fn run() -> Result<()> {
    let tools = setup::ensure(Effort::Sufficient)?;
    let kvfs = build(&tools)?;
    let started = now();
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;

    heading("What a TLS server keeps, on the disk of node A");
    let disk = folder.path().join("node-a");
    let tree = tree::generate(&disk, DOMAINS)?;
    println!(
        "{} files, {} bytes: an account, and key, certificate, metadata and staple of {DOMAINS} sites",
        tree.files, tree.bytes
    );
    let demo = Demo { kvfs: &kvfs, folder: folder.path(), disk: &disk, tree: &tree };

    embedded::show(&demo)?;
    cluster::show(&demo)?;

    println!(
        "\nDone in {:.1} s. The servers are stopped, their data and the folders are removed.",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// What both halves work with.
struct Demo<'d> {
    kvfs: &'d Path,
    /// Where everything may be written.
    folder: &'d Path,
    /// Where the tree is on the disk.
    disk: &'d Path,
    tree: &'d Tree,
}

impl Demo<'_> {
    /// The directory of one of the sites.
    fn site(&self) -> String {
        format!("certificates/{}/{}", tree::ISSUER, self.tree.example)
    }

    /// Where the embedded store is, which belongs to whoever has this home directory.
    fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// Exports the tree through a node, and compares it with what was imported.
    fn compare(&self, node: &Node<'_>, target: &str) -> Result<()> {
        let target = self.folder.join(target);
        node.show(&["export", "/", text(&target)?])?;
        let same = compare::trees(self.disk, &target)?;
        ensure!(
            same.files == self.tree.files,
            "{} files are compared, {} were made",
            same.files,
            self.tree.files
        );
        println!("\n{} files, {} bytes: every byte is that of node A's disk.", same.files, same.bytes);
        Ok(())
    }
}

/// Builds `kvfs`, and answers where it is.
fn build(tools: &Tools) -> Result<PathBuf> {
    const BUILD: [&str; 4] = ["build", "--quiet", "--package", "storage-cli"];
    process::run(tools.cargo().args(BUILD))?;
    let messages = process::capture(tools.cargo().args(BUILD).arg("--message-format=json"))?;
    let mut executables = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    executables.next_back().context("cargo does not say where it put kvfs")
}

fn heading(text: &str) {
    println!("\n== {text}");
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

#[expect(clippy::disallowed_methods, reason = "a person waits for this; there is no time to pause")]
fn now() -> Instant {
    Instant::now()
}
