use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use etcd_client::LeaseGrantOptions;
use storage_core::kv::{BackendError, BackendErrorKind, Lease, LeaseId};

use crate::cluster::{Attempt, Call};
use crate::error::{from_client, is_lease_exists};

/// Grants a lease. The id is chosen here, so that a grant whose answer is lost can be asked for again: the second time
/// etcd either grants it or says that it exists.
pub(crate) async fn grant(call: &Call<'_>, ttl: Duration) -> Result<Lease, BackendError> {
    let seconds = whole_seconds(ttl);
    let ask = |id| {
        let unanswered = Unanswered::default();
        async move { call.read(|attempt| ask(attempt, id, seconds, unanswered.clone())).await }
    };
    let (id, granted) = with_new_id(ask).await?;
    let ttl = match granted {
        Granted::For(ttl) => ttl,
        Granted::Earlier => call.read(|attempt| granted_ttl(attempt, id)).await?,
        Granted::ToOthers => unreachable!("another id was asked for"),
    };
    Ok(Lease { id, ttl })
}

/// Renews a lease once.
///
/// The library hides the answer to the renewal with which it opens its stream; the answer to another is shown.
pub(crate) async fn keep_alive(attempt: Attempt, lease: LeaseId) -> Result<Duration, BackendError> {
    let opened = attempt.handles.lease.clone().keep_alive(lease.get()).await;
    let (mut keeper, mut answers) = opened.map_err(from_client)?;
    keeper.keep_alive().await.map_err(from_client)?;
    let answer = answers.message().await.map_err(from_client)?;
    let answer = answer
        .ok_or_else(|| BackendError::new(BackendErrorKind::Unavailable, "the server closed the stream"))?;
    attempt.witness.check_cluster(answer.header())?;
    // etcd's way to say that there is no such lease.
    if answer.ttl() <= 0 {
        return Err(BackendError::lease_not_found(lease));
    }
    Ok(seconds(answer.ttl()))
}

/// How long a lease still runs, in whole seconds; a fraction is left out.
pub(crate) async fn time_to_live(attempt: Attempt, lease: LeaseId) -> Result<Duration, BackendError> {
    let answer = attempt.handles.lease.clone().time_to_live(lease.get(), None).await.map_err(from_client)?;
    attempt.witness.check_cluster(answer.header())?;
    left(answer.ttl(), answer.granted_ttl()).ok_or_else(|| BackendError::lease_not_found(lease))
}

/// Ends a lease. If it is gone when it is asked for again, the first time may have ended it.
pub(crate) async fn revoke(call: &Call<'_>, lease: LeaseId) -> Result<(), BackendError> {
    let unanswered = Unanswered::default();
    call.read(|attempt| end(attempt, lease, unanswered.clone())).await
}

async fn end(attempt: Attempt, lease: LeaseId, unanswered: Unanswered) -> Result<(), BackendError> {
    unanswered.begin();
    match attempt.handles.lease.clone().revoke(lease.get()).await.map_err(from_client) {
        Ok(answer) => attempt.witness.check_cluster(answer.header()),
        Err(error) if error.kind() == BackendErrorKind::LeaseNotFound && unanswered.has_others() => Ok(()),
        Err(error) => Err(unanswered.failed(error)),
    }
}

/// The attempts of a call that may have been applied without our knowing. Clones count together.
#[derive(Clone, Debug, Default)]
struct Unanswered(Arc<AtomicUsize>);

