//! The checksum alone, which is part of every store and load of kvfs and of no peer's.

use storage_core::Sha1Digest;

use super::files::SIZES;
use crate::bench::Bench;
use crate::race::{Race, Sample};
use crate::row::Figure;
use crate::trees::content;
use crate::workload::size_name;

pub(super) async fn run(bench: &mut Bench) {
    for &size in SIZES {
        let name = format!("sha1/{}", size_name(size));
        if !bench.wants(&name) {
            continue;
        }
        let content = content(size);
        let race = Race::new(name, Figure::Latency, 20).enter("SHA-1", move |turn| {
            let content = content.clone();
            async move {
                Sample::of_each(turn.numbers(), |_| {
                    std::hint::black_box(Sha1Digest::of(&content));
                    std::future::ready(Ok(()))
                })
                .await
            }
        });
        bench.hold(race).await;
    }
}
