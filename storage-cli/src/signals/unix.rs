//! Unix has signals.

use std::fs;
use std::future::poll_fn;
use std::io::{self, IsTerminal};
use std::task::Poll;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;
use crate::failure::Failure;

/// Those that are handed on to a command. Each would end this process.
const HANDED_ON: [Signal; 6] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2];

/// The signals that this process is sent. From when there is one they do not end the process any more.
pub(crate) struct Signals {
    streams: Vec<(Signal, tokio::signal::unix::Signal)>,
    /// Where this is so, the terminal sends its signals to the command as well.
    is_on_terminal: bool,
}

/// A signal that this process was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received(Signal);

impl Signals {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let ignored = ignored();
        let mut streams = Vec::new();
        for number in HANDED_ON {
            // What is ignored already, with `nohup` or by a shell's `&`, the command is to ignore too.
            if ignored >> (number.as_raw() - 1) & 1 == 0 {
                streams.push((number, listen(SignalKind::from_raw(number.as_raw()))?));
            }
        }
        Ok(Self { streams, is_on_terminal: io::stdin().is_terminal() })
    }

    /// The next signal.
    ///
    /// Dropping the future is safe: none is lost.
    pub(crate) async fn next(&mut self) -> Received {
        poll_fn(|context| {
            let mut streams = self.streams.iter_mut();
            let arrived =
                streams.find_map(|(number, stream)| stream.poll_recv(context).is_ready().then_some(*number));
            arrived.map_or(Poll::Pending, |number| Poll::Ready(Received(number)))
        })
        .await
    }

    /// Sends a command what this process was sent.
    ///
    /// # Errors
    ///
    /// When this process may not: the command runs as somebody else.
    pub(crate) fn hand_on(&self, received: Received, child: &Child) -> io::Result<()> {
        let is_from_terminal = matches!(received.0, Signal::INT | Signal::QUIT) && self.is_on_terminal;
        if is_from_terminal { Ok(()) } else { send(child, received.0) }
    }
}

impl Received {
    /// How a program ends that this signal ends.
    pub(crate) fn exit(self) -> Exit {
        Exit::of_signal(self.0.as_raw())
    }
}

/// Asks a command to end.
///
/// # Errors
///
/// As for [`Signals::hand_on`].
pub(crate) fn end(child: &mut Child) -> io::Result<()> {
    send(child, Signal::TERM)
}

fn send(child: &Child, signal: Signal) -> io::Result<()> {
    // A child that has been waited for has no number any more: nobody else is sent the signal.
    let number = child.id().and_then(|number| i32::try_from(number).ok());
    match number.and_then(Pid::from_raw) {
        Some(pid) => Ok(kill_process(pid, signal)?),
        None => Ok(()),
    }
}

fn listen(kind: SignalKind) -> Result<tokio::signal::unix::Signal, Failure> {
    signal(kind).map_err(|error| Failure::local("cannot listen for signals", &error))
}

/// The signals that this process was started to ignore, the first in the lowest bit. Only Linux tells; elsewhere a
/// command that is run with `nohup` ends with its terminal.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
