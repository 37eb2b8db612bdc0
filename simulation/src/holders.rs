use std::sync::{Arc, Mutex, Weak};

use storage_conformance::history::RecordedGuard;
use storage_core::LockState;

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

    /// Who believe that they hold a lock that another holds. A process that does not run believes nothing.
    pub(crate) fn overlapping(&self) -> Vec<String> {
        let mut holders = self.0.lock().expect("nobody panics under it");
        holders.retain(|holder| holder.guard.strong_count() > 0 && !holder.link.has_crashed());
        let mut held: Vec<(String, u64, &str)> = Vec::new();
        for holder in holders.iter().filter(|holder| holder.link.runs()) {
            let Some(guard) = holder.guard.upgrade() else { continue };
            let guard = guard.guard();
            if guard.state() != LockState::Lost {
                held.push((guard.name().to_owned(), guard.token().get(), &holder.client));
            }
        }
        held.sort();
        let both = held.windows(2).filter(|two| two[0].0 == two[1].0);
        both.map(|two| format!("two hold a lock: {:?} and {:?}", two[0], two[1])).collect()
    }
}

impl std::fmt::Debug for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Holder").field("client", &self.client).finish_non_exhaustive()
    }
}
