use std::env;
use std::time::Duration;

use cluster_tests::At;

/// How long a test loads the locks: the seconds that `KVFS_STRESS_SECONDS` says, five by default.
pub(crate) fn stress_time() -> Duration {
    const QUICK: u64 = 5;
    let seconds = match env::var("KVFS_STRESS_SECONDS") {
        Ok(seconds) => seconds.parse().expect("KVFS_STRESS_SECONDS is a number of seconds"),
        Err(_) => QUICK,
    };
    Duration::from_secs(seconds)
}

/// Runs a round of a test, and further ones as long as the stress time allows. Each gets its number: what the last one has
/// left may still be there.
pub(crate) fn in_rounds(mut round: impl FnMut(u32)) {
    let began = At::now();
    for rounds in 1.. {
        round(rounds);
        let of_one = began.elapsed() / rounds;
        if began.elapsed() + of_one > stress_time() {
            return;
        }
    }
}

/// Lets time pass in which real processes do, or do not, what the test is about.
#[expect(
    clippy::disallowed_methods,
    reason = "the time is a condition of the test: there is nothing to poll for"
)]
pub(crate) fn let_pass(time: Duration) {
    std::thread::sleep(time);
}

/// Waits until a condition holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    const DEADLINE: Duration = Duration::from_secs(60);
    let began = At::now();
    while !condition() {
        assert!(began.elapsed() < DEADLINE, "within {DEADLINE:?} it did not come true that {what}");
        let_pass(Duration::from_millis(10));
    }
}
