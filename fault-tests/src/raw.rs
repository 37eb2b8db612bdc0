//! The same troubles with the bare client, to compare with.

use std::time::Duration;

use anyhow::Result;
use etcd_client::{Client, ConnectOptions};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// How many of the calls fail that several bare clients make in a time: failed, and all.
pub(crate) async fn failures(endpoints: &[String], time: Duration) -> Result<(usize, usize)> {
    let options = || {
        ConnectOptions::new()
            .with_timeout(Duration::from_secs(2))
            .with_connect_timeout(Duration::from_secs(2))
            .with_keep_alive(Duration::from_secs(2), Duration::from_secs(2))
    };
    let end = Instant::now() + time;
    let mut clients = JoinSet::new();
    for number in 0..8 {
        let mut client = Client::connect(endpoints, Some(options())).await?;
        clients.spawn(async move {
            let (mut failed, mut all) = (0, 0);
            while Instant::now() < end {
                let key = format!("/raw/{number}/{}", all % 4);
                let result = if all % 2 == 0 {
                    client.put(key, "x".repeat(200), None).await.map(drop)
                } else {
                    client.get(key, None).await.map(drop)
                };
                all += 1;
                failed += usize::from(result.is_err());
                sleep(Duration::from_millis(2)).await;
            }
            (failed, all)
        });
    }
    let (mut failed, mut all) = (0, 0);
    while let Some(counted) = clients.join_next().await {
        let (client_failed, client_all) = counted?;
        failed += client_failed;
        all += client_all;
    }
    Ok((failed, all))
}
