use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::{sleep, timeout};

use super::Life;

/// When a member is asked whether it is there, and how long it may take to answer.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct KeepAlive {
    pub(in super::super) interval: Duration,
    pub(in super::super) timeout: Duration,
}

impl KeepAlive {
    /// Returns when the member has not answered a ping in its time. It is asked only while a call is under way: etcd hangs
    /// up on clients that ask without.
    pub(super) async fn until_silent(self, pings: Option<PingPong>, life: &Life) {
        let mut pings = pings.expect("they were not taken before");
        loop {
            sleep(self.interval).await;
            if life.is_in_use()
                && !matches!(timeout(self.timeout, pings.ping(Ping::opaque())).await, Ok(Ok(_)))
            {
                return;
            }
        }
    }
}
