//! How much memory `kvfs import` takes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;
use tokio::time::interval;

use super::memory::{self, MIB};
use crate::bench::Bench;
use crate::row::Fact;
use crate::servers::Servers;
use crate::trees::{certificate_path, content};

const BYTES: usize = 2_048;
/// Between two looks at the memory of the process.
const LOOK: Duration = Duration::from_millis(10);

pub(super) async fn run(bench: &mut Bench) -> Result<()> {
    let files = bench.quick_or_full(2_000, 100_000);
    let name = format!("import-memory/{files}");
    if !bench.wants(&name) {
        return Ok(());
    }
    eprintln!("{name}");
    let servers = Servers::one(bench.binary())?;
    let directory = tempfile::tempdir()?;
    fill(directory.path(), files)?;
    let store = servers.endpoints()[0].replace("http://", "etcd://");
    let mut import = Command::new(kvfs())
        .arg("import")
        .args(["--quiet", "--store", &format!("{store}/imported")])
        .arg(directory.path())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start kvfs: `cargo xtask bench` builds it")?;
    let process = import.id().context("it has ended already")?;
    let (mut peak, mut looks) = (0, interval(LOOK));
    let status = loop {
        tokio::select! {
            status = import.wait() => break status?,
            // Once it has ended there is nothing to be seen.
            _ = looks.tick() => peak = memory::peak(process).unwrap_or(peak),
        }
    };
    ensure!(status.success(), "kvfs import has failed: {status}");
    ensure!(peak > 0, "it has ended before its memory was looked at");
    #[expect(clippy::cast_precision_loss, reason = "far fewer bytes than 2^52")]
    let value = peak as f64 / MIB;
    bench.note(Fact { name, contender: "kvfs import, altogether".to_owned(), value, unit: "MiB" });
    Ok(())
}

/// Makes files as an ACME client keeps them.
fn fill(directory: &Path, files: u64) -> Result<()> {
    let content = content(BYTES);
    for number in 0..files {
        let file = directory.join(certificate_path(number));
        std::fs::create_dir_all(file.parent().context("a path has a parent")?)?;
        std::fs::write(file, &content)?;
    }
    Ok(())
}

/// The command, as `cargo xtask bench` has built it.
fn kvfs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug/kvfs")
}
