//! Locks, and what is written under them.

use rand::seq::IndexedRandom;
use storage_conformance::history::{Outcome, PlaceKind};

use super::Mutant;

impl Mutant {
    /// An acquisition, and one of the same lock that was made when it had returned.
    pub(crate) fn pick_two_acquisitions(&mut self) -> Option<(usize, usize)> {
        let first = self.pick(|operation| matches!(operation.outcome, Outcome::Acquired(_)))?;
        let one = self.history[first].clone();
        let second = self.pick(|operation| {
            matches!(operation.outcome, Outcome::Acquired(_))
                && operation.call == one.call
                && one.is_before(operation)
        })?;
        Some((first, second))
    }

    pub(crate) fn take_token_again(&mut self) -> Option<()> {
        let (first, second) = self.pick_two_acquisitions()?;
        self.history[second].outcome = self.history[first].outcome.clone();
        Some(())
    }

    pub(crate) fn overlap_holders(&mut self) -> Option<()> {
        let (first, _) = self.pick_two_acquisitions()?;
        let Outcome::Acquired(token) = self.history[first].outcome else { return None };
        for transaction in &mut self.log.transactions {
            transaction.places.retain(|place| place.token != token || place.kind != PlaceKind::Went);
        }
        Some(())
    }

    pub(crate) fn write_overtaken(&mut self) -> Option<()> {
        let write = self.pick_write(|mutant, write| mutant.history[write.index].fence.is_some())?;
        let gone = self.log.transactions[..write.number].iter().flat_map(|transaction| &transaction.places);
        let gone: Vec<_> =
            gone.filter(|place| place.kind == PlaceKind::Went).map(|place| place.token).collect();
        self.history[write.index].fence = Some(*gone.choose(&mut self.random)?);
        Some(())
    }
}
