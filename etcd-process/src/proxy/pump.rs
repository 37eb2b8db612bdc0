use std::future::pending;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::queue::Queue;
use super::state::{Bytes, Setting};
use super::{Direction, Mode};

/// Why a connection ends on both sides at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Close,
    Reset,
}

/// How many bytes a connection may still pass on.
#[derive(Debug)]
pub(super) struct Budget(AtomicU64);

impl Budget {
    pub(super) fn of(mode: Mode) -> Self {
        Self(AtomicU64::new(if let Mode::CloseAfter(bytes) = mode { bytes } else { u64::MAX }))
    }

    fn left(&self) -> usize {
        usize::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }

    fn spend(&self, bytes: usize) {
        self.0.fetch_sub(bytes as u64, Ordering::Relaxed);
    }
}

/// Carries the bytes of one direction of a connection.
#[derive(Debug)]
pub(super) struct Pump<'a> {
    direction: Direction,
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    settings: watch::Receiver<Setting>,
    count: &'a Bytes,
    source: Source,
    queue: Queue,
    buffer: Vec<u8>,
}

/// What became of the side that is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Open,
    Ended,
    Broken,
    /// It ended, and the other side was told.
    Finished,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        direction: Direction,
        from: ReadHalf<'a>,
        to: WriteHalf<'a>,
        settings: watch::Receiver<Setting>,
        count: &'a Bytes,
    ) -> Self {
        let queue = Queue::new(direction as u64);
        let buffer = vec![0; Queue::PIECE];
        Self { direction, from, to, settings, count, source: Source::Open, queue, buffer }
    }

    /// Does to what is held back what the new mode says.
    pub(super) fn change_mode(&mut self, mode: Mode) {
        if mode.swallows(self.direction) {
            self.swallow_queue();
        } else {
            self.queue.hurry();
        }
    }

    /// Carries bytes until the source has closed its side and the other side was told, or until the whole connection is
    /// to end. May be dropped at any time and called again: no byte is lost or doubled.
    pub(super) async fn run(&mut self, budget: &Budget) -> Result<(), Cut> {
        loop {
            if budget.left() == 0 {
                return Err(Cut::Close);
            }
            let mode = self.settings.borrow().mode;
            if self.queue.is_empty() && !mode.swallows(self.direction) {
                match self.source {
                    Source::Open => {}
                    Source::Ended => {
                        self.to.shutdown().await.map_err(|_| Cut::Reset)?;
                        self.source = Source::Finished;
                        return Ok(());
                    }
                    Source::Finished => return Ok(()),
                    Source::Broken => return Err(Cut::Reset),
                }
            }
            let room = if self.source == Source::Open { self.queue.room(mode) } else { 0 };
            tokio::select! {
                read = self.from.read(&mut self.buffer[..room]), if room > 0 => match read {
                    Ok(0) => self.source = Source::Ended,
                    Ok(count) => self.take(count),
                    Err(_) => self.source = Source::Broken,
                },
                written = write_when_due(&self.queue, &mut self.to, budget) => {
                    let written = written.map_err(|_| Cut::Reset)?;
                    self.queue.pass_on(written);
                    budget.spend(written);
                    self.count.forwarded.fetch_add(written as u64, Ordering::Relaxed);
                }
            }
        }
    }

    /// What to do with bytes is decided by the mode of now, not of when reading began: no byte passes that came after
    /// the mode was changed.
    fn take(&mut self, count: usize) {
        let mode = self.settings.borrow().mode;
        self.queue.push(&self.buffer[..count], mode);
        if mode.swallows(self.direction) {
            self.swallow_queue();
        }
    }

    fn swallow_queue(&mut self) {
        self.count.swallowed.fetch_add(self.queue.clear() as u64, Ordering::Relaxed);
    }
}

/// Writes some of the first piece of the queue when it is due, and answers how much; waits forever if there is none.
async fn write_when_due(queue: &Queue, to: &mut WriteHalf<'_>, budget: &Budget) -> io::Result<usize> {
    let Some((due, bytes)) = queue.first() else { return pending().await };
    // A timer has milliseconds: it would delay what is due at once.
    if due > Instant::now() {
        sleep_until(due).await;
    }
    to.write(&bytes[..bytes.len().min(budget.left())]).await
}
