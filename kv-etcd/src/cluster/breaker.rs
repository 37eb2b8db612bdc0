use std::time::Duration;

use tokio::time::Instant;

use super::backoff::Pauses;

/// Whether calls are sent to a member: while it is open they go to others.
#[derive(Debug, Default)]
pub(super) enum Breaker {
    #[default]
    Closed,
    Open {
        /// When the member may be tried.
        until: Instant,
        pauses: Pauses,
    },
}

/// What a failure has done to a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It was closed.
    Opened,
    /// It was open, and this was the trial.
    Reopened,
    /// It was open, and this comes of what opened it: calls that were under way then fail too.
    Known,
}

impl Breaker {
    const SHORTEST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(10);

    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }

    /// When the member may be tried, unless it is used anyhow.
    pub(super) fn until(&self) -> Option<Instant> {
        match self {
            Self::Closed => None,
            Self::Open { until, .. } => Some(*until),
        }
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::Closed;
    }

    pub(super) fn failed(&mut self) -> Failure {
        let now = Instant::now();
        match self {
            Self::Closed => {
                let mut pauses = Pauses::new(Self::SHORTEST, Self::LONGEST);
                *self = Self::Open { until: now + pauses.next(), pauses };
                Failure::Opened
            }
            Self::Open { until, .. } if now < *until => Failure::Known,
            Self::Open { until, pauses } => {
                *until = now + pauses.next();
                Failure::Reopened
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn pause(breaker: &Breaker) -> Duration {
        breaker.until().unwrap() - Instant::now()
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_at_the_first_failure_and_for_longer_at_each_trial_that_fails() {
        let mut breaker = Breaker::default();
        assert!(breaker.is_closed() && breaker.until().is_none());
        assert_eq!(breaker.failed(), Failure::Opened);
        let mut pauses = vec![pause(&breaker)];
        for _ in 0..10 {
            advance(*pauses.last().unwrap()).await;
            assert!(!breaker.is_closed());
            assert_eq!(breaker.failed(), Failure::Reopened);
            pauses.push(pause(&breaker));
        }
        assert!(pauses[0] <= 2 * Breaker::SHORTEST, "{pauses:?}");
        assert!(pauses.iter().all(|pause| (Breaker::SHORTEST..=Breaker::LONGEST).contains(pause)));
        assert!(pauses[10] >= Breaker::LONGEST / 2, "{pauses:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_of_calls_that_were_under_way_do_not_prolong_it() {
        let mut breaker = Breaker::default();
        breaker.failed();
        let until = breaker.until();
        advance(Duration::from_millis(1)).await;
        assert_eq!(breaker.failed(), Failure::Known);
        assert_eq!(breaker.until(), until);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_closes_it_and_the_next_pause_is_short_again() {
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            breaker.failed();
            advance(Breaker::LONGEST).await;
        }
        breaker.succeeded();
        assert!(breaker.is_closed());
        assert_eq!(breaker.failed(), Failure::Opened);
        assert!(pause(&breaker) <= 2 * Breaker::SHORTEST);
    }
}
