//! Short runs of some scenarios, on one version of etcd each.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use etcd_process::EtcdBinary;
use fault_tests::{Length, SCENARIOS, Setting};

/// The seed of every short run: what they show should not change from one to the next.
const SEED: u64 = 1;

async fn passes(name: &str) {
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
    f6_a_member_is_far_away => "F6d",
}
