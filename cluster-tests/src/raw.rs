//! Round trips with the bare client, to compare with.

use cluster_tests::{At, Event, Failure};
use etcd_client::{Client, Error};

use crate::report::{report, with_sources};

pub(crate) async fn put(mut client: Client, key: String) {
    let began = At::now();
    match client.put(key, "", None).await {
        Ok(_) => report(Event::RawPut { began }),
        Err(error) => report_raw_failure("put", &error),
    }
}

/// Waits until a key is put, then reads it, linearizably: as a waiter does which is woken and makes sure that it is first.
pub(crate) async fn watch_and_read(client: Client, key: String) {
    if let Err(error) = try_watch_and_read(client, key).await {
        report_raw_failure("watch", &error);
    }
}

async fn try_watch_and_read(mut client: Client, key: String) -> Result<(), Error> {
    let mut changes = client.watch(key.clone(), None).await?;
    while let Some(change) = changes.message().await? {
        if change.created() {
            report(Event::RawWatching);
        }
        if !change.events().is_empty() {
            let woken = At::now();
            client.get(key, None).await?;
            report(Event::RawSeen { woken });
            return Ok(());
        }
    }
    Err(Error::WatchError("the watch ended".to_owned()))
}

fn report_raw_failure(what: &str, error: &Error) {
    let text = format!("raw {what}: {}", with_sources(error));
    report(Event::Failed(Failure { kind: "Raw".to_owned(), text }));
}
