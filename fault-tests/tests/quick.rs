//! Short runs of some scenarios, on one version of etcd each.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use etcd_process::EtcdBinary;
use fault_tests::{Length, SCENARIOS, Setting};
use tokio::sync::Mutex;

/// The seed of every short run: what they show should not change from one to the next.
const SEED: u64 = 1;

/// One at a time: figures of two that run side by side would be those of neither.
static ALONE: Mutex<()> = Mutex::const_new(());

async fn passes(name: &str) {
    let _alone = ALONE.lock().await;
    let binary = EtcdBinary::find_all_for_test(name).pop().unwrap();
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap();
    let report = scenario.run(Setting { binary, seed: SEED, length: Length::Quick }).await.unwrap();
    println!("{report}");
    assert!(report.is_passed(), "{report}");
}

macro_rules! quick {
    ($($function:ident => $name:literal),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $function() {
                passes($name).await;
            }
        )*
    };
}

quick! {
    f1_a_follower_is_killed => "F1",
    f2_the_leader_is_killed => "F2",
    f4_a_follower_is_stopped => "F4",
    f6_the_answers_of_all_members_are_lost => "F6f",
    f7_endpoints_that_nobody_can_connect_to => "F7",
    f10_the_store_is_full => "F10",
    f15_an_older_backup_is_restored => "F15",
    c7_the_answer_to_each_kind_of_write_is_lost => "C7",
}
