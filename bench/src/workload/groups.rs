//! Files that belong together: a certificate with its key, and as many as a transaction can hold.

use anyhow::Context as _;

use crate::bench::Bench;
use crate::contender::Contenders;
use crate::race::{Race, Sample};
use crate::row::Figure;
use crate::trees::{certificate_path, content};

const SIZES: [u64; 2] = [3, 64];
const BYTES: usize = 2_048;

pub(super) async fn run(bench: &mut Bench, group: &str, contenders: &Contenders) {
    let able: Contenders = contenders.iter().filter(|who| who.groups().is_some()).cloned().collect();
    for size in SIZES {
        store(bench, group, &able, size).await;
        load(bench, group, &able, size).await;
    }
}

async fn store(bench: &mut Bench, group: &str, able: &Contenders, size: u64) {
    let name = format!("{group}/store-many/{size}");
    if !bench.wants(&name) {
        return;
    }
    let content = content(BYTES);
    let race = Race::new(name, Figure::Latency, 3).enter_all(able, move |who, turn| {
        let files: Vec<Vec<_>> = turn
            .numbers()
            .map(|number| {
                let path = |file| format!("bundles-{size}/{number}/{}", certificate_path(file));
                (0..size).map(|file| (path(file), content.clone())).collect()
            })
            .collect();
        async move {
            let groups = who.groups().context("it has no groups")?;
            Sample::of_each(&files, |files| groups.store(files)).await
        }
    });
    bench.hold(race).await;
}

async fn load(bench: &mut Bench, group: &str, able: &Contenders, size: u64) {
    let name = format!("{group}/load-many/{size}");
    if !bench.wants(&name) {
        return;
    }
    let content = content(BYTES);
    let race = Race::new(name, Figure::Latency, 5).enter_all(able, move |who, turn| {
        let paths: Vec<_> =
            (0..size).map(|file| format!("loaded-{size}/{}", certificate_path(file))).collect();
        let content = content.clone();
        async move {
            let groups = who.groups().context("it has no groups")?;
            if turn.is_first() {
                let files: Vec<_> = paths.iter().map(|path| (path.clone(), content.clone())).collect();
                groups.store(&files).await?;
            }
            let expected = BYTES * paths.len();
            let paths = &paths;
            Sample::of_each(turn.numbers(), |_| async move {
                anyhow::ensure!(groups.load(paths).await? == expected, "not what was stored");
                Ok(())
            })
            .await
        }
    });
    bench.hold(race).await;
}
