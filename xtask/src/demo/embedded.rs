//! The first half: no server, the store is a file.

use anyhow::{Result, ensure};

use super::node::{Node, Store};
use super::{Demo, heading, locks, text};

pub(super) fn show(demo: &Demo<'_>) -> Result<()> {
    let home = demo.home();
    let node = || Node { kvfs: demo.kvfs, store: Store::Home(&home) };
    let (node_a, node_b) = (node(), node());
    let site = demo.site();

    heading("Without a server. Node A imports it: one process");
    node_a.show(&["-v", "import", text(demo.disk)?])?;

    heading("Node B looks around: other processes, which share nothing with node A but the file");
    node_b.show(&["ls"])?;
    node_b.show(&["ls", "-l", &site])?;
    node_b.show(&["stat", "certificates"])?;
    let listed = node_b.capture(&["--json", "ls", "-r"])?;
    let files = listed.lines().filter(|line| line.contains(r#""kind":"file""#)).count();
    ensure!(files == demo.tree.files, "{files} files are listed, {} were imported", demo.tree.files);
    println!("\n`kvfs --json ls -r` lists all {files} files.");

    heading("Node B exports it, and both disks are compared");
    demo.compare(&node_b, "node-b")?;

    heading("One node at a time: both want the lock `renew`");
    locks::take_turns(&node_a, &node_b)?;

    heading("A holder that is killed keeps the lock for no longer than its TTL");
    locks::outlive(&node_a, &node_b)?;

    heading("What goes wrong is said in a line");
    let file = demo.disk.join("last_clean.json");
    node_b.fail(4, &["put", &site, text(&file)?])?;
    node_b.fail(1, &["get", "certificates/nobody.example"])?;
    node_b.fail(2, &["put", "../outside", text(&file)?])
}
