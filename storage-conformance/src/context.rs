use std::sync::Arc;
use std::time::Duration;

use storage_core::LayoutKind;
use storage_core::kv::{Key, KeyRange, KvBackend, Revision};
use tokio::time::Instant;

use crate::TestStore;
use crate::sabotage::{Calls, Saboteur, Seat, Twist};

/// What a case is given: an empty store of its own, and ways to wait.
#[derive(Clone)]
pub(crate) struct Context {
    store: Arc<dyn TestStore>,
    layout: LayoutKind,
    sabotage: Option<Sabotage>,
}

/// What a saboteur does in a case, which should find it out.
#[derive(Clone)]
struct Sabotage {
    seat: Seat,
    /// What it does to the store, for all clients.
    store: Option<Twist>,
}

impl Context {
    /// The longest that a case waits for something that must happen: far more than any store needs.
    pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
    /// How often [`eventually`](Self::eventually) looks.
    const POLL: Duration = Duration::from_millis(20);

    pub(crate) fn new(store: Box<dyn TestStore>, layout: LayoutKind, saboteur: Option<&Saboteur>) -> Self {
        let sabotage = saboteur.map(|saboteur| {
            let seat = saboteur.seat();
            let store = if let Seat::Store(twist) = seat { Some(twist()) } else { None };
            Sabotage { seat, store }
        });
        Self { store: store.into(), layout, sabotage }
    }

    /// The layout of the trees that the case makes.
    pub(crate) fn layout(&self) -> LayoutKind {
        self.layout
    }

    /// The same case with trees of this layout, for cases that are about one.
    pub(crate) fn with_layout(mut self, layout: LayoutKind) -> Self {
        self.layout = layout;
        self
    }

    /// A client, independent of those before.
    pub(crate) async fn client(&self) -> Arc<dyn KvBackend> {
        let client = self.store.client().await;
        match self.sabotage.as_ref().and_then(|sabotage| sabotage.store.as_ref()) {
            Some(twist) => twist.around(client),
            None => client,
        }
    }

    /// What a tree has to use in the place of a client.
    pub(crate) fn for_storage(&self, client: Arc<dyn KvBackend>) -> Arc<dyn KvBackend> {
        match &self.sabotage {
            Some(Sabotage { seat: Seat::Storage(twist), .. }) => twist().around(client),
            _ => client,
        }
    }

    /// How calls to a tree are to be answered wrongly.
    pub(crate) fn sabotaged_calls(&self) -> Option<Calls> {
        match &self.sabotage {
            Some(Sabotage { seat: Seat::Calls(calls), .. }) => Some(*calls),
            _ => None,
        }
    }

    /// The key of this name. A name may be any bytes.
    pub(crate) fn key(&self, name: impl AsRef<[u8]>) -> Key {
        let mut bytes = self.store.prefix().into_bytes();
        bytes.extend_from_slice(name.as_ref());
        Key::new(bytes)
    }

    /// All keys whose names begin with `name`.
    pub(crate) fn below(&self, name: impl AsRef<[u8]>) -> KeyRange {
        KeyRange::prefix(self.key(name).into_bytes())
    }

    /// All keys of the case.
    pub(crate) fn all(&self) -> KeyRange {
        self.below("")
    }

    /// The keys from one name up to, but without, another.
    pub(crate) fn between(&self, start: impl AsRef<[u8]>, end: impl AsRef<[u8]>) -> KeyRange {
        KeyRange::new(self.key(start), self.key(end))
    }

    /// Gives up all states before `revision`.
    pub(crate) async fn compact(&self, revision: Revision) {
        self.store.compact(revision).await;
    }

    /// Lets time pass: at once when it is paused. To wait *past* something; nothing may depend on the exact time.
    pub(crate) async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Asks `probe` again and again until it answers `Some`.
    ///
    /// # Panics
    ///
    /// When it has not answered within `deadline`; `what` says what was awaited.
    pub(crate) async fn eventually<T, F>(
        &self,
        what: &str,
        deadline: Duration,
        mut probe: impl FnMut() -> F,
    ) -> T
    where
        F: Future<Output = Option<T>>,
    {
        let started = Instant::now();
        loop {
            if let Some(answer) = probe().await {
                return answer;
            }
            assert!(started.elapsed() < deadline, "not within {deadline:?}: {what}");
            tokio::time::sleep(Self::POLL).await;
        }
    }
}
