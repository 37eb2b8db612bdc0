//! The scenarios of the fault catalogue.

mod auth;
mod compaction;
mod connecting;
mod full;
mod lost;
mod members;
mod network;
mod restored;

use anyhow::Result;
use futures::future::LocalBoxFuture;

use crate::{Report, Setting};

/// A fault, and what must hold.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its number in the catalogue: `F1`.
    pub name: &'static str,
    /// What happens.
    pub what: &'static str,
    run: fn(&'static str, &'static str, Setting) -> LocalBoxFuture<'static, Result<Report>>,
}

impl Scenario {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// When it could not be run at all.
    pub async fn run(&self, setting: Setting) -> Result<Report> {
        (self.run)(self.name, self.what, setting).await
    }
}

macro_rules! scenario {
    ($name:literal, $what:literal, $function:path) => {
        Scenario {
            name: $name,
            what: $what,
            run: |name, what, setting| {
                Box::pin(async move {
                    let mut report = setting.report(name, what);
                    $function(&setting, &mut report).await?;
                    Ok(report)
                })
            },
        }
    };
}

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    scenario!("F1", "a follower is killed", members::follower_killed),
    scenario!("F2", "the leader is killed", members::leader_killed),
    scenario!("F3", "the leader is stopped and goes on", members::leader_stopped),
    scenario!("F4", "a follower is stopped", members::follower_stopped),
    scenario!("F5", "the majority is gone and comes back", members::quorum_lost),
    scenario!("F7", "endpoints that nobody can connect to", connecting::black_hole),
    scenario!("F8", "the history is compacted every 100 ms", compaction::compaction),
    scenario!("F10", "64 writers fill the store", full::full),
    scenario!("F11", "tokens end after 2 s, users and rights change", auth::tokens),
    scenario!("F15", "an older backup is restored", restored::restored),
    scenario!("C7", "the answer to each kind of write is lost", lost::each_kind),
    scenario!("F16", "members are restarted, added and removed", members::rolling_restart),
    scenario!("F6a", "a member's connections are half open", network::half_open),
    scenario!("F6b", "a member's answers are lost", network::one_way),
    scenario!("F6c", "a member's connections are reset again and again", network::reset),
    scenario!("F6d", "a member is 200 ms away", network::delayed),
    scenario!("F6e", "a member has 20 kB a second", network::throttled),
    scenario!("F6f", "the answers of all members are lost for 2 s", network::all_one_way),
];
