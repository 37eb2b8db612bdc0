use std::future::Future;
use std::time::Duration;

use etcd_client::{LeaseClient, LeaseGrantOptions};
use storage_core::kv::{BackendError, BackendErrorKind, Lease, LeaseId};

use crate::deadline::within;
use crate::error::{from_client, is_lease_exists};

/// Grants a lease. The id is chosen here, so that a grant whose answer is lost can be asked for again: the second time
/// etcd either grants it or says that it exists.
pub(crate) async fn grant(
    client: LeaseClient,
    ttl: Duration,
    timeout: Duration,
) -> Result<Lease, BackendError> {
    let seconds = whole_seconds(ttl);
    let attempt = |id| {
        let ask = ask(client.clone(), id, seconds);
        within(timeout / MOST_ATTEMPTS, "grant", ask)
    };
    let (id, granted) = repeat(attempt).await?;
    let ttl = match granted {
        Granted::For(ttl) => ttl,
        Granted::Exists => granted_ttl(client.clone(), id).await?,
    };
    Ok(Lease { id, ttl })
}

/// Renews a lease once.
///
/// The library hides the answer to the renewal with which it opens its stream; the answer to another is shown.
pub(crate) async fn keep_alive(mut client: LeaseClient, lease: LeaseId) -> Result<Duration, BackendError> {
    let (mut keeper, mut answers) = client.keep_alive(lease.get()).await.map_err(from_client)?;
    keeper.keep_alive().await.map_err(from_client)?;
    let answer = answers.message().await.map_err(from_client)?;
    let ttl = answer
        .map(|answer| answer.ttl())
        .ok_or_else(|| BackendError::new(BackendErrorKind::Unavailable, "the server closed the stream"))?;
    // etcd's way to say that there is no such lease.
    if ttl <= 0 {
        return Err(not_found(lease));
    }
    Ok(seconds(ttl))
}

/// How long a lease still runs, in whole seconds; a fraction is left out.
pub(crate) async fn time_to_live(mut client: LeaseClient, lease: LeaseId) -> Result<Duration, BackendError> {
    let answer = client.time_to_live(lease.get(), None).await.map_err(from_client)?;
    left(answer.ttl(), answer.granted_ttl()).ok_or_else(|| not_found(lease))
}

/// Ends a lease.
pub(crate) async fn revoke(mut client: LeaseClient, lease: LeaseId) -> Result<(), BackendError> {
    client.revoke(lease.get()).await.map(drop).map_err(from_client)
}

/// How often a grant whose answer was lost is asked for.
const MOST_ATTEMPTS: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Granted {
    For(Duration),
    /// A lease of that id exists already.
    Exists,
}

/// Asks until it is known that there is a lease of ours, or that there will be none.
async fn repeat<F>(attempt: impl Fn(LeaseId) -> F) -> Result<(LeaseId, Granted), BackendError>
where
    F: Future<Output = Result<Granted, BackendError>>,
{
    let mut id = random_id();
    let mut lost = 0;
    loop {
        match attempt(id).await {
            // Nobody asked for it on our behalf: it is somebody else's.
            Ok(Granted::Exists) if lost == 0 => id = random_id(),
            Ok(granted) => return Ok((id, granted)),
            Err(error) if error.is_retryable() && error.is_maybe_applied() && lost + 1 < MOST_ATTEMPTS => {
                lost += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn ask(mut client: LeaseClient, id: LeaseId, seconds_: i64) -> Result<Granted, BackendError> {
    let options = LeaseGrantOptions::new().with_id(id.get());
    match client.grant(seconds_, Some(options)).await {
        Ok(granted) => Ok(Granted::For(seconds(granted.ttl()))),
        Err(error) if is_lease_exists(&error) => Ok(Granted::Exists),
        Err(error) => Err(from_client(error)),
    }
}

async fn granted_ttl(mut client: LeaseClient, id: LeaseId) -> Result<Duration, BackendError> {
    let found = client.time_to_live(id.get(), None).await.map_err(from_client)?;
    Ok(seconds(found.granted_ttl()))
}

/// What is left of a lease, or `None` if there is none: etcd answers that nothing was granted then.
///
/// A lease in its last second has nothing left, and less than that until etcd has ended it; but it is there. After a
/// change of leaders it may have more left than was granted.
fn left(ttl: i64, granted: i64) -> Option<Duration> {
    (granted > 0).then(|| seconds(ttl.min(granted)))
}

fn not_found(lease: LeaseId) -> BackendError {
    BackendError::new(BackendErrorKind::LeaseNotFound, lease.to_string())
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

    fn lost() -> Answer {
        Err(BackendError::new(BackendErrorKind::Timeout, "lost"))
    }

    /// What comes of these answers, and the ids that were asked for.
    async fn run(
        answers: impl IntoIterator<Item = Answer>,
    ) -> (Result<(LeaseId, Granted), BackendError>, Vec<LeaseId>) {
        let answers = RefCell::new(answers.into_iter().collect::<VecDeque<_>>());
        let asked = RefCell::new(Vec::new());
        let result = repeat(|id| {
            asked.borrow_mut().push(id);
            let answer = answers.borrow_mut().pop_front().expect("an answer for each attempt");
            async move { answer }
        });
        (result.await, asked.into_inner())
    }

    #[tokio::test]
    async fn a_grant_whose_answer_was_lost_is_asked_for_under_the_same_id() {
        for second in [Granted::Exists, Granted::For(Duration::from_secs(5))] {
            let (result, asked) = run([lost(), Ok(second)]).await;
            assert_eq!(asked.len(), 2);
            assert_eq!(asked[0], asked[1]);
            assert_eq!(result.unwrap(), (asked[0], second));
        }
    }

    #[tokio::test]
    async fn an_id_that_somebody_else_has_is_not_taken() {
        let ttl = Granted::For(Duration::from_secs(5));
        let (result, asked) = run([Ok(Granted::Exists), Ok(ttl)]).await;
        assert_ne!(asked[0], asked[1]);
        assert_eq!(result.unwrap(), (asked[1], ttl));
    }

    #[tokio::test]
    async fn it_is_not_asked_for_again_without_end_or_without_need() {
        let (result, asked) = run([lost(), lost(), lost()]).await;
        assert_eq!((result.unwrap_err().kind(), asked.len()), (BackendErrorKind::Timeout, 3));
        for kind in [BackendErrorKind::NoSpace, BackendErrorKind::PermissionDenied] {
            let (result, asked) = run([Err(BackendError::new(kind, ""))]).await;
            assert_eq!((result.unwrap_err().kind(), asked.len()), (kind, 1));
        }
        let (_, asked) =
            run([Err(BackendError::new(BackendErrorKind::Unavailable, "refused").not_applied())]).await;
        assert_eq!(asked.len(), 1);
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
