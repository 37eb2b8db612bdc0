//! A lock that nobody else wants.

use anyhow::Context as _;

use crate::bench::Bench;
use crate::contender::{Contender, Contenders};
use crate::race::{Race, Sample};
use crate::row::Figure;

pub(super) async fn run(bench: &mut Bench, group: &str, contenders: &Contenders) {
    let name = format!("{group}/lock-and-unlock");
    if !bench.wants(&name) {
        return;
    }
    let able: Contenders = contenders.iter().filter(|who| who.locks().is_some()).cloned().collect();
    let race = Race::new(name, Figure::Latency, 5).enter_all(&able, |who, turn| async move {
        let who: &dyn Contender = &*who;
        let locks = who.locks().context("it has no locks")?;
        Sample::of_each(turn.numbers(), |_| async move {
            locks.lock("issue_cert_example.com").await?.unlock().await
        })
        .await
    });
    bench.hold(race).await;
}
