use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::seq::SliceRandom;
use tokio::time::Instant;

use super::member::Member;
use crate::observe;

/// Who there is, and who is asked first.
///
/// One member is preferred for as long as it is well: fewer connections are in use, and what one call has shown the next
/// one shows too. In what order the others follow is left to chance, so that the clients of a member that fails spread.
pub(super) struct Members {
    list: Mutex<List>,
}

struct List {
    /// Never empty.
    members: Vec<Arc<Member>>,
    /// The place of the preferred one.
    preferred: usize,
}

impl Members {
    /// At least one is needed.
    pub(super) fn new(mut members: Vec<Arc<Member>>) -> Self {
        members.shuffle(&mut rand::rng());
        Self { list: Mutex::new(List { members, preferred: 0 }) }
    }

    pub(super) fn all(&self) -> Vec<Arc<Member>> {
        self.list().members.clone()
    }

    pub(super) fn count(&self) -> usize {
        self.list().members.len()
    }

    /// Asks this member first from now on. Answers whom it replaces, if that is another one.
    pub(super) fn prefer(&self, member: &Arc<Member>) -> Option<Arc<Member>> {
        let mut list = self.list();
        let place = list.members.iter().position(|known| Arc::ptr_eq(known, member))?;
        let before = std::mem::replace(&mut list.preferred, place);
        (before != place).then(|| Arc::clone(&list.members[before]))
    }

    /// Whom to ask who is not among these: somebody who is well, the preferred one first, else the one that may be
    /// tried soonest. `None` if these are all.
    pub(super) fn pick(&self, tried: &[Arc<Member>]) -> Option<Arc<Member>> {
        let mut list = self.list();
        let count = list.members.len();
        let places = (list.preferred..list.preferred + count).map(|place| place % count);
        let is_tried = |place: usize| tried.iter().any(|tried| Arc::ptr_eq(tried, &list.members[place]));
        let left: Vec<_> = places.filter(|&place| !is_tried(place)).collect();
        if let Some(&place) = left.iter().find(|&&place| list.members[place].is_well()) {
            let (picked, preferred) = (Arc::clone(&list.members[place]), list.preferred);
            if !list.members[preferred].is_well() {
                let before = Arc::clone(&list.members[preferred]);
                list.preferred = place;
                drop(list);
                observe::failed_over(before.endpoint(), picked.endpoint());
            }
            return Some(picked);
        }
        let soonest = left.into_iter().min_by_key(|&place| list.members[place].until());
        soonest.map(|place| Arc::clone(&list.members[place]))
    }

    /// When the next of those that are not well is to be tried.
    pub(super) fn next_trial(&self) -> Option<Instant> {
        self.list().members.iter().filter_map(|member| member.trial()).min()
    }

    pub(super) fn add(&self, member: Arc<Member>) {
        self.list().members.push(member);
    }

    /// Removes those, and answers them. One that is to be kept must be left.
    pub(super) fn remove(&self, is_gone: impl Fn(&Member) -> bool) -> Vec<Arc<Member>> {
        let mut list = self.list();
        let preferred = Arc::clone(&list.members[list.preferred]);
        let (gone, left): (Vec<_>, Vec<_>) = list.members.drain(..).partition(|member| is_gone(member));
        list.preferred = left.iter().position(|member| Arc::ptr_eq(member, &preferred)).unwrap_or(0);
        list.members = left;
        gone
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use storage_core::kv::{BackendError, BackendErrorKind};
    use tokio::sync::Notify;
    use tokio::time::advance;

    use super::super::member::Origin;
    use super::*;
    use crate::EtcdConfig;
    use crate::link::Connector;

    fn three() -> (Members, Vec<Arc<Member>>) {
        let endpoints = ["http://a:1", "http://b:1", "http://c:1"];
        let connector = Arc::new(Connector::new(&EtcdConfig::new(endpoints).unwrap()).unwrap());
        let news = Arc::new(Notify::new());
        let member = |endpoint| {
            Arc::new(Member::new(endpoint, Origin::Found, Arc::clone(&connector), Arc::clone(&news)))
        };
        let members = endpoints.map(member).to_vec();
        (Members::new(members.clone()), members)
    }

    fn fail(member: &Arc<Member>) {
        let refused = BackendError::new(BackendErrorKind::Unavailable, "refused");
        member.report(&member.connection(), &Err::<(), _>(refused));
    }

    fn is_picked(members: &Members, tried: &[Arc<Member>], expected: &Arc<Member>) -> bool {
        members.pick(tried).is_some_and(|picked| Arc::ptr_eq(&picked, expected))
    }

    #[tokio::test(start_paused = true)]
    async fn everybody_is_picked_once_the_preferred_one_first() {
        let (members, all) = three();
        for preferred in &all {
            members.prefer(preferred);
            let mut tried = Vec::new();
            while let Some(picked) = members.pick(&tried) {
                tried.push(picked);
            }
            assert!(Arc::ptr_eq(&tried[0], preferred));
            assert!(all.iter().all(|member| tried.iter().any(|tried| Arc::ptr_eq(tried, member))));
            assert_eq!(tried.len(), 3);
            // Having been tried is no reason not to be preferred any more.
            assert!(is_picked(&members, &[], preferred));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_are_not_well_come_last_the_one_to_be_tried_soonest_first() {
        let (members, all) = three();
        members.prefer(&all[0]);
        fail(&all[0]);
        fail(&all[1]);
        assert!(is_picked(&members, &[], &all[2]));
        // Its pause becomes longer than that of the others is at first.
        for _ in 0..3 {
            advance(Duration::from_secs(10)).await;
            fail(&all[0]);
        }
        advance(Duration::from_secs(10)).await;
        fail(&all[0]);
        fail(&all[2]);
        let order = [&all[1], &all[2], &all[0]];
        for (place, expected) in order.iter().enumerate() {
            let tried: Vec<_> = order[..place].iter().map(|tried| Arc::clone(tried)).collect();
            assert!(is_picked(&members, &tried, expected), "{place}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_preferred_one_stays_so_when_others_go_and_another_one_is_when_it_goes() {
        let (members, all) = three();
        members.prefer(&all[1]);
        let gone = members.remove(|member| member.endpoint() == all[0].endpoint());
        assert!(gone.len() == 1 && Arc::ptr_eq(&gone[0], &all[0]));
        assert!(is_picked(&members, &[], &all[1]));
        members.remove(|member| member.endpoint() == all[1].endpoint());
        assert!(is_picked(&members, &[], &all[2]));
    }
}
