//! Whole directories: asked after, and deleted.

use std::time::Duration;

use anyhow::Context as _;

use crate::bench::Bench;
use crate::contender::{Contenders, Groups};
use crate::race::{Budget, Race, Sample};
use crate::row::Figure;
use crate::trees::content;

/// In a file that is asked after.
const BYTES: usize = 1_024;
/// Files in a directory that is asked after.
const ASKED_AFTER: u64 = 300;
/// From this size on peers are left out that delete or store a file at a time: it would take the whole time.
pub(super) const MANY: u64 = 100_000;
/// Files that are stored together: as many as fit into a transaction of etcd.
const GROUP: usize = 60;

/// Directories of these sizes are deleted.
pub(super) async fn run(bench: &mut Bench, group: &str, contenders: &Contenders, sizes: &[u64]) {
    stat(bench, group, contenders).await;
    for &size in sizes {
        delete(bench, group, contenders, size).await;
    }
}

async fn stat(bench: &mut Bench, group: &str, contenders: &Contenders) {
    let name = format!("{group}/stat/directory-of-{ASKED_AFTER}");
    if !bench.wants(&name) {
        return;
    }
    let able: Contenders = contenders.iter().filter(|who| who.directories().is_some()).cloned().collect();
    let content = content(BYTES);
    let race = Race::new(name, Figure::Latency, 3).enter_all(&able, move |who, turn| {
        let content = content.clone();
        async move {
            if turn.is_first() {
                for number in 0..ASKED_AFTER {
                    who.store(&format!("asked/{number:06}.crt"), &content).await?;
                }
            }
            let directories = who.directories().context("it has no directories")?;
            Sample::of_each(turn.numbers(), |_| directories.stat("asked")).await
        }
    });
    bench.hold(race).await;
}

async fn delete(bench: &mut Bench, group: &str, contenders: &Contenders, size: u64) {
    let name = format!("{group}/delete/directory-of-{size}");
    if !bench.wants(&name) {
        return;
    }
    let able = |who: &&std::sync::Arc<dyn crate::contender::Contender>| {
        who.directories().is_some() && (size < MANY || who.groups().is_some())
    };
    let able: Contenders = contenders.iter().filter(able).cloned().collect();
    let content = content(64);
    let race = Race::new(name, Figure::Latency, 1).enter_all(&able, move |who, turn| {
        let content = content.clone();
        async move {
            let directory = format!("removed-{}", turn.number());
            let files = (0..size).map(|number| (format!("{directory}/{number:06}.crt"), content.clone()));
            let files: Vec<_> = files.collect();
            match who.groups() {
                Some(groups) => store_in_groups(groups, &files).await?,
                None => {
                    for (path, content) in &files {
                        who.store(path, content).await?;
                    }
                }
            }
            let directories = who.directories().context("it has no directories")?;
            Sample::of_each([directory], |directory| async move { directories.delete(&directory).await })
                .await
        }
    });
    let budget = Budget {
        rounds: if size < MANY { 10 } else { 3 },
        time: Duration::from_secs(bench.quick_or_full(3, 10)),
    };
    bench.hold_for(race, budget).await;
}

async fn store_in_groups(groups: &dyn Groups, files: &[(String, bytes::Bytes)]) -> anyhow::Result<()> {
    for group in files.chunks(GROUP) {
        groups.store(group).await?;
    }
    Ok(())
}
