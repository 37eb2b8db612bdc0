//! From nothing to the first file: connecting, opening, loading.

use std::sync::Arc;

use anyhow::Result;

use crate::bench::Bench;
use crate::contender::{CertMagic, Contender, Kvfs, OpenDal, Raw};
use crate::race::{Race, Sample};
use crate::row::Figure;
use crate::servers::Servers;
use crate::trees::content;

const PATH: &str = "start/example.com.crt";

pub(super) async fn run(bench: &mut Bench) -> Result<()> {
    let name = "start/first-load";
    if !bench.wants(name) {
        return Ok(());
    }
    let servers = Servers::one(bench.binary())?;
    let content = content(2_048);
    for contender in servers.contenders().await? {
        contender.store(PATH, &content).await?;
    }
    let mut race = Race::new(name, Figure::Latency, 1);
    for (index, called) in ["raw", "kvfs", "certmagic", "OpenDAL"].into_iter().enumerate() {
        let endpoints = servers.endpoints();
        race = race.enter(called, move |turn| {
            let endpoints = endpoints.clone();
            async move {
                Sample::of_each(turn.numbers(), |_| async {
                    let contender: Arc<dyn Contender> = match index {
                        0 => Arc::new(Raw::connect(&endpoints, "/raw").await?),
                        1 => Arc::new(Kvfs::on_etcd(&endpoints, "/kvfs").await?),
                        2 => Arc::new(CertMagic::on_etcd(&endpoints).await?),
                        _ => Arc::new(OpenDal::on_etcd(&endpoints)?),
                    };
                    contender.load(PATH).await?;
                    Ok(())
                })
                .await
            }
        });
    }
    bench.hold(race).await;
    Ok(())
}
