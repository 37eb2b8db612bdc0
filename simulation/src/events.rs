use std::sync::Arc;
use std::time::Duration;

use storage_core::kv::KvBackend;
use storage_core::{Storage, StorageOptions};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::chance::{Chance, Part};
use crate::client::{Client, Current, End};
use crate::plan::{Event, Mishap};
use crate::world::World;

/// Lets things happen to clients and the store, one after the other and some at the same time, as long as it is polled.
pub(crate) struct Events {
    world: Arc<World>,
    chance: Chance,
    slots: Vec<(mpsc::UnboundedSender<End>, Arc<Current>)>,
}

impl Events {
    pub(crate) fn new(world: &Arc<World>, slots: Vec<(mpsc::UnboundedSender<End>, Arc<Current>)>) -> Self {
        let chance = Chance::of(world.seed, Part::Events, 0);
        Self { world: Arc::clone(world), chance, slots }
    }

    pub(crate) async fn run(mut self) {
        if self.world.plan.events.is_empty() {
            std::future::pending::<()>().await;
        }
        let longest = u64::try_from(self.world.plan.event_pause.as_millis()).expect("some seconds");
        loop {
            sleep(self.chance.millis(1, longest)).await;
            let event = self.chance.pick(&self.world.plan.events);
            let slot = self.chance.below(self.slots.len());
            let client = self.slots[slot].1.lock().expect("nobody panics under it").clone();
            let Some(client) = client else { continue };
            self.world.note(event.name(), || format!("{} {event:?}", client.name));
            self.happen(event, slot, client).await;
        }
    }

    async fn happen(&mut self, event: Event, slot: usize, client: Client) {
        match event {
            Event::Refuse => self.cut(client, Mishap::Refuse),
            Event::OneWay => self.cut(client, Mishap::LoseAnswer),
            Event::BlackHole => self.cut(client, Mishap::Hang),
            Event::Stop => {
                client.machine.stop();
                client.link.stop();
                let time = self.chance.millis(1, 12_000);
                tokio::spawn(async move {
                    sleep(time).await;
                    client.machine.go_on();
                    client.link.go_on();
                });
            }
            Event::Jump => client.machine.jump(self.chance.millis(1, 10_000)),
            Event::Crash => self.end(slot, End::Crash),
            Event::Restart => {
                let end = self.chance.pick(&[End::Close, End::Drop]);
                self.end(slot, end);
            }
            Event::Compact => self.compact().await,
            Event::DropWatches => client.link.drop_watches(),
            Event::CompactWatches => client.link.compact_watches(),
            Event::Revoke => {
                // Leases are counted from one; whose this is, and whether it has ended already, is all the same.
                let lease = self.chance.between(1, 12);
                let _ = self.world.store.revoke(lease).await;
            }
            Event::BreakLock => {
                let name = self.chance.pick(&["p", "q"]);
                self.break_lock(name).await;
            }
        }
    }

    fn cut(&mut self, client: Client, mishap: Mishap) {
        client.link.cut(mishap);
        let time = self.chance.millis(1, 15_000);
        tokio::spawn(async move {
            sleep(time).await;
            client.link.mend();
        });
    }

    fn end(&self, slot: usize, end: End) {
        // Nobody listens whose work is done.
        let _ = self.slots[slot].0.send(end);
    }

    async fn compact(&self) {
        let Ok(revision) = self.world.store.revision().await else { return };
        // Time passes only when everybody has done what there is to do: what is given up was written down.
        sleep(Duration::from_millis(1)).await;
        if let Err(error) = self.world.store.memory().compact(revision) {
            self.world.violation(format!("the store cannot be compacted at {revision}: {error}"));
        }
    }

    /// By an operator whose own way to the store is good.
    async fn break_lock(&self, name: &str) {
        let store: Arc<dyn KvBackend> = Arc::new(self.world.store.memory().clone());
        let options = StorageOptions::new().with_prefix(self.world.prefix.clone());
        let broken = async { Storage::open(store, options).await?.break_lock(name).await };
        match broken.await {
            Ok(holder) => {
                let token = holder.map(|holder| holder.token);
                self.world.notes().trace.add(format!("the lock {name} was broken: {token:?}"));
            }
            Err(error) => self.world.violation(format!("the lock {name} cannot be broken: {error}")),
        }
    }
}
