use std::time::Duration;

use crate::clock::Moment;

/// How long a lease is known to run, by this machine's clock alone.
///
/// The store counts a TTL from when a renewal reaches it. Counted from when it was *sent*, less a margin, it ends here
/// before it can end there: then nobody else can hold what we still believe to hold.
#[derive(Clone, Debug)]
pub(super) struct Life {
    ttl: Duration,
    renewed: Moment,
    /// Whether the last attempt to renew it has failed.
    pub(super) suspect: bool,
}

impl Life {
    /// A lease for which these were asked for and granted.
    pub(super) fn new(sent: Moment, ttl: Duration) -> Self {
        Self { ttl, renewed: sent, suspect: false }
    }

    /// What a renewal that was sent then has made of it. Answers may overtake each other.
    pub(super) fn renew(&mut self, sent: Moment, ttl: Duration) {
        let ours = self.renewed.elapsed();
        if sent.elapsed() < ours {
            *self = Self::new(sent, ttl);
        }
    }

    /// How long it certainly still runs.
    pub(super) fn left(&self) -> Duration {
        self.usable().saturating_sub(self.renewed.elapsed())
    }

    /// Waits until it may have ended, unless it is renewed.
    pub(super) async fn is_over(&self) {
        self.renewed.is_past(self.usable()).await;
    }

    /// Waits until it should be renewed.
    pub(super) async fn is_due(&self) {
        self.renewed.is_past(self.ttl / 3).await;
    }

    /// How long an attempt to renew it may take: several fit between the first and the end.
    pub(super) fn attempt(&self) -> Duration {
        const LONGEST: Duration = Duration::from_secs(5);
        (self.ttl / 8).min(LONGEST)
    }

    /// The TTL less a tenth, for clocks that run at different speeds and for what happens between looking at the clock
    /// and acting on it.
    fn usable(&self) -> Duration {
        self.ttl.saturating_sub(self.ttl / 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Surroundings;
    use tokio::time::advance;

    const TTL: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn it_ends_before_the_ttl_counted_from_sending() {
        let mut life = Life::new(Moment::now(&Surroundings::default()), TTL);
        advance(Duration::from_secs(20)).await;
        let sent = Moment::now(&Surroundings::default());
        advance(Duration::from_secs(5)).await;
        assert!(life.left() <= Duration::from_secs(2));
        life.renew(sent.clone(), TTL);
        let left = life.left();
        assert!(left <= Duration::from_secs(22) && left > Duration::from_secs(21), "{left:?}");
        life.is_over().await;
        assert!(sent.elapsed() + Duration::from_secs(1) < TTL, "{:?}", sent.elapsed());
        assert_eq!(life.left(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_was_overtaken_changes_nothing() {
        let early = Moment::now(&Surroundings::default());
        advance(Duration::from_secs(5)).await;
        let mut life = Life::new(Moment::now(&Surroundings::default()), TTL);
        life.suspect = true;
        life.renew(early, TTL);
        assert!(life.left() > Duration::from_secs(26) && life.suspect);
    }

    #[tokio::test(start_paused = true)]
    async fn several_attempts_fit_between_the_first_and_the_end() {
        for seconds in [2, 30, 300] {
            let life = Life::new(Moment::now(&Surroundings::default()), Duration::from_secs(seconds));
            life.is_due().await;
            assert!(life.left() > 4 * life.attempt(), "{life:?}");
        }
    }
}
