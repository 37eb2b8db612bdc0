use std::collections::HashMap;

use super::{Effect, Guard, MOST_AT_ONCE, NotLinearizable};

/// A value, by its number.
pub(super) type Number = u32;

/// A call, with numbers for values.
pub(super) struct Step {
    pub(super) invoked: u64,
    pub(super) returned: Option<u64>,
    pub(super) guard: Guard<Number>,
    pub(super) effect: Effect<Number>,
}

/// Where the search is: everything before a return has happened.
#[derive(Clone, Copy, Debug)]
struct Situation {
    /// The next return, among all returns.
    next: usize,
    /// The slots of the calls that overlap it and are done.
    done: u64,
    held: Option<Number>,
    /// Whether an unanswered call has put there what is held, and nobody has found it. Then nothing may overwrite it
    /// unseen: that call can as well never have been done.
    is_unseen: bool,
}

/// A return, and what is open until then.
struct Return {
    call: usize,
    slot: u32,
    /// The calls that were invoked before and have not returned before, itself included: first to return first.
    open: Vec<(u32, usize)>,
    /// The slots of those that will never return.
    unanswered: u64,
}

/// See [`check_register`](super::check_register).
pub(super) fn search(steps: &[Step]) -> Result<(), NotLinearizable<Number>> {
    let returns = returns(steps)?;
    // What was searched already: for each situation the unanswered calls that were used up, where no fewer would do.
    let mut known: HashMap<(usize, u64, Option<Number>, bool), Vec<u64>> = HashMap::new();
    let mut furthest = (0, Vec::new());
    let mut stack = vec![Situation { next: 0, done: 0, held: None, is_unseen: false }];
    while let Some(mut situation) = stack.pop() {
        let stuck_at = loop {
            let Some(returned) = returns.get(situation.next) else { return Ok(()) };
            read_what_can_be(&mut situation, returned, steps);
            let bit = 1 << returned.slot;
            if situation.done & bit == 0 {
                break returned;
            }
            situation.done &= !bit;
            situation.next += 1;
        };
        let used = situation.done & stuck_at.unanswered;
        let done = situation.done & !stuck_at.unanswered;
        let key = (situation.next, done, situation.held, situation.is_unseen);
        let known = known.entry(key).or_default();
        if known.iter().any(|known| known & used == *known) {
            continue;
        }
        known.retain(|known| known & used != used);
        known.push(used);
        if situation.next > furthest.0 {
            furthest = (situation.next, Vec::new());
        }
        if situation.next == furthest.0 && !furthest.1.contains(&situation.held) {
            furthest.1.push(situation.held);
        }
        // The last one pushed is tried first: the one that must be done.
        for (slot, call) in stuck_at.open.iter().rev() {
            let bit = 1 << slot;
            let step = &steps[*call];
            let overwrites_unseen = situation.is_unseen && step.guard == Guard::Any;
            if situation.done & bit != 0 || overwrites_unseen || !holds(step.guard, situation.held) {
                continue;
            }
            if let Effect::Becomes(held) = step.effect {
                let (done, is_unseen) = (situation.done | bit, step.returned.is_none());
                stack.push(Situation { done, held, is_unseen, ..situation });
            }
        }
    }
    let (prefix, values) = furthest;
    Err(NotLinearizable::Stuck { call: returns[prefix].call, prefix, values })
}

/// Does all reads that find what they say. Nothing is lost by it.
fn read_what_can_be(situation: &mut Situation, returned: &Return, steps: &[Step]) {
    for (slot, call) in &returned.open {
        let step = &steps[*call];
        let bit = 1 << slot;
        let is_open_read = step.effect == Effect::Keeps && situation.done & bit == 0;
        if is_open_read && holds(step.guard, situation.held) {
            situation.done |= bit;
            situation.is_unseen = false;
        }
    }
}

fn holds(guard: Guard<Number>, held: Option<Number>) -> bool {
    match guard {
        Guard::Any => true,
        Guard::Is(value) => held == value,
        Guard::IsNot(value) => held != value,
    }
}

/// All returns in order, with slots for the calls that are open at the same time.
fn returns(steps: &[Step]) -> Result<Vec<Return>, NotLinearizable<Number>> {
    // Who does not know what has become of a read has learnt nothing from it.
    let says_something = |step: &Step| step.returned.is_some() || step.effect != Effect::Keeps;
    let mut moments = Vec::with_capacity(2 * steps.len());
    for (call, step) in steps.iter().enumerate().filter(|(_, step)| says_something(step)) {
        moments.push((step.invoked, call));
        moments.extend(step.returned.map(|returned| (returned, call)));
    }
    moments.sort_unstable();
    assert!(moments.windows(2).all(|pair| pair[0].0 < pair[1].0), "two moments have the same number");
    let mut slots = [None; MOST_AT_ONCE];
    let mut unanswered = 0;
    let mut returns = Vec::with_capacity(steps.len());
    for (moment, call) in moments {
        if moment == steps[call].invoked {
            let Some(slot) = slots.iter().position(Option::is_none) else {
                return Err(NotLinearizable::TooManyAtOnce { call });
            };
            slots[slot] = Some(call);
            if steps[call].returned.is_none() {
                unanswered |= 1 << slot;
            }
            continue;
        }
        let taken = slots.iter().zip(0_u32..).filter_map(|(call, slot)| Some((slot, (*call)?)));
        let mut open: Vec<_> = taken.collect();
        open.sort_by_key(|(_, call)| steps[*call].returned.unwrap_or(u64::MAX));
        let (slot, _) = open[0];
        returns.push(Return { call, slot, open, unanswered });
        slots[slot as usize] = None;
    }
    Ok(returns)
}
