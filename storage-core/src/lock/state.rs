use std::fmt;

/// How sure the holder of a lock can be of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockState {
    /// Held: the last renewal of the session was answered.
    Held,
    /// Still held: the last attempt to renew the session failed, and its lease still runs. Unless a later one succeeds
    /// the lock will be lost.
    Suspect,
    /// Not held any more, or not to be relied on any more: the lease may have ended, or the lock was broken or released.
    Lost,
}

/// The number of a lock's acquisition. It grows with every acquisition of the same lock, whoever makes it, so that a
/// service that both an old and a new holder call can refuse the old one. It is the revision at which the holder came
/// into the queue.
///
/// See Martin Kleppmann, "How to do distributed locking" (2016), for what fencing tokens are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingToken(pub(crate) u64);

impl FencingToken {
    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
