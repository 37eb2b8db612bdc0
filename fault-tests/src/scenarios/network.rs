//! Connections that fail in one way or another.

use std::time::Duration;

use anyhow::Result;
use etcd_process::{Direction, EtcdCluster, Mode};
use tokio::time::sleep;

use super::members::no_errors;
use crate::report::Report;
use crate::run::{Around, Configs, Setting, config, under_load};

/// One member's connections get this fault for some seconds, and nobody notices.
async fn one_member(setting: &Setting, report: &mut Report, mode: Mode) -> Result<()> {
    let mut cluster = setting.cluster(true)?;
    let config = config(cluster.endpoints()).build()?;
    let seconds = |quick, full| Duration::from_secs(setting.pick(quick, full));
    let around = Around { before: seconds(1, 3), after: seconds(1, 3), calls: setting.pick(0, 5_000) };
    let fault = async |cluster: &mut EtcdCluster| {
        // Each member in turn: one of them is the leader, and one the clients' favourite.
        for member in 0..cluster.len() {
            cluster.proxy(member).set(mode);
            sleep(seconds(3, 5)).await;
            cluster.proxy(member).set(Mode::Pass);
            sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    };
    let configs = Configs::alike(config, &cluster)?;
    let run = under_load(setting, configs, around, &mut cluster, fault).await?;
    no_errors(report, &run);
    Ok(())
}

pub(super) async fn half_open(setting: &Setting, report: &mut Report) -> Result<()> {
    one_member(setting, report, Mode::Drop).await
}

pub(super) async fn one_way(setting: &Setting, report: &mut Report) -> Result<()> {
    one_member(setting, report, Mode::OneWay { swallowed: Direction::ToClient }).await
}

pub(super) async fn reset(setting: &Setting, report: &mut Report) -> Result<()> {
    one_member(setting, report, Mode::Reset).await
}

pub(super) async fn delayed(setting: &Setting, report: &mut Report) -> Result<()> {
    let (by, jitter) = (Duration::from_millis(200), Duration::from_millis(50));
    one_member(setting, report, Mode::Delay { by, jitter }).await
}

pub(super) async fn throttled(setting: &Setting, report: &mut Report) -> Result<()> {
    one_member(setting, report, Mode::Throttle { bytes_per_second: 20_000 }).await
}

/// Every write that is sent meanwhile is applied, and nobody is told.
pub(super) async fn all_one_way(setting: &Setting, report: &mut Report) -> Result<()> {
    let mut cluster = setting.cluster(true)?;
    let config = config(cluster.endpoints()).build()?;
    let around = Around { before: Duration::from_secs(1), after: Duration::from_secs(3), calls: 0 };
    let fault = async |cluster: &mut EtcdCluster| {
        for _ in 0..setting.pick(1, 5) {
            for member in 0..cluster.len() {
                cluster.proxy(member).set(Mode::OneWay { swallowed: Direction::ToClient });
            }
            sleep(Duration::from_secs(2)).await;
            for member in 0..cluster.len() {
                cluster.proxy(member).set(Mode::Reset);
                cluster.proxy(member).set(Mode::Pass);
            }
            sleep(Duration::from_secs(2)).await;
        }
        Ok(())
    };
    let configs = Configs::alike(config, &cluster)?;
    let run = under_load(setting, configs, around, &mut cluster, fault).await?;
    no_errors(report, &run);
    Ok(())
}
