//! The last copy before members are switched to the destination.

use std::time::Duration;

use futures::StreamExt;
use storage_core::{LockEntry, LockOptions};

use super::Ends;
use super::pass::pass;
use super::report::Report;
use crate::cli::Migrate;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::session::{Place, Session, Tree};

/// The lock in the source that one cut-over at a time holds.
const LOCK: &str = "kvfs_migrate";

/// So often the source may change before who runs this is told that members are still writing.
const MOST_PASSES: u32 = 10;

/// Copies until a pass has found nothing to do and nothing has changed in the source for a while after it.
pub(super) async fn run(
    ends: Ends<'_>,
    args: &Migrate,
    destination: &Place,
    report: &mut Report,
    interrupt: &Interrupt,
    session: &mut Session,
) -> Result<(), Failure> {
    let from = ends.from;
    let failed = |error: &storage_core::Error| Failure::storage_at_large("migrate", error);
    let options = LockOptions::new().with_label("kvfs migrate --cut-over");
    let Some(guard) = from.try_lock_with(LOCK, options).await.map_err(|error| failed(&error))? else {
        return Err(Failure::new(
            Exit::Conflict,
            "lock_held",
            "migrate: another cut-over of this tree is running",
        ));
    };
    refuse_members(from).await?;
    // From before the first look: no change is overlooked.
    let mut changes = from.watch("").await.map_err(|error| failed(&error))?;
    for _ in 0..MOST_PASSES {
        pass(ends, args, report, interrupt, session).await?;
        let is_quiet = tokio::time::timeout(args.settle, async {
            // Those that the pass has seen are over at once.
            loop {
                match changes.next().await {
                    Some(Ok(event)) if revision_of(&event) <= report.revision => {}
                    other => break other,
                }
            }
        });
        let copied = report.copied;
        let waiting = format!("migrate: {copied} files are copied, waiting for the source to be quiet");
        match interrupt.unless(&waiting, async { Ok(is_quiet.await) }).await? {
            Err(_elapsed) if report.differing == 0 => {
                refuse_members(from).await?;
                guard.unlock().await.map_err(|error| failed(&error))?;
                report.advice = advice(destination, report.revision);
                return Ok(());
            }
            Ok(Some(Err(error))) => return Err(failed(&error)),
            Ok(None) => {
                return Err(Failure::new(Exit::Unavailable, "closed", "migrate: the source was closed"));
            }
            Err(_) | Ok(Some(Ok(_))) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
    let message = format!(
        "migrate: the source was changed in every one of {MOST_PASSES} passes; stop its members first"
    );
    Err(Failure::new(Exit::Conflict, "still_written", message))
}

fn revision_of(event: &storage_core::WatchEvent) -> u64 {
    match event {
        storage_core::WatchEvent::Change { version, .. } => version.revision().0,
        storage_core::WatchEvent::Resync { revision, .. } => revision.0,
        _ => u64::MAX,
    }
}

/// Members that run the Go module do not ask anybody before they write. One that holds a lock is about to.
async fn refuse_members(from: &Tree) -> Result<(), Failure> {
    let locks = from.locks().await.map_err(|error| Failure::storage_at_large("migrate", &error))?;
    let held: Vec<_> = locks.iter().filter(|lock| lock.session == LockEntry::CADDY_ETCD).collect();
    let Some(first) = held.first() else { return Ok(()) };
    let left = first.remaining.unwrap_or_default().as_secs();
    let message = format!(
        "migrate: {} locks are held by members that run caddy-etcd, {:?} for up to {left} s more; stop these members and \
         wait, or break the locks with `kvfs locks break`",
        held.len(),
        first.name
    );
    Err(Failure::new(Exit::Conflict, "members_running", message))
}

fn advice(destination: &Place, revision: u64) -> Vec<String> {
    vec![
        format!("switch all members to {}", destination.store),
        format!("what is written to the source after its revision {revision} is not in it"),
    ]
}
