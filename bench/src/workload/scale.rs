//! Whether single files cost more in a large tree than in a small one: two servers, which take turns.

use std::sync::Arc;

use anyhow::Result;

use crate::bench::Bench;
use crate::contender::{Contender, Kvfs};
use crate::race::{Race, Sample};
use crate::row::Figure;
use crate::servers::Servers;
use crate::trees::{Shape, Tree, certificate_path, content};

const SMALL: Tree = Tree { shape: Shape::Wide, files: 1_000 };
const BYTES: usize = 2_048;

/// What is done with single files.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Store,
    Load,
}

/// The small tree against the large one at these endpoints.
pub(super) async fn run(bench: &mut Bench, workloads: &[(String, What)], large: &[String]) -> Result<()> {
    if workloads.is_empty() {
        return Ok(());
    }
    let servers = Servers::one(bench.binary())?;
    let small = Kvfs::on_etcd(&servers.endpoints(), "/kvfs").await?;
    SMALL.fill(small.storage(), &content(64)).await?;
    let small: Arc<dyn Contender> = Arc::new(small);
    let large: Arc<dyn Contender> = Arc::new(Kvfs::on_etcd(large, "/kvfs").await?);
    for (name, what) in workloads {
        let mut race = Race::new(name.clone(), Figure::Latency, 10);
        for (called, who) in [("kvfs, 1,000 files", &small), ("kvfs, this many", &large)] {
            let (who, what, content) = (who.clone(), *what, content(BYTES));
            race = race.enter(called, move |turn| {
                let (who, content) = (who.clone(), content.clone());
                async move {
                    let path = |number| format!("at-size/{}", certificate_path(number));
                    match what {
                        What::Store => {
                            let paths: Vec<_> = turn.numbers().map(path).collect();
                            Sample::of_each(&paths, |path| who.store(path, &content)).await
                        }
                        What::Load => {
                            let path = &path(0);
                            if turn.is_first() {
                                who.store(path, &content).await?;
                            }
                            Sample::of_each(turn.numbers(), |_| async {
                                who.load(path).await?;
                                Ok(())
                            })
                            .await
                        }
                    }
                }
            });
        }
        bench.hold(race).await;
    }
    Ok(())
}
