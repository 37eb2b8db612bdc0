//! Tokens that end, users and roles that change.

use std::time::Duration;

use anyhow::Result;
use etcd_process::{EtcdCluster, EtcdProcess};
use storage_core::ErrorKind;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use super::members::no_errors;
use crate::report::Report;
use crate::run::{Around, Configs, DEADLINE, GRACE, Setting, config, under_load};
use crate::tree::{PREFIX, Tree, open};

const ROOT: &str = "root-password";

/// Tokens end after two seconds, users come all the time, and nobody notices; then the password and the rights go.
pub(super) async fn tokens(setting: &Setting, report: &mut Report) -> Result<()> {
    let mut cluster = EtcdCluster::builder(&setting.binary)
        .with_flag("--auth-token-ttl=2")
        .with_flag("--bcrypt-cost=4")
        .start()?;
    block_in_place(|| {
        let member = cluster.member_mut(0);
        member.enable_auth(ROOT)?;
        member.add_user("user", "password", &format!("{PREFIX}/"))
    })?;
    let config = config(cluster.endpoints()).with_username("user").with_password("password").build()?;
    let configs = Configs { some: config.clone(), others: config.clone(), observer: config.clone() };
    let tree = open(&config).await?;
    let time = Duration::from_secs(setting.pick(8, 30));
    let change = async |cluster: &mut EtcdCluster| {
        let end = Instant::now() + time;
        for number in 0.. {
            let user = format!("other-{number}");
            block_in_place(|| cluster.member(0).etcdctl(&["user", "add", &format!("{user}:password")]))?;
            sleep(Duration::from_millis(500)).await;
            if Instant::now() > end {
                break;
            }
        }
        Ok(())
    };
    let seconds = |quick, full| Duration::from_secs(setting.pick(quick, full));
    let around = Around { before: seconds(1, 3), after: seconds(1, 3), calls: 0 };
    let run = under_load(setting, configs, around, &mut cluster, change).await?;
    no_errors(report, &run);
    refused(report, cluster.member(0), &tree).await
}

/// What is told when the password is another one, or the user may do nothing any more.
async fn refused(report: &mut Report, etcd: &EtcdProcess, tree: &Tree) -> Result<()> {
    let ctl = |arguments: &[&str]| block_in_place(|| etcd.etcdctl(arguments));
    ctl(&["role", "revoke-permission", "user", "--prefix=true", &format!("{PREFIX}/")])?;
    let began = Instant::now();
    let error = tree.store("x", "y").await.err().map(|error| error.kind());
    let denied = error == Some(ErrorKind::PermissionDenied);
    report.goal("without its rights it is told PermissionDenied", format!("{error:?}"), "", denied);
    report.at_most("after", began.elapsed(), DEADLINE + GRACE);
    ctl(&["role", "grant-permission", "--prefix=true", "user", "readwrite", &format!("{PREFIX}/")])?;
    report.none("errors with its rights again", usize::from(tree.store("x", "y").await.is_err()));

    // The token that it has ends within seconds.
    block_in_place(|| etcd.change_password("user", "another"))?;
    let end = Instant::now() + Duration::from_secs(20);
    let mut error = None;
    while error.is_none() && Instant::now() < end {
        sleep(Duration::from_millis(500)).await;
        error = tree.load("x").await.err().map(|error| error.kind());
    }
    let unknown = error == Some(ErrorKind::Unauthenticated);
    report.goal("with another password it is told Unauthenticated", format!("{error:?}"), "", unknown);
    Ok(())
}
