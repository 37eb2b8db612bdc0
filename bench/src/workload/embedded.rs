//! On the disk of one machine.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use kv_sqlite::{Durability, SqliteOptions};

use super::{directories, files, groups, locks};
use crate::bench::Bench;
use crate::contender::{CertMagic, Contenders, Kvfs};

pub(super) async fn run(bench: &mut Bench) -> Result<()> {
    if !bench.wants_some("disk/") {
        return Ok(());
    }
    // Beside the program, since the temporary folder may be no disk at all.
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    std::fs::create_dir_all(&target).with_context(|| format!("cannot create {}", target.display()))?;
    let directory = tempfile::tempdir_in(&target).context("cannot create a directory")?;
    let at = |name| directory.path().join(name);
    let normal = SqliteOptions::default().with_durability(Durability::Normal);
    let contenders: Contenders = vec![
        Arc::new(CertMagic::in_directory(&at("files"))),
        Arc::new(Kvfs::in_file(&at("full.db"), "kvfs on kv-sqlite", SqliteOptions::default()).await?),
        Arc::new(Kvfs::in_file(&at("normal.db"), "kvfs, Durability::Normal", normal).await?),
    ];
    files::run(bench, "disk", &contenders, &[2_048], 10).await;
    // FileStorage takes seconds to fill and delete a large one.
    let sizes = bench.quick_or_full(&[10][..], &[10, 1_000][..]);
    directories::run(bench, "disk", &contenders, sizes).await;
    groups::run(bench, "disk", &contenders).await;
    locks::run(bench, "disk", &contenders).await;
    Ok(())
}
