use std::any::Any;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::{Case, Column, Context, Saboteur, Time, contract};

/// How long a case may take on the paused clock: more than all its waits together. When nothing can run any more the
/// clock jumps here, so a case that hangs fails at once.
const PAUSED_LIMIT: Duration = Duration::from_secs(3600);
/// How long a case may take on the machine's clock.
const REAL_LIMIT: Duration = Duration::from_secs(120);
/// How long a case may take that keeps its runtime too busy to look at the clock.
const STUCK_LIMIT: Duration = Duration::from_secs(180);
/// The same where a saboteur is at work: getting stuck is one way to find it out.
const SABOTAGED_LIMIT: Duration = Duration::from_secs(10);

/// Runs a case on a thread and a runtime of its own, and answers why it failed.
///
/// The thread bears the name of the test, so the message of a panic does so as well.
pub(crate) fn run(
    column: impl Into<Column>,
    case: &'static Case,
    saboteur: Option<&'static Saboteur>,
) -> Result<(), String> {
    let column = column.into();
    let (done, outcome) = mpsc::channel();
    let (abandon, abandoned) = oneshot::channel();
    let limit = if saboteur.is_some() { SABOTAGED_LIMIT } else { STUCK_LIMIT };
    let thread = thread::Builder::new().name(format!("{}::{}", column.name(), case.full_name()));
    let body = move || {
        let result = run_here(&column, case, saboteur, abandoned);
        // Before the result is known outside: who holds a harness last tears it down, and that is not this thread.
        drop(column);
        // The receiver is gone only if it has abandoned this thread.
        let _ = done.send(result);
    };
    let result = match thread.spawn(body) {
        Err(error) => Err(format!("no thread to run on: {error}")),
        Ok(_detached) => outcome.recv_timeout(limit).unwrap_or_else(|gone| match gone {
            RecvTimeoutError::Timeout => {
                // If it yields at all it ends now.
                let _ = abandon.send(());
                Err(format!("stuck: busy for {limit:?}"))
            }
            RecvTimeoutError::Disconnected => Err("the teardown panicked".to_owned()),
        }),
    };
    result.map_err(|why| format!("{why}\n  checked clauses:\n{}", contract::quote(case.clauses)))
}

fn run_here(
    column: &Column,
    case: &'static Case,
    saboteur: Option<&'static Saboteur>,
    abandoned: oneshot::Receiver<()>,
) -> Result<(), String> {
    let (paused, limit) = match column.harness.time() {
        Time::Paused => (true, PAUSED_LIMIT),
        Time::Real => (false, REAL_LIMIT),
    };
    let runtime = Builder::new_current_thread().enable_all().start_paused(paused).build();
    let runtime = runtime.map_err(|error| format!("no runtime to run on: {error}"))?;
    let column = column.clone();
    runtime.block_on(async move {
        // A task of its own catches panics, and drops the store where the runtime is still there for its teardown.
        let body = tokio::spawn(async move {
            (case.run)(Context::new(column.harness.fresh().await, column.layout, saboteur)).await;
        });
        let outcome = tokio::select! {
            biased;
            _ = abandoned => return Err("abandoned".to_owned()),
            outcome = tokio::time::timeout(limit, body) => outcome,
        };
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failed)) => Err(panic_message(failed.into_panic().as_ref()).to_owned()),
            Err(_elapsed) => Err(format!("hangs: not done after {limit:?}")),
        }
    })
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("panicked without a message")
}
