//! The checker for histories without revisions: each file by itself, as a register.

mod files;
mod search;

pub use files::{RegistersChecked, check_registers};

use std::fmt;
use std::hash::Hash;

use self::search::{Step, search};

/// A call on one register, which holds a value or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterCall<V> {
    /// The number of the moment at which it was invoked.
    pub invoked: u64,
    /// The number of the moment at which it returned. `None` if nobody knows what has become of it: it may have been
    /// done at any time after its invocation, or never.
    pub returned: Option<u64>,
    /// What the register must hold when it is done.
    pub guard: Guard<V>,
    /// What it does to the register then.
    pub effect: Effect<V>,
}

/// What a register must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard<V> {
    /// Anything, or nothing.
    Any,
    /// This value; nothing if it is `None`.
    Is(Option<V>),
    /// Anything but this.
    IsNot(Option<V>),
}

/// What a call does to a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect<V> {
    /// Nothing: it has read.
    Keeps,
    /// It holds this from then on; nothing if it is `None`.
    Becomes(Option<V>),
}

impl<V> RegisterCall<V> {
    /// A read that has found this.
    pub fn read(value: Option<V>) -> Self {
        Self { invoked: 0, returned: None, guard: Guard::Is(value), effect: Effect::Keeps }
    }

    /// A write of this value, whatever there was.
    pub fn write(value: V) -> Self {
        Self { invoked: 0, returned: None, guard: Guard::Any, effect: Effect::Becomes(Some(value)) }
    }

    /// A change from one value, or nothing, to another, or to nothing.
    pub fn swap(from: Option<V>, to: Option<V>) -> Self {
        Self { invoked: 0, returned: None, guard: Guard::Is(from), effect: Effect::Becomes(to) }
    }

    /// A change that was refused because the register did not hold this.
    pub fn refused(expected: Option<V>) -> Self {
        Self { invoked: 0, returned: None, guard: Guard::IsNot(expected), effect: Effect::Keeps }
    }

    /// This call, between these moments.
    pub fn between(mut self, invoked: u64, returned: u64) -> Self {
        (self.invoked, self.returned) = (invoked, Some(returned));
        self
    }

    /// This call, from this moment on, without an answer.
    pub fn from(mut self, invoked: u64) -> Self {
        (self.invoked, self.returned) = (invoked, None);
        self
    }
}

/// Why there is no order of the calls on a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotLinearizable<V> {
    /// Up to this call all goes together, whatever it was in what order; with this one it does not.
    Stuck {
        /// The call that cannot be fitted in, by its place among the calls given.
        call: usize,
        /// How many calls had returned before, all of which can be put into an order.
        prefix: usize,
        /// What the register may hold by then.
        values: Vec<Option<V>>,
    },
    /// Too many calls overlap to tell.
    TooManyAtOnce {
        /// The call that is one too many.
        call: usize,
    },
}

/// How many calls on one register may overlap, those without an answer included.
pub const MOST_AT_ONCE: usize = 64;

/// Looks for an order of calls on one register that is empty at first: one in which each finds what it says it has found,
/// and none comes before another that had returned when it was invoked.
///
/// Wing and Gong's search, depth first: a call that has returned must have been done, so when one returns that was not
/// it is done now, and before it any of those that overlap. Reads are done as soon as they can be, which costs
/// nothing. Which of the overlapping calls are done, and what the register holds, is remembered, so that no situation is
/// searched twice; nor one that differs from a known one in nothing but that more calls without an answer are used up.
///
/// # Errors
///
/// Where there is no such order, or more than [`MOST_AT_ONCE`] calls overlap.
///
/// # Panics
///
/// When two moments have the same number.
pub fn check_register<V: Clone + Eq + Hash + fmt::Debug>(
    calls: &[RegisterCall<V>],
) -> Result<(), NotLinearizable<V>> {
    let mut values = Values::default();
    let steps: Vec<Step> = calls
        .iter()
        .map(|call| Step {
            invoked: call.invoked,
            returned: call.returned,
            guard: match &call.guard {
                Guard::Any => Guard::Any,
                Guard::Is(value) => Guard::Is(values.number(value.as_ref())),
                Guard::IsNot(value) => Guard::IsNot(values.number(value.as_ref())),
            },
            effect: match &call.effect {
                Effect::Keeps => Effect::Keeps,
                Effect::Becomes(value) => Effect::Becomes(values.number(value.as_ref())),
            },
        })
        .collect();
    search(&steps).map_err(|stuck| match stuck {
        NotLinearizable::TooManyAtOnce { call } => NotLinearizable::TooManyAtOnce { call },
        NotLinearizable::Stuck { call, prefix, values: numbers } => {
            let value = |number: Option<search::Number>| number.map(|number| values.value(number));
            NotLinearizable::Stuck { call, prefix, values: numbers.into_iter().map(value).collect() }
        }
    })
}

/// Numbers for values.
struct Values<'v, V> {
    numbers: std::collections::HashMap<&'v V, search::Number>,
    values: Vec<&'v V>,
}

impl<V> Default for Values<'_, V> {
    fn default() -> Self {
        Self { numbers: std::collections::HashMap::new(), values: Vec::new() }
    }
}

impl<'v, V: Clone + Eq + Hash> Values<'v, V> {
    fn number(&mut self, value: Option<&'v V>) -> Option<search::Number> {
        let value = value?;
        let next = u32::try_from(self.values.len()).expect("fewer values than that fit into memory");
        let number = *self.numbers.entry(value).or_insert(next);
        if number == next {
            self.values.push(value);
        }
        Some(number)
    }

    fn value(&self, number: search::Number) -> V {
        self.values[number as usize].clone()
    }
}
