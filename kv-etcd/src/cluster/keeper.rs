use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::Shared;

/// What is done in the background.
pub(super) type Work = FuturesUnordered<BoxFuture<'static, ()>>;

/// Tries members that are not well, and asks for the members now and then.
pub(super) async fn keep(shared: Arc<Shared>, sync_interval: Duration, mut work: Work) {
    let mut sync = interval(sync_interval);
    sync.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let trial = shared.members.next_trial();
        tokio::select! {
            Some(()) = work.next() => {}
            () = shared.news.notified() => {}
            () = sleep_until(trial.unwrap_or_else(Instant::now)), if trial.is_some() => {
                for member in shared.members.all().into_iter().filter(|member| member.begin_trial()) {
                    let shared = Arc::clone(&shared);
                    work.push(Box::pin(async move { shared.try_again(member).await }));
                }
            }
            _ = sync.tick() => {
                let shared = Arc::clone(&shared);
                work.push(Box::pin(async move { shared.sync().await }));
            }
        }
    }
}