impl Unanswered {
    fn begin(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether there is one beside the attempt that asks.
    fn has_others(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 1
    }

    fn failed(&self, error: BackendError) -> BackendError {
        if !error.is_maybe_applied() {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
        error
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Granted {
    For(Duration),
    /// It exists, since an earlier attempt has been applied.
    Earlier,
    /// It exists, and nobody asked for it on our behalf.
    ToOthers,
}

/// Asks with a new id each time that somebody else has it.
async fn with_new_id<F>(ask: impl Fn(LeaseId) -> F) -> Result<(LeaseId, Granted), BackendError>
where
    F: Future<Output = Result<Granted, BackendError>>,
{
    loop {
        let id = random_id();
        match ask(id).await? {
            Granted::ToOthers => {}
            granted => return Ok((id, granted)),
        }
    }
}

async fn ask(
    attempt: Attempt,
    id: LeaseId,
    ttl: i64,
    unanswered: Unanswered,
) -> Result<Granted, BackendError> {
    unanswered.begin();
    let options = LeaseGrantOptions::new().with_id(id.get());
    match attempt.handles.lease.clone().grant(ttl, Some(options)).await {
        Ok(granted) => {
            attempt.witness.check_cluster(granted.header())?;
            Ok(Granted::For(seconds(granted.ttl())))
        }
        Err(error) if is_lease_exists(&error) && unanswered.has_others() => Ok(Granted::Earlier),
        Err(error) if is_lease_exists(&error) => Ok(Granted::ToOthers),
        Err(error) => Err(unanswered.failed(from_client(error))),
    }
}

async fn granted_ttl(attempt: Attempt, id: LeaseId) -> Result<Duration, BackendError> {
    let found = attempt.handles.lease.clone().time_to_live(id.get(), None).await.map_err(from_client)?;
    Ok(seconds(found.granted_ttl()))
}

/// What is left of a lease, or `None` if there is none: etcd answers that nothing was granted then.
///
/// A lease in its last second has nothing left, and less than that until etcd has ended it; but it is there. After a
/// change of leaders it may have more left than was granted.
fn left(ttl: i64, granted: i64) -> Option<Duration> {
    (granted > 0).then(|| seconds(ttl.min(granted)))
}

/// etcd counts leases in whole seconds; a fraction is rounded up, and none is shorter than one.
fn whole_seconds(ttl: Duration) -> i64 {
    let seconds = ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0));
    i64::try_from(seconds).unwrap_or(i64::MAX).max(1)
}

fn seconds(answered: i64) -> Duration {
    Duration::from_secs(u64::try_from(answered).unwrap_or(0))
}

/// A positive number that nobody else chooses.
#[expect(
    clippy::disallowed_methods,
    reason = "the only randomness here; it names a lease and decides nothing"
)]
fn random_id() -> LeaseId {
    loop {
        if let Some(id) = LeaseId::new(rand::random::<i64>() & i64::MAX) {
            return id;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use super::*;

    type Answer = Result<Granted, BackendError>;

    /// What comes of these answers, and the ids that were asked for.
    async fn run(
        answers: impl IntoIterator<Item = Answer>,
    ) -> (Result<(LeaseId, Granted), BackendError>, Vec<LeaseId>) {
        let answers = RefCell::new(answers.into_iter().collect::<VecDeque<_>>());
        let asked = RefCell::new(Vec::new());
        let result = with_new_id(|id| {
            asked.borrow_mut().push(id);
            let answer = answers.borrow_mut().pop_front().expect("an answer for each attempt");
            async move { answer }
        });
        (result.await, asked.into_inner())
    }

    #[tokio::test]
    async fn an_id_that_somebody_else_has_is_not_taken() {
        for granted in [Granted::For(Duration::from_secs(5)), Granted::Earlier] {
            let (result, asked) = run([Ok(Granted::ToOthers), Ok(granted)]).await;
            assert_ne!(asked[0], asked[1]);
            assert_eq!(result.unwrap(), (asked[1], granted));
        }
        let (result, asked) = run([Err(BackendError::new(BackendErrorKind::NoSpace, ""))]).await;
        assert_eq!((result.unwrap_err().kind(), asked.len()), (BackendErrorKind::NoSpace, 1));
    }

    #[test]
    fn attempts_that_were_refused_for_certain_do_not_count_as_applied() {
        let unanswered = Unanswered::default();
        unanswered.begin();
        unanswered.failed(BackendError::new(BackendErrorKind::Unavailable, "refused").not_applied());
        unanswered.begin();
        assert!(!unanswered.has_others());
        unanswered.failed(BackendError::new(BackendErrorKind::Timeout, "lost"));
        unanswered.clone().begin();
        assert!(unanswered.has_others());
    }

    #[test]
    fn ttls_are_rounded_up_to_whole_seconds() {
        for (ttl, seconds) in [
            (Duration::ZERO, 1),
            (Duration::from_nanos(1), 1),
            (Duration::from_secs(1), 1),
            (Duration::from_millis(1001), 2),
            (Duration::MAX, i64::MAX),
        ] {
            assert_eq!(whole_seconds(ttl), seconds, "{ttl:?}");
        }
    }

    #[test]
    fn a_lease_is_there_until_nothing_was_granted() {
        for (ttl, granted, expected) in
            [(4, 5, Some(4)), (0, 5, Some(0)), (-1, 5, Some(0)), (6, 5, Some(5)), (-1, 0, None), (0, 0, None)]
        {
            assert_eq!(left(ttl, granted), expected.map(Duration::from_secs), "{ttl} of {granted}");
        }
    }

    #[test]
    fn ids_are_positive() {
        assert!((0..1000).all(|_| random_id().get() > 0));
    }
}
