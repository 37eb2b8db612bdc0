//! Endpoints that cannot even be connected to.

use std::time::Duration;

use anyhow::{Result, ensure};
use etcd_process::SynBlackHole;
use kv_etcd::EtcdBackend;
use tokio::time::Instant;

use crate::report::{Report, with_sources};
use crate::run::{GRACE, Setting, config};
use crate::tree::open;

/// Endpoints that drop every packet: one beside good ones, then nothing else.
pub(super) async fn black_hole(setting: &Setting, report: &mut Report) -> Result<()> {
    let cluster = setting.cluster(false)?;
    let hole = SynBlackHole::start()?;
    let mut endpoints = vec![hole.endpoint()];
    endpoints.extend(cluster.endpoints());
    let config_with = |endpoints: Vec<String>| config(endpoints).build();
    let with_hole = config_with(endpoints)?;
    let mut longest = Duration::ZERO;
    let mut longest_call = Duration::ZERO;
    // The clients choose at random where to begin.
    for round in 0..setting.pick(6, 20) {
        let began = Instant::now();
        let tree = open(&with_hole).await?;
        longest = longest.max(began.elapsed());
        for call in 0..10 {
            let began = Instant::now();
            tree.store("file", format!("{round} {call}")).await?;
            ensure!(tree.load("file").await? == format!("{round} {call}"), "another content");
            longest_call = longest_call.max(began.elapsed());
        }
    }
    report.at_most("longest connecting beside good ones", longest, with_hole.dial_timeout() + GRACE);
    report.at_most("longest store and load", longest_call, with_hole.request_timeout() + GRACE);

    let holes_only = config_with(vec![hole.endpoint()])?;
    let began = Instant::now();
    let refused = EtcdBackend::connect(&holes_only).await;
    let took = began.elapsed();
    report.at_most("connecting to nothing else fails after", took, holes_only.dial_timeout() + GRACE);
    let told = refused.err().map(|error| with_sources(&error)).unwrap_or_default();
    let is_named = told.contains(&hole.endpoint());
    report.goal("the error names the endpoint", is_named, true, is_named);
    report.show(format!("the error: {told}"), "");
    Ok(())
}
