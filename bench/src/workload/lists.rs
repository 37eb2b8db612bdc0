//! Lists, names only. The bare client asks for all keys at once, of the tree that kvfs has stored.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use etcd_client::GetOptions;

use crate::bench::Bench;
use crate::contender::{Contenders, Depth, Raw};
use crate::race::{Budget, Race, Sample};
use crate::row::Figure;
use crate::trees::{Shape, Tree};

/// Keys in a page.
const PAGE: u64 = 1_000;

/// All files of a tree.
pub(super) async fn recursive(bench: &mut Bench, name: String, tree: Tree, contenders: &Contenders) {
    let expected = usize::try_from(tree.files).unwrap_or(usize::MAX);
    let race =
        list(Race::new(name, Figure::Latency, 1), tree.directory(), Depth::Descendants, expected, contenders);
    hold(bench, race).await;
}

/// A list of a million files takes seconds.
async fn hold(bench: &mut Bench, race: Race) {
    let time = Duration::from_secs(bench.quick_or_full(2, 20));
    bench.hold_for(race, Budget { rounds: 30, time }).await;
}

/// What is directly in the directory of a tree that has most children. For few and large subdirectories the floor is a page
/// of each, since nobody has to look at all.
pub(super) async fn children(
    bench: &mut Bench,
    name: String,
    tree: Tree,
    raw: &Arc<Raw>,
    contenders: &Contenders,
) {
    let first = tree.path(0);
    let below_tree = &first[tree.directory().len() + 1..];
    let directory = match tree.shape {
        Shape::Wide => {
            below_tree.split('/').next().map(|authority| format!("{}/{authority}", tree.directory()))
        }
        Shape::Deep | Shape::Ten => None,
    };
    let directory = directory.unwrap_or_else(|| tree.directory());
    let names = (0..tree.files).map(|number| child(&tree.path(number), &directory));
    let expected = names.collect::<BTreeSet<_>>().len();

    let mut race = Race::new(name, Figure::Latency, 1);
    if tree.shape == Shape::Ten {
        let raw = raw.clone();
        race = race.enter("raw, 10 pages", move |turn| {
            let raw = raw.clone();
            async move {
                Sample::of_each(turn.numbers(), |_| async {
                    for subdirectory in 0..10 {
                        let bound = |number: u64| raw.meta(&tree.path(number * 10 + subdirectory));
                        let options = GetOptions::new().with_range(bound(PAGE)).with_keys_only();
                        raw.kv().get(bound(0), Some(options)).await?;
                    }
                    Ok(())
                })
                .await
            }
        });
    }
    hold(bench, list(race, directory, Depth::Children, expected, contenders)).await;
}

fn list(race: Race, directory: String, depth: Depth, expected: usize, contenders: &Contenders) -> Race {
    race.enter_all(contenders, move |who, turn| {
        let directory = directory.clone();
        async move {
            Sample::of_each(turn.numbers(), |_| async {
                let listed = who.list(&directory, depth).await?;
                ensure!(listed == expected, "{listed} entries, not {expected}");
                Ok(())
            })
            .await
        }
    })
}

/// The name of the child of a directory at or above this path.
fn child(path: &str, directory: &str) -> String {
    path[directory.len() + 1..].split('/').next().unwrap_or_default().to_owned()
}
