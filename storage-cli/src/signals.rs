//! Signals: receiving those that this process is sent, and sending them to a command.

#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(crate) use elsewhere::{Received, Signals, end};
#[cfg(unix)]
pub(crate) use unix::{Received, Signals, end};
