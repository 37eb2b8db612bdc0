//! `kvfs bench [--seconds N] [--size BYTES] [--clients N]`
//!
//! Everything happens in a tree of its own, with a prefix below the one of the tree that was given, so that no file, lock or
//! watch of others is touched. The prefix is deleted in the end, whatever that is.

mod measure;

use std::time::Duration;

use serde::Serialize;
use storage_core::kv::{BackendError, BackendErrorKind, KeyRange, KvBackend, Op, Txn};
use storage_core::{ErrorKind, KeyPrefix, Storage};
use tokio::time::timeout;

use self::measure::{Measured, Operation, Plan};
use super::until_signal::interrupted;
use crate::cli::Bench;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Format;
use crate::progress::bar;
use crate::session::{Place, Session};
use crate::signals::Signals;

/// How long removing what was written may take.
const CLEANING: Duration = Duration::from_secs(10);

/// A measurement as JSON. The names of its fields do not change.
#[derive(Serialize)]
struct MeasuredJson {
    operation: &'static str,
    count: u64,
    per_second: f64,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// How many bare calls of the store it takes, by the medians; of a bare call none.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
}

pub(super) async fn run(args: Bench, session: &mut Session) -> Result<Exit, Failure> {
    let place = session.place().await?;
    let backend = place.connect().await?;
    let limit = backend.limits().max_value_bytes;
    if args.size > limit {
        let message =
            format!("bench: --size is {}, the store takes at most {limit} bytes in a file", args.size);
        return Err(Failure::of_kind(ErrorKind::TooLarge, message));
    }
    let prefix = own_prefix(&place)?;
    let options = place.options.clone().with_prefix(prefix.clone());
    let opened = Storage::open(backend, options).await;
    let tree = opened.map_err(|error| Failure::storage_at_large("bench", &error))?;
    let plan = Plan::new(&args, &prefix);
    session.output.inform("prefix", format!("measuring below {prefix}"));

    let mut signals = Signals::listen()?;
    let bar = bar(&session.output, Operation::ALL.len(), "measuring");
    let mut measured = Vec::new();
    let result = tokio::select! {
        biased;
        received = signals.next() => Err((Some(received), None)),
        result = plan.measure_all(&tree, |one| {
            measured.push(one);
            bar.inc(1);
        }) => result.map_err(|failure| (None, Some(failure))),
    };
    bar.finish_and_clear();
    // The session first, which would be renewed otherwise.
    let _ = timeout(CLEANING, tree.close()).await;
    let removed = timeout(CLEANING, remove(tree.backend(), &prefix)).await;
    let removed = removed.unwrap_or_else(|_| Err(BackendError::new(BackendErrorKind::Timeout, "")));
    let note = match &removed {
        Ok(()) => "what it has written is removed".to_owned(),
        Err(error) => format!("what it has written could not be removed, it lies below {prefix}: {error}"),
    };

    if !measured.is_empty() {
        show(&measured, session)?;
    }
    session.output.finish()?;
    match (result, removed) {
        (Ok(()), Ok(())) => Ok(Exit::Ok),
        (Ok(()), Err(_)) => Err(Failure::of_kind(ErrorKind::Unavailable, format!("bench: {note}"))),
        (Err((Some(received), _)), _) => {
            let done = format!("{} of {} were measured, {note}", measured.len(), Operation::ALL.len());
            Err(interrupted("bench", received, &done))
        }
        (Err((None, failure)), _) => Err(failure
            .unwrap_or_else(|| Failure::of_kind(ErrorKind::Internal, "bench: ended for no reason"))
            .with_note(note)),
    }
}

/// A prefix that nobody else has: by the time, to the nanosecond, and the number of the process.
fn own_prefix(place: &Place) -> Result<KeyPrefix, Failure> {
    let now = jiff::Timestamp::now().as_nanosecond();
    let prefix = format!("{}/kvfs-bench-{now:x}-{}", place.options.prefix, std::process::id());
    KeyPrefix::parse(&prefix).map_err(|error| Failure::storage_at_large("bench", &error))
}

/// Deletes all that lies below a prefix of ours.
async fn remove(backend: &impl KvBackend, prefix: &KeyPrefix) -> Result<(), BackendError> {
    let all = Op::DeleteRange(KeyRange::prefix(format!("{prefix}/")));
    loop {
        match backend.txn(Txn::new().then(all.clone())).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_retryable() => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(error) => return Err(error),
        }
    }
}

fn show(measured: &[Measured], session: &mut Session) -> Result<(), Failure> {
    let floor = |of: Operation| {
        let floor = of.floor()?;
        measured.iter().find(|one| one.operation == floor)
    };
    let rows = measured.iter().map(|one| {
        let ratio =
            floor(one.operation).map(|floor| one.millis(0.5) / floor.millis(0.5).max(f64::MIN_POSITIVE));
        MeasuredJson {
            operation: one.operation.name(),
            count: one.count(),
            per_second: one.per_second(),
            p50_ms: one.millis(0.5),
            p90_ms: one.millis(0.9),
            p99_ms: one.millis(0.99),
            max_ms: one.millis(1.0),
            ratio,
        }
    });
    if session.output.format() == Format::Json {
        let rows: Vec<_> = rows.collect();
        return rows.iter().try_for_each(|row| session.output.object(row));
    }
    let cells = rows.map(|row| {
        let millis = |value: f64| format!("{value:.3}");
        [
            row.operation.to_owned(),
            row.count.to_string(),
            format!("{:.0}", row.per_second),
            millis(row.p50_ms),
            millis(row.p90_ms),
            millis(row.p99_ms),
            millis(row.max_ms),
            row.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
        ]
    });
    let heading = ["OPERATION", "COUNT", "PER-SECOND", "P50-MS", "P90-MS", "P99-MS", "MAX-MS", "RATIO"];
    session.output.table(heading, cells)
}
