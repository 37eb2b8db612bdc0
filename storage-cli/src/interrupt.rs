//! Ending in good order when a signal comes in the middle of the work.

use std::process;
use std::time::Duration;

use tokio::sync::watch;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::signals::Signals;

/// Tells the work of a command that it was sent a signal: it begins nothing new then, and ends what is under way.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(watch::Receiver<Option<Exit>>);

/// How long the work may take to end what is under way.
const PATIENCE: Duration = Duration::from_secs(10);

impl Interrupt {
    /// Does some work, and lets it end in good order when a signal comes. A second signal ends the process at once.
    pub(crate) async fn over(
        what: String,
        work: impl AsyncFnOnce(Self) -> Result<Exit, Failure>,
    ) -> Result<Exit, Failure> {
        let mut signals = Signals::listen()?;
        let (ask, asked) = watch::channel(None);
        let work = work(Self(asked));
        tokio::pin!(work);
        let received = tokio::select! {
            ended = &mut work => return ended,
            received = signals.next() => received.exit(),
        };
        ask.send_replace(Some(received));
        tokio::select! {
            ended = tokio::time::timeout(PATIENCE, work) => ended.unwrap_or_else(|_| {
                let why = format!("interrupted, and what was under way did not end within {PATIENCE:?}");
                let message = format!("{what}: {why}; it may yet be done, and running it again goes on");
                Err(Failure::new(received, KIND, message))
            }),
            again = signals.next() => process::exit(again.exit().code().into()),
        }
    }

    /// Whether a signal has come.
    pub(crate) fn has_come(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// The failure to say when a signal has come.
    pub(crate) fn check(&self, message: impl FnOnce() -> String) -> Result<(), Failure> {
        match *self.0.borrow() {
            None => Ok(()),
            Some(exit) => Err(Failure::new(exit, KIND, message())),
        }
    }

    /// Waits for what changes nothing, and so can be given up at any moment.
    pub(crate) async fn unless<T>(
        &self,
        what: &str,
        harmless: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut asked = self.0.clone();
        tokio::select! {
            done = harmless => done,
            // It fails when there is nobody left to ask, and then it was not asked.
            Ok(exit) = async { asked.wait_for(Option::is_some).await.map(|exit| *exit) } => {
                let exit = exit.unwrap_or(Exit::Unavailable);
                Err(Failure::new(exit, KIND, format!("{what}: interrupted; nothing was changed")))
            }
        }
    }
}

const KIND: &str = "interrupted";

#[cfg(test)]
impl Interrupt {
    /// One that never comes.
    pub(crate) fn never() -> Self {
        Self(watch::channel(None).1)
    }
}
