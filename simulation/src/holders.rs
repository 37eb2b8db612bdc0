use std::sync::{Arc, Mutex, Weak};

use storage_conformance::history::RecordedGuard;
use storage_core::kv::Revision;

use crate::client::Client;
use crate::link::Link;

/// Everybody who has a guard of a lock, to see whether two believe that they hold it.
#[derive(Debug, Default)]
pub(crate) struct Holders(Mutex<Vec<Holder>>);

/// A guard, shared with who looks whether it is held.
pub(crate) type Guard = Arc<RecordedGuard<Arc<Link>>>;

struct Holder {
    client: String,
    link: Arc<Link>,
    guard: Weak<RecordedGuard<Arc<Link>>>,
}

impl Holders {
    /// Takes note of a lock that somebody has taken.
    pub(crate) fn add(&self, client: &Client, guard: &Guard) {
        let (name, link) = (client.name.clone(), Arc::clone(&client.link));
        self.0.lock().expect("nobody panics under it").push(Holder {
            client: name,
            link,
            guard: Arc::downgrade(guard),
        });
    }

    /// Who believe that they hold a lock that another holds.
    pub(crate) fn overlapping(&self) -> Vec<String> {
        let mut held = self.held();
        held.sort();
        let both = held.windows(2).filter(|two| two[0].0 == two[1].0);
        both.map(|two| format!("two hold a lock: {:?} and {:?}", two[0], two[1])).collect()
    }

    /// Who believe that they hold the lock with this token.
    pub(crate) fn of(&self, token: Revision) -> Vec<String> {
        let held = self.held().into_iter().filter(|(_, held, _)| *held == token);
        held.map(|(_, _, client)| client).collect()
    }

    /// The name and token of each lock that somebody believes to hold, and who that is. A process that does not run
    /// believes nothing.
    fn held(&self) -> Vec<(String, Revision, String)> {
        let mut holders = self.0.lock().expect("nobody panics under it");
        holders.retain(|holder| holder.guard.strong_count() > 0 && !holder.link.has_crashed());
        let running = holders.iter().filter(|holder| holder.link.runs());
        let held = running.filter_map(|holder| {
            let guard = holder.guard.upgrade()?;
            let guard = guard.guard();
            let token = Revision(guard.token().get());
            guard.is_held().then(|| (guard.name().to_owned(), token, holder.client.clone()))
        });
        held.collect()
    }
}

impl std::fmt::Debug for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Holder").field("client", &self.client).finish_non_exhaustive()
    }
}
