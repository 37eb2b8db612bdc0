use std::sync::{Arc, Mutex, MutexGuard};

use storage_conformance::decorate::{Call, Fault};
use storage_core::kv::{Key, Op, Txn};

use crate::chance::Chance;
use crate::plan::{Full, Mishap};
use crate::world::World;

/// Says which calls of a client go wrong, and how.
pub(crate) struct Judge {
    world: Arc<World>,
    client: String,
    state: Mutex<State>,
}

struct State {
    chance: Chance,
    outage: Option<Mishap>,
    /// Nothing goes wrong any more.
    is_over: bool,
}

impl Judge {
    pub(crate) fn new(world: Arc<World>, client: String, chance: Chance) -> Self {
        Self { world, client, state: Mutex::new(State { chance, outage: None, is_over: false }) }
    }

    /// What goes wrong with every call from now on, if anything.
    pub(crate) fn set_outage(&self, outage: Option<Mishap>) {
        self.state().outage = outage;
    }

    /// Lets every call through from now on.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        (state.outage, state.is_over) = (None, true);
    }

    pub(crate) fn judge(&self, call: &Call<'_>) -> Option<Fault> {
        let (mishap, fault) = self.fault(call)?;
        self.world.note(mishap.name(), || format!("{} {fault:?} of {}", self.client, describe(call)));
        Some(fault)
    }

    fn fault(&self, call: &Call<'_>) -> Option<(Mishap, Fault)> {
        let mut state = self.state();
        if state.is_over {
            return None;
        }
        let State { chance, outage, .. } = &mut *state;
        let plan = &self.world.plan;
        let drawn =
            || plan.mishaps.iter().find(|(_, often)| chance.happens(*often)).map(|(mishap, _)| *mishap);
        let mishap = outage.or_else(drawn)?;
        let fault = match mishap {
            Mishap::Refuse => Fault::Refuse,
            Mishap::LoseAnswer => Fault::LoseAnswer,
            Mishap::Late => Fault::Late(chance.millis(1, 8_000)),
            Mishap::Slow => Fault::Slow(chance.millis(1, 8_000)),
            Mishap::Hang => Fault::Hang,
            Mishap::NoSpace => {
                let needs = Needs::of(call);
                if !needs.space || (plan.full == Full::Puts && needs.deletes_files) {
                    return None;
                }
                let may_be_applied = plan.full == Full::Puts || !needs.puts_files;
                Fault::NoSpace { applied: may_be_applied && chance.happens(300) }
            }
        };
        Some((mishap, fault))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics under it")
    }
}

/// What a call needs of a store that is full.
struct Needs {
    space: bool,
    puts_files: bool,
    deletes_files: bool,
}

impl Needs {
    fn of(call: &Call<'_>) -> Self {
        let mut needs =
            Self { space: matches!(call, Call::Grant(_)), puts_files: false, deletes_files: false };
        let Call::Txn(txn) = call else { return needs };
        for op in &txn.success {
            match op {
                Op::Put { key, .. } => {
                    needs.space = true;
                    needs.puts_files |= is_of_file(key);
                }
                Op::Delete(key) => needs.deletes_files |= is_of_file(key),
                Op::DeleteRange(range) => needs.deletes_files |= is_of_file(range.start()),
                Op::Get(_) => {}
            }
        }
        needs
    }
}

fn is_of_file(key: &Key) -> bool {
    key.as_bytes().windows(6).any(|part| part == b"/meta/")
}

fn describe(call: &Call<'_>) -> String {
    match call {
        Call::Range(request) => format!("read of {}", shown(request.range.start().as_bytes())),
        Call::Txn(txn) => describe_txn(txn),
        Call::Grant(ttl) => format!("grant of {ttl:?}"),
        Call::KeepAlive(lease) => format!("renewal of {lease}"),
        Call::TimeToLive(lease) => format!("look at {lease}"),
        Call::Revoke(lease) => format!("end of {lease}"),
        Call::Watch(range, after) => format!("watch of {} after {after}", shown(range.start().as_bytes())),
        _ => "a call".to_owned(),
    }
}

fn describe_txn(txn: &Txn) -> String {
    let keys = txn.success.iter().filter_map(|op| match op {
        Op::Put { key, .. } => Some(format!("put {}", shown(key.as_bytes()))),
        Op::Delete(key) => Some(format!("delete {}", shown(key.as_bytes()))),
        Op::DeleteRange(range) => Some(format!("delete from {}", shown(range.start().as_bytes()))),
        Op::Get(_) => None,
    });
    let keys: Vec<_> = keys.collect();
    if keys.is_empty() { "reads".to_owned() } else { format!("write: {}", keys.join(", ")) }
}

fn shown(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}
