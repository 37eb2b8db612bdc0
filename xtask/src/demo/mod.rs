//! `cargo xtask demo`: two processes share a tree of certificates and a lock through a real etcd, for a person to watch.

mod compare;
mod locks;
mod tree;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use etcd_process::{EtcdBinary, EtcdProcess};

use crate::process;
use crate::setup::{self, Effort, Tools};

/// How many sites the tree has certificates for.
const DOMAINS: usize = 300;

pub(crate) fn run() -> Result<()> {
    let tools = setup::ensure(Effort::Sufficient)?;
    let kvfs = build(&tools)?;
    let started = now();

    heading("A private etcd, on free ports");
    let binary = EtcdBinary::find_all().pop().context("there is no etcd, although the setup found one")?;
    let etcd = EtcdProcess::start(&binary).context("cannot start etcd")?;
    let store = format!("{}/caddy", etcd.endpoint().replace("http://", "etcd://"));
    println!("etcd {} at {}", binary.version, etcd.endpoint());

    heading("What a TLS server keeps, on the disk of node A");
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let (on_a, on_b) = (folder.path().join("node-a"), folder.path().join("node-b"));
    let tree = tree::generate(&on_a, DOMAINS)?;
    println!(
        "{} files, {} bytes: an account, and key, certificate, metadata and staple of {DOMAINS} sites",
        tree.files, tree.bytes
    );

    heading("Node A imports it: one process");
    let node_a = Node { kvfs: &kvfs, store: &store };
    node_a.show(&["import", text(&on_a)?])?;

    heading("Node B looks around: other processes, which share nothing with node A but the etcd");
    let node_b = Node { kvfs: &kvfs, store: &store };
    node_b.show(&["ls"])?;
    let site = format!("certificates/{}/{}", tree::ISSUER, tree.example);
    node_b.show(&["ls", "-l", &site])?;
    node_b.show(&["stat", "certificates"])?;
    let listed = node_b.capture(&["--json", "ls", "-r"])?;
    let files = listed.lines().filter(|line| line.contains(r#""kind":"file""#)).count();
    ensure!(files == tree.files, "{files} files are listed, {} were imported", tree.files);
    println!("\n`kvfs --json ls -r` lists all {files} files.");

    heading("What an operator sees in etcd");
    for part in ["data", "meta"] {
        let key = format!("/caddy/{part}/{site}/{}.crt", tree.example);
        let shown = etcd.etcdctl(&["get", "--prefix", &key]).context("cannot read with etcdctl")?;
        println!("$ etcdctl get --prefix {key}\n{}", shown.trim_end());
        let readable = if part == "data" { "-----BEGIN CERTIFICATE-----" } else { r#"{"version":1,"size":"# };
        ensure!(shown.contains(readable), "{key} should hold {readable}");
    }

    heading("Node B exports it, and both disks are compared");
    node_b.show(&["export", "/", text(&on_b)?])?;
    let same = compare::trees(&on_a, &on_b)?;
    ensure!(same.files == tree.files, "{} files are compared, {} were made", same.files, tree.files);
    println!("\n{} files, {} bytes: every byte of node B is that of node A.", same.files, same.bytes);

    heading("One node at a time: both want the lock `renew`");
    locks::take_turns(&node_a, &node_b)?;

    heading("A holder that is killed keeps the lock for no longer than its TTL");
    locks::outlive(&node_a, &node_b)?;

    heading("What goes wrong is said in a line");
    node_b.fail(4, &["put", &site, text(&on_a.join("last_clean.json"))?])?;
    node_b.fail(1, &["get", "certificates/nobody.example"])?;
    node_b.fail(2, &["put", "../outside", text(&on_a.join("last_clean.json"))?])?;

    println!(
        "\nDone in {:.1} s. The etcd is stopped, its data and the folders are removed.",
        started.elapsed().as_secs_f64()
    );
    Ok(())
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

/// A machine of the cluster: it knows the store, and nothing else.
struct Node<'n> {
    kvfs: &'n Path,
    store: &'n str,
}

impl Node<'_> {
    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = process::command(self.kvfs);
        command.env("KVFS_STORE", self.store).args(args);
        command
    }

    /// Runs a command for the person who watches.
    fn show(&self, args: &[&str]) -> Result<()> {
        process::run(&mut self.command(args))
    }

    /// Starts a command and does not wait for its end.
    fn start(&self, args: &[&str]) -> Result<std::process::Child> {
        process::start(&mut self.command(args))
    }

    fn capture(&self, args: &[&str]) -> Result<String> {
        process::capture(&mut self.command(args))
    }

    /// Runs a command that must fail with this exit code.
    fn fail(&self, code: i32, args: &[&str]) -> Result<()> {
        match process::run_to_code(&mut self.command(args))? {
            Some(found) if found == code => {
                println!("exit code {code}");
                Ok(())
            }
            found => bail!("exit code {found:?} instead of {code}"),
        }
    }
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
