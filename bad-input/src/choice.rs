use std::ops::{Bound, RangeInclusive};

use bolero::Driver;

/// The choices that generators make. `None` when the driver has run out of input, as a fuzzing engine's does.
pub trait Choice: Driver {
    /// A number in the range, both ends included.
    fn number(&mut self, range: RangeInclusive<usize>) -> Option<usize> {
        self.gen_usize(Bound::Included(range.start()), Bound::Included(range.end()))
    }

    /// True once in so many times.
    fn once_in(&mut self, times: usize) -> Option<bool> {
        Some(self.number(1..=times)? == 1)
    }

    /// One of several.
    ///
    /// # Panics
    ///
    /// If there are none.
    fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        Some(&of[self.number(0..=of.len() - 1)?])
    }

    /// Any character.
    fn character(&mut self) -> Option<char> {
        self.produce()
    }
}

impl<D: Driver> Choice for D {}
