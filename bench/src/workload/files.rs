//! Single files, one call after the other.

use crate::bench::Bench;
use crate::contender::{Contenders, Kind};
use crate::race::{Race, Sample};
use crate::row::Figure;
use crate::trees::{certificate_path, content};
use crate::workload::size_name;

/// 0.2, 2, 64 and 1,000 KiB.
pub(super) const SIZES: &[usize] = &[205, 2_048, 65_536, 1_024_000];
/// For what does not depend on the size: about a certificate.
const USUAL: usize = 2_048;

/// All operations on a file; `calls` of them in a turn.
pub(super) async fn run(
    bench: &mut Bench,
    group: &str,
    contenders: &Contenders,
    sizes: &[usize],
    calls: u64,
) {
    for &size in sizes {
        store_new(bench, group, contenders, size, calls).await;
        load(bench, group, contenders, size, calls).await;
    }
    store_again(bench, group, contenders, calls).await;
    stat(bench, group, contenders, calls).await;
    exists(bench, group, contenders, calls).await;
    delete(bench, group, contenders, calls).await;
}

async fn store_new(bench: &mut Bench, group: &str, contenders: &Contenders, size: usize, calls: u64) {
    let name = format!("{group}/store-new/{}", size_name(size));
    if !bench.wants(&name) {
        return;
    }
    let content = content(size);
    let race = Race::new(name, Figure::Latency, calls).enter_all(contenders, move |who, turn| {
        let content = content.clone();
        async move {
            let paths = turn.numbers().map(|number| format!("new-{size}/{}", certificate_path(number)));
            let paths: Vec<_> = paths.collect();
            let sample = Sample::of_each(&paths, |path| who.store(path, &content)).await?;
            if size > USUAL {
                // Large ones would fill the store.
                for path in &paths {
                    who.delete(path).await?;
                }
            }
            Ok(sample)
        }
    });
    bench.hold(race).await;
}

async fn store_again(bench: &mut Bench, group: &str, contenders: &Contenders, calls: u64) {
    let name = format!("{group}/store-again/{}", size_name(USUAL));
    if !bench.wants(&name) {
        return;
    }
    let content = content(USUAL);
    let race = Race::new(name, Figure::Latency, calls).enter_all(contenders, move |who, turn| {
        let content = content.clone();
        async move {
            let path = &format!("again/{}", certificate_path(0));
            Sample::of_each(turn.numbers(), |_| who.store(path, &content)).await
        }
    });
    bench.hold(race).await;
}

async fn load(bench: &mut Bench, group: &str, contenders: &Contenders, size: usize, calls: u64) {
    let name = format!("{group}/load/{}", size_name(size));
    if !bench.wants(&name) {
        return;
    }
    let content = content(size);
    let race = Race::new(name, Figure::Latency, calls).enter_all(contenders, move |who, turn| {
        let content = content.clone();
        async move {
            let path = &format!("loaded-{size}/{}", certificate_path(0));
            if turn.is_first() {
                who.store(path, &content).await?;
            }
            Sample::of_each(turn.numbers(), |_| async {
                anyhow::ensure!(who.load(path).await? == size, "not what was stored");
                Ok(())
            })
            .await
        }
    });
    bench.hold(race).await;
}

async fn stat(bench: &mut Bench, group: &str, contenders: &Contenders, calls: u64) {
    let name = format!("{group}/stat/file");
    if !bench.wants(&name) {
        return;
    }
    let content = content(USUAL);
    let race = Race::new(name, Figure::Latency, calls).enter_all(contenders, move |who, turn| {
        let content = content.clone();
        async move {
            let path = &format!("stat/{}", certificate_path(0));
            if turn.is_first() {
                who.store(path, &content).await?;
            }
            Sample::of_each(turn.numbers(), |_| who.stat(path)).await
        }
    });
    bench.hold(race).await;
}

async fn exists(bench: &mut Bench, group: &str, contenders: &Contenders, calls: u64) {
    const FILE: &str = "exists/sites/example.com/example.com.crt";
    let asked = [
        ("file", FILE, Kind::File, true),
        ("directory", "exists/sites/example.com", Kind::Directory, true),
        ("missing", "exists/sites/example.org/example.org.crt", Kind::File, false),
    ];
    for (what, path, kind, expected) in asked {
        let name = format!("{group}/exists/{what}");
        if !bench.wants(&name) {
            continue;
        }
        let content = content(USUAL);
        let race = Race::new(name, Figure::Latency, calls).enter_all(contenders, move |who, turn| {
            let content = content.clone();
            async move {
                if turn.is_first() {
                    who.store(FILE, &content).await?;
                }
                Sample::of_each(turn.numbers(), |_| async {
                    anyhow::ensure!(who.exists(path, kind).await? == expected, "the answer is wrong");
                    Ok(())
                })
                .await
            }
        });
        bench.hold(race).await;
    }
}

async fn delete(bench: &mut Bench, group: &str, contenders: &Contenders, calls: u64) {
    let name = format!("{group}/delete/file");
    if !bench.wants(&name) {
        return;
    }
    let content = content(USUAL);
    let race = Race::new(name, Figure::Latency, calls).enter_all(contenders, move |who, turn| {
        let content = content.clone();
        async move {
            let paths = turn.numbers().map(|number| format!("deleted/{}", certificate_path(number)));
            let paths: Vec<_> = paths.collect();
            for path in &paths {
                who.store(path, &content).await?;
            }
            Sample::of_each(&paths, |path| who.delete(path)).await
        }
    });
    bench.hold(race).await;
}
