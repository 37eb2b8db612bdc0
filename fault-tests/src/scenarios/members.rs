//! Members that are killed, stopped and restarted.

use std::io;
use std::time::Duration;

use anyhow::{Context, Result};
use etcd_process::EtcdCluster;
use kv_etcd::EtcdConfig;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use crate::raw;
use crate::report::Report;
use crate::run::{Around, Configs, ELECTION_TIMEOUT, Run, Setting, config, under_load};

fn around(setting: &Setting) -> Around {
    let seconds = |quick, full| Duration::from_secs(setting.pick(quick, full));
    Around { before: seconds(1, 3), after: seconds(1, 3), calls: setting.pick(0, 10_000) }
}

/// The longest that writes may pause when the leader is gone.
const LONGEST_GAP: Duration = ELECTION_TIMEOUT.saturating_add(Duration::from_millis(1500));

fn leader(cluster: &EtcdCluster) -> Result<usize> {
    block_in_place(|| cluster.wait_for_leader(Duration::from_secs(20))).context("the leader")
}

fn follower(cluster: &EtcdCluster) -> Result<usize> {
    Ok((leader(cluster)? + 1) % cluster.len())
}

/// Settings that name one member only: the others are found by asking it.
fn beginning_at(cluster: &EtcdCluster, member: usize) -> Result<EtcdConfig> {
    Ok(config([cluster.member(member).endpoint()]).with_auto_sync_interval(Duration::from_secs(1)).build()?)
}

/// How the bare client fares with the cluster as it is.
async fn compare(report: &mut Report, cluster: &EtcdCluster, time: Duration) -> Result<()> {
    let (failed, all) = raw::failures(&cluster.endpoints(), time).await?;
    report.show("the bare client loses", format!("{} % of {all}", 100 * failed / all.max(1)));
    Ok(())
}

pub(super) fn no_errors(report: &mut Report, run: &Run) {
    run.report(report);
    report.none("errors", run.errors());
    report.none("locks lost", run.locks_lost);
}

pub(super) async fn follower_killed(setting: &Setting, report: &mut Report) -> Result<()> {
    follower_lost(setting, report, |cluster, victim| cluster.member_mut(victim).kill()).await
}

pub(super) async fn follower_stopped(setting: &Setting, report: &mut Report) -> Result<()> {
    follower_lost(setting, report, |cluster, victim| cluster.member(victim).pause()).await
}

/// Half of the clients begin at the victim.
async fn follower_lost(
    setting: &Setting,
    report: &mut Report,
    strike: fn(&mut EtcdCluster, usize) -> io::Result<()>,
) -> Result<()> {
    let mut cluster = setting.cluster(false)?;
    let config = config(cluster.endpoints()).build()?;
    let victim = follower(&cluster)?;
    let configs = Configs { others: beginning_at(&cluster, victim)?, ..Configs::alike(config, &cluster)? };
    let time = Duration::from_secs(setting.pick(4, 20));
    let lose = async |cluster: &mut EtcdCluster| {
        strike(cluster, victim)?;
        sleep(time).await;
        Ok(())
    };
    let run = under_load(setting, configs, around(setting), &mut cluster, lose).await?;
    no_errors(report, &run);
    compare(report, &cluster, time).await
}

pub(super) async fn leader_killed(setting: &Setting, report: &mut Report) -> Result<()> {
    let mut cluster = setting.cluster(false)?;
    let config = config(cluster.endpoints()).build()?;
    let victim = leader(&cluster)?;
    let kill = async |cluster: &mut EtcdCluster| {
        cluster.member_mut(victim).kill()?;
        sleep(Duration::from_secs(5)).await;
        Ok(())
    };
    let configs = Configs::alike(config, &cluster)?;
    let run = under_load(setting, configs, around(setting), &mut cluster, kill).await?;
    no_errors(report, &run);
    report.at_most("longest gap", run.longest_gap(), LONGEST_GAP);
    Ok(())
}

pub(super) async fn leader_stopped(setting: &Setting, report: &mut Report) -> Result<()> {
    let mut cluster = setting.cluster(false)?;
    let config = config(cluster.endpoints()).build()?;
    let times: &[u64] = setting.pick(&[4], &[1, 4, 15]);
    let mut longest = Duration::ZERO;
    let stop = async |cluster: &mut EtcdCluster| {
        for seconds in times {
            let victim = leader(cluster)?;
            cluster.member(victim).pause()?;
            sleep(Duration::from_secs(*seconds)).await;
            cluster.member(victim).resume()?;
            sleep(Duration::from_secs(2)).await;
        }
        Ok(())
    };
    let configs = Configs::alike(config, &cluster)?;
    let run = under_load(setting, configs, around(setting), &mut cluster, stop).await?;
    no_errors(report, &run);
    longest = longest.max(run.longest_gap());
    report.at_most("longest gap", longest, LONGEST_GAP);
    Ok(())
}

pub(super) async fn quorum_lost(setting: &Setting, report: &mut Report) -> Result<()> {
    let mut cluster = setting.cluster(false)?;
    let deadline = Duration::from_secs(setting.pick(2, 3));
    let config = config(cluster.endpoints()).with_request_timeout(deadline).build()?;
    let leader = leader(&cluster)?;
    let victims = [leader, (leader + 1) % 3];
    let mut recovered = None;
    let lose = async |cluster: &mut EtcdCluster| {
        for victim in victims {
            cluster.member_mut(victim).kill()?;
        }
        sleep(Duration::from_secs(setting.pick(5, 10))).await;
        for victim in victims {
            cluster.member_mut(victim).launch()?;
        }
        for victim in victims {
            block_in_place(|| cluster.member_mut(victim).wait_until_healthy())?;
        }
        recovered = Some(Instant::now());
        Ok(())
    };
    let around = Around { after: Duration::from_secs(4), ..around(setting) };
    let configs = Configs::alike(config, &cluster)?;
    let run = under_load(setting, configs, around, &mut cluster, lose).await?;
    run.report(report);
    let first = run.first_write_after(recovered.context("it has recovered")?);
    let first = first.unwrap_or(Duration::MAX);
    report.at_most("first write after the recovery", first, Duration::from_secs(2));
    Ok(())
}

/// Every member is restarted; then two are added, and the first two, where all clients began, are taken away.
pub(super) async fn rolling_restart(setting: &Setting, report: &mut Report) -> Result<()> {
    let mut cluster = setting.cluster(false)?;
    let configs = Configs {
        some: beginning_at(&cluster, 0)?,
        others: beginning_at(&cluster, 1)?,
        observer: config([cluster.member(2).endpoint()]).build()?,
    };
    let pause = Duration::from_secs(setting.pick(2, 4));
    let change = async |cluster: &mut EtcdCluster| {
        for member in 0..cluster.len() {
            block_in_place(|| cluster.member_mut(member).restart())?;
            sleep(pause).await;
        }
        for _ in 0..2 {
            block_in_place(|| cluster.add_member())?;
            sleep(pause).await;
        }
        for _ in 0..2 {
            block_in_place(|| cluster.remove_member(0))?;
            sleep(pause).await;
        }
        Ok(())
    };
    let run = under_load(setting, configs, around(setting), &mut cluster, change).await?;
    no_errors(report, &run);
    Ok(())
}
