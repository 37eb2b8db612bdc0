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
    outage: Option<Fault>,
    /// Nothing goes wrong any more.
    is_over: bool,
}

impl Judge {
    pub(crate) fn new(world: Arc<World>, client: String, chance: Chance) -> Self {
        Self { world, client, state: Mutex::new(State { chance, outage: None, is_over: false }) }
    }

    /// What goes wrong with every call from now on, if anything.
    pub(crate) fn set_outage(&self, outage: Option<Fault>) {
        self.state().outage = outage;
    }

    /// Lets every call through from now on.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        (state.outage, state.is_over) = (None, true);
    }

    pub(crate) fn judge(&self, call: &Call<'_>) -> Option<Fault> {
        let fault = self.fault(call)?;
        let what = match fault {
            Fault::Refuse => "fault: refused",
            Fault::LoseAnswer => "fault: answer lost",
            Fault::Late(_) => "fault: late",
            Fault::Slow(_) => "fault: slow",
            Fault::Hang => "fault: hangs",
            Fault::NoSpace { .. } => "fault: no space",
            #[allow(unreachable_patterns, reason = "faults that the simulation does not inject")]
            _ => "fault: other",
        };
        let call = describe(call);
        self.world.note(what, || format!("{} {fault:?} of {call}", self.client));
        Some(fault)
    }

    fn fault(&self, call: &Call<'_>) -> Option<Fault> {
        let mut state = self.state();
        if state.is_over {
            return None;
        }
        if state.outage.is_some() {
            return state.outage;
        }
        let plan = &self.world.plan;
        let chance = &mut state.chance;
        let (mishap, _) = plan.mishaps.iter().find(|(_, often)| chance.happens(*often))?;
        match mishap {
            Mishap::Refuse => Some(Fault::Refuse),
            Mishap::LoseAnswer => Some(Fault::LoseAnswer),
            Mishap::Late => Some(Fault::Late(chance.millis(1, 8_000))),
            Mishap::Slow => Some(Fault::Slow(chance.millis(1, 8_000))),
            Mishap::Hang => Some(Fault::Hang),
            Mishap::NoSpace => {
                let needs = Needs::of(call);
                let is_refused = needs.space && (plan.full == Full::Deletions || !needs.deletes_files);
                let may_be_applied = plan.full == Full::Puts || !needs.puts_files;
                is_refused.then(|| Fault::NoSpace { applied: may_be_applied && chance.happens(300) })
            }
        }
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
