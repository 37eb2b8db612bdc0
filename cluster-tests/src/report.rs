use std::io::Write as _;

use cluster_tests::{At, Event, Failure, Report};

/// Prints what has just happened. If nobody listens any more the process ends: its test is gone.
pub(crate) fn report(event: Event) {
    let at = At::now();
    let line = serde_json::to_string(&Report { at, event }).expect("an event is always JSON");
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

/// Prints that something failed, unless it did not.
pub(crate) fn report_failure<T>(what: &str, result: Result<T, storage_core::Error>) -> Option<T> {
    result.map_err(|error| report(Event::Failed(failure(what, &error)))).ok()
}

pub(crate) fn failure(what: &str, error: &storage_core::Error) -> Failure {
    Failure { kind: format!("{:?}", error.kind()), text: format!("{what}: {}", with_sources(error)) }
}

/// What went wrong, and why.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
