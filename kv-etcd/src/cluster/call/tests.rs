//! Calls on members that are imagined: what an attempt does is decided by the endpoint that it is made on.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::advance;

use super::super::hedge::SILENCE;
use super::*;
use crate::{EtcdConfig, EtcdConfigBuilder};

// Nobody listens there.
const A: &str = "http://127.0.0.1:1";
const B: &str = "http://127.0.0.1:2";
const C: &str = "http://127.0.0.1:3";

/// What a member does.
#[derive(Clone, Copy, Debug)]
enum Does {
    Answer,
    AnswerAfter(Duration),
    /// No connection.
    Refuse,
    /// The connection breaks.
    Break,
    /// It says no.
    Deny,
    Nothing,
}

/// A cluster in which the members of this list are preferred in its order.
struct Imagined {
    shared: Shared,
    does: BTreeMap<&'static str, Does>,
    asked: Mutex<Vec<&'static str>>,
}

impl Imagined {
    fn new(members: &[(&'static str, Does)]) -> Self {
        Self::with(members, |config| config)
    }

    fn with(
        members: &[(&'static str, Does)],
        settings: impl Fn(EtcdConfigBuilder) -> EtcdConfigBuilder,
    ) -> Self {
        let config = EtcdConfig::builder(members.iter().map(|(endpoint, _)| *endpoint));
        let config = settings(config.with_request_timeout(Duration::from_secs(10)));
        let shared = Shared::new(&config.build().unwrap()).unwrap();
        let imagined = Self { shared, does: members.iter().copied().collect(), asked: Mutex::default() };
        imagined.shared.members.prefer(&imagined.member(members[0].0));
        imagined
    }

    fn member(&self, endpoint: &str) -> Arc<Member> {
        self.shared.members.all().into_iter().find(|member| member.endpoint() == endpoint).unwrap()
    }

    async fn attempt(&self, attempt: Attempt) -> Result<String, BackendError> {
        let (&endpoint, &does) = self.does.get_key_value(attempt.witness.member.endpoint()).unwrap();
        self.asked.lock().unwrap().push(endpoint);
        match does {
            Does::Answer => Ok(endpoint.to_owned()),
            Does::AnswerAfter(time) => {
                sleep(time).await;
                Ok(endpoint.to_owned())
            }
            Does::Refuse => Err(BackendError::new(BackendErrorKind::Unavailable, "refused").not_applied()),
            Does::Break => Err(BackendError::new(BackendErrorKind::Unavailable, "broken")),
            Does::Deny => Err(BackendError::new(BackendErrorKind::PermissionDenied, "no")),
            Does::Nothing => pending().await,
        }
    }

    async fn read(&self) -> Result<String, BackendError> {
        let call = Call::new(&self.shared, "read");
        call.run(call.read(|attempt| self.attempt(attempt))).await
    }

    fn heal(&self) {
        for member in self.shared.members.all() {
            member.report(&member.connection(), &Ok(()));
        }
    }

    /// Writes as if every member that is well had just answered.
    async fn write(&self, bytes: usize) -> Result<String, BackendError> {
        for member in self.shared.members.all().into_iter().filter(|member| member.is_well()) {
            member.report(&member.connection(), &Ok(()));
        }
        let call = Call::new(&self.shared, "write");
        call.run(call.write(bytes, |attempt| self.attempt(attempt))).await
    }

    fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn is_well(&self, endpoint: &str) -> bool {
        self.member(endpoint).is_well()
    }
}

#[tokio::test(start_paused = true)]
async fn one_member_is_kept_to_while_it_is_well() {
    let cluster = Imagined::new(&[(A, Does::Answer), (B, Does::Answer), (C, Does::Answer)]);
    for _ in 0..10 {
        assert_eq!(cluster.read().await.unwrap(), A);
        assert_eq!(cluster.write(0).await.unwrap(), A);
    }
    assert_eq!(cluster.asked(), [A; 20]);
}

#[tokio::test(start_paused = true)]
async fn a_read_goes_on_to_the_next_member_at_once_and_the_one_that_failed_is_left_alone() {
    // The order of the others is left to chance.
    for failure in [Does::Refuse, Does::Break].repeat(10) {
        let cluster = Imagined::new(&[(A, failure), (B, Does::Answer), (C, Does::Answer)]);
        let begin = Instant::now();
        let next = cluster.read().await.unwrap();
        assert_ne!(next, A);
        assert_eq!(begin.elapsed(), Duration::ZERO);
        assert!(!cluster.is_well(A) && cluster.is_well(&next));
        assert_eq!(cluster.read().await.unwrap(), next);
        // When it is well again that one stays preferred.
        cluster.heal();
        assert_eq!(cluster.read().await.unwrap(), next);
        assert_eq!(cluster.asked(), [A, next.as_str(), &next, &next]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_an_answer() {
    let cluster = Imagined::new(&[(A, Does::Deny), (B, Does::Answer)]);
    assert_eq!(cluster.read().await.unwrap_err().kind(), BackendErrorKind::PermissionDenied);
    assert_eq!(cluster.write(0).await.unwrap_err().kind(), BackendErrorKind::PermissionDenied);
    assert_eq!(cluster.asked(), [A, A]);
    assert!(cluster.is_well(A));
}

#[tokio::test(start_paused = true)]
async fn a_read_asks_another_member_when_one_is_silent() {
    let cluster = Imagined::new(&[(A, Does::Nothing), (B, Does::Answer)]);
    let begin = Instant::now();
    assert_eq!(cluster.read().await.unwrap(), B);
    assert_eq!(begin.elapsed(), SILENCE);
    assert!(!cluster.is_well(A));
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_only_slow_may_still_answer_first() {
    let slow = Does::AnswerAfter(Duration::from_millis(1500));
    let cluster = Imagined::new(&[(A, slow), (B, Does::Nothing)]);
    let begin = Instant::now();
    assert_eq!(cluster.read().await.unwrap(), A);
    assert_eq!(begin.elapsed(), Duration::from_millis(1500));
    assert!(cluster.is_well(A));
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_of_one_member_is_not_asked_ever_more() {
    let cluster = Imagined::new(&[(A, Does::AnswerAfter(Duration::from_millis(6500)))]);
    assert_eq!(cluster.read().await.unwrap(), A);
    // After 1, 3 and 7 s, of which the last is too late.
    assert_eq!(cluster.asked().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn when_all_fail_the_call_ends_at_its_deadline_and_tells_why() {
    let cluster = Imagined::new(&[(A, Does::Refuse), (B, Does::Refuse)]);
    for write in [false, true] {
        let begin = Instant::now();
        let error = if write { cluster.write(0).await } else { cluster.read().await }.unwrap_err();
        let took = begin.elapsed();
        assert!((Duration::from_secs(10)..Duration::from_millis(10_100)).contains(&took), "{took:?}");
        assert_eq!(error.kind(), BackendErrorKind::Unavailable);
        assert!(
            error.message().contains(A) && error.message().to_lowercase().contains("refused"),
            "{error:?}"
        );
        assert!(error.is_retryable());
        // About one pause a second, once all were asked.
        let asked = cluster.asked().len();
        assert!((if write { 1..60 } else { 10..60 }).contains(&asked), "{asked}");
        cluster.heal();
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_not_applied_is_sent_to_the_next_member() {
    let cluster = Imagined::new(&[(A, Does::Refuse), (B, Does::Answer)]);
    assert_eq!(cluster.write(0).await.unwrap(), B);
    assert_eq!(cluster.asked(), [A, B]);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_may_have_been_applied_is_never_sent_again() {
    let cluster = Imagined::new(&[(A, Does::Break), (B, Does::Answer)]);
    let error = cluster.write(0).await.unwrap_err();
    assert!(error.is_maybe_applied() && error.is_retryable());
    assert_eq!(cluster.asked(), [A]);
}

#[tokio::test(start_paused = true)]
async fn a_write_without_an_answer_is_given_up_after_a_time_that_grows_and_shrinks() {
    let mut cluster = Imagined::new(&[(A, Does::Nothing), (B, Does::Nothing), (C, Does::Nothing)]);
    let mut waits = Vec::new();
    for bytes in [0, 200_000, 0] {
        let begin = Instant::now();
        let error = cluster.write(bytes).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Timeout);
        assert!(error.is_maybe_applied() && error.is_retryable());
        waits.push(begin.elapsed().as_millis());
    }
    assert_eq!(waits, [1500, 3000 + 2000, 6000]);
    let asked = cluster.asked();
    assert!(asked[0] != asked[1] && asked[1] != asked[2], "{asked:?}");
    // Slow, but within what it is given now; then quick.
    for (time, left) in [(4000, 10_000), (1000, 1500)] {
        cluster.does =
            [A, B, C].map(|member| (member, Does::AnswerAfter(Duration::from_millis(time)))).into();
        cluster.heal();
        cluster.write(0).await.unwrap();
        assert_eq!(cluster.shared.patience.current(), Duration::from_millis(left));
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_that_has_not_answered_lately_is_not_trusted_with_a_write() {
    let cluster = Imagined::new(&[(A, Does::Answer)]);
    let a = cluster.member(A);
    assert!(!a.is_fresh());
    a.report(&a.connection(), &Ok(()));
    assert!(a.is_fresh());
    advance(SILENCE).await;
    assert!(!a.is_fresh() && a.is_well());
}

#[tokio::test(start_paused = true)]
async fn watches_on_a_silent_connection_end_when_the_member_answers_on_another_or_fails_again() {
    let cluster = Imagined::new(&[(A, Does::Answer)]);
    let a = cluster.member(A);
    let answered = |connection: &Arc<_>| a.report(connection, &Ok(()));
    // A slow answer clears it.
    let first = a.connection();
    a.silent(&first, SILENCE);
    let second = a.connection();
    assert!(!Arc::ptr_eq(&first, &second) && !first.ended.is_cancelled());
    answered(&first);
    answered(&second);
    assert!(!first.ended.is_cancelled() && a.is_well());
    // One on the connection that has replaced it does not.
    a.silent(&second, SILENCE);
    let third = a.connection();
    answered(&third);
    assert!(second.ended.is_cancelled() && !third.ended.is_cancelled());
    // Nor does another silence.
    a.silent(&third, SILENCE);
    assert!(!third.ended.is_cancelled());
    advance(Duration::from_secs(1)).await;
    a.silent(&a.connection(), SILENCE);
    assert!(third.ended.is_cancelled() && !a.is_well());
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_rate_wait_for_as_long_as_their_deadline_allows() {
    let cluster = Imagined::with(&[(A, Does::Answer)], |config| config.with_request_rate(1, 2));
    let begin = Instant::now();
    let calls = futures::future::join_all((0..20).map(|_| cluster.read())).await;
    // Two at once, and then one in each second.
    let (succeeded, failed): (Vec<_>, Vec<_>) = calls.into_iter().partition(Result::is_ok);
    assert!((11..=12).contains(&succeeded.len()), "{}", succeeded.len());
    assert!(begin.elapsed() <= Duration::from_millis(10_010), "{:?}", begin.elapsed());
    for error in failed.into_iter().map(Result::unwrap_err) {
        assert_eq!(error.kind(), BackendErrorKind::Timeout);
        assert!(!error.is_maybe_applied() && error.is_retryable());
    }
}
