use std::time::Duration;

/// What a [`FaultProxy`](super::FaultProxy) does to its connections, those that are open and those to come.
///
/// Where bytes are *swallowed*, they are read and thrown away, and neither side learns that the other one closed the
/// connection or is gone: it stays half open. What was swallowed is not made up for in a later mode, so such a
/// connection is of no more use; a close that was held back is passed on then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Everything is passed on at once.
    #[default]
    Pass,
    /// Everything is passed on in order, each piece `by` ± `jitter` after it came; evenly distributed, never before it
    /// came. What is held back when the mode changes is passed on, or swallowed, at once. At most 4 MiB are on the way
    /// for each connection and direction.
    Delay {
        /// The mean delay.
        by: Duration,
        /// By how much it may be less or more.
        jitter: Duration,
    },
    /// Bytes of both directions are swallowed. New connections are accepted, and reach the target.
    Drop,
    /// Bytes of one direction are swallowed, the others passed on.
    OneWay {
        /// The direction that is cut.
        swallowed: Direction,
    },
    /// As [`Drop`](Self::Drop) for open connections. New ones are made and then ignored: the client can connect and
    /// send, nothing is read and nothing reaches the target. They are served when the mode changes. For a server that
    /// does not even let clients connect, see [`SynBlackHole`](super::SynBlackHole).
    BlackHole,
    /// Open connections are reset (`RST`) on both sides, new ones as soon as they are made.
    Reset,
    /// Each connection is closed, as by a process that ends, when this many bytes of both directions together were
    /// passed on through it since the mode was set.
    CloseAfter(u64),
    /// Each connection passes on this many bytes a second (0 counts as 1) in each direction, and reads no faster.
    Throttle {
        /// The rate.
        bytes_per_second: u64,
    },
}

/// A direction through a [`FaultProxy`](super::FaultProxy).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client, who connected, to the target.
    ToServer,
    /// From the target to the client.
    ToClient,
}

impl Mode {
    pub(super) fn swallows(self, direction: Direction) -> bool {
        match self {
            Self::Drop | Self::BlackHole => true,
            Self::OneWay { swallowed } => swallowed == direction,
            _ => false,
        }
    }
}
