use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

/// Beats as long as calls are made, so that there is always a timer that is due sooner than theirs.
///
/// Tokio wakes up the thread that waits for the network whenever a timer is set that is due before all others. Each call
/// sets some, for what hardly ever happens, and takes them back: alone, it would wake up that thread for nothing.
#[derive(Default)]
pub(super) struct Metronome {
    /// Whether there was a call since the last beat.
    is_heard: AtomicBool,
    started: Notify,
}

impl Metronome {
    /// Notes that a call begins.
    pub(super) fn call(&self) {
        if !self.is_heard.load(Ordering::Relaxed) && !self.is_heard.swap(true, Ordering::AcqRel) {
            self.started.notify_one();
        }
    }

    /// Beats at this interval, and rests while there are no calls. Never ends.
    pub(super) async fn beat(&self, interval: Duration) {
        loop {
            self.started.notified().await;
            while self.is_heard.swap(false, Ordering::AcqRel) {
                sleep(interval).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use tokio::time::{Instant, advance};

    use super::*;

    const INTERVAL: Duration = Duration::from_millis(250);

    #[tokio::test(start_paused = true)]
    async fn it_beats_while_there_are_calls_and_rests_after_them() {
        let metronome = Metronome::default();
        let mut beats = pin!(metronome.beat(INTERVAL));
        let mut poll =
            async || poll_fn(|context| Poll::Ready(beats.as_mut().poll(context).is_pending())).await;
        assert!(poll().await);
        for _ in 0..3 {
            metronome.call();
            assert!(poll().await);
            metronome.call();
            advance(INTERVAL).await;
            assert!(poll().await);
            advance(INTERVAL).await;
            assert!(poll().await);
        }
        // Nothing is left that would end this wait early.
        let begin = Instant::now();
        tokio::select! {
            () = &mut beats => {}
            () = sleep(Duration::from_secs(3600)) => {}
        }
        assert_eq!(begin.elapsed(), Duration::from_secs(3600));
    }
}
