//! Elsewhere there is only the console's Ctrl-C, which a command gets as well.

use std::io;

use tokio::process::Child;

use crate::exit::Exit;
use crate::failure::Failure;

pub(crate) struct Signals;

/// The number that Ctrl-C has where it is a signal.
const INTERRUPT: i32 = 2;

/// Somebody has pressed Ctrl-C.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received(i32);

impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self)
    }

    pub(crate) async fn next(&mut self) -> Received {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Received(INTERRUPT),
            Err(_) => std::future::pending().await,
        }
    }

    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as on Unix")]
    pub(crate) fn hand_on(&self, _: Received, _: &Child) -> io::Result<()> {
        Ok(())
    }
}

impl Received {
    pub(crate) fn exit(self) -> Exit {
        Exit::of_signal(self.0)
    }
}

/// Ends a command.
pub(crate) fn end(child: &mut Child) -> io::Result<()> {
    child.start_kill()
}
