use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::Mode;

/// The bytes of one direction that were read and not passed on yet, each piece with the time when it is due.
#[derive(Debug)]
pub(super) struct Queue {
    pieces: VecDeque<Piece>,
    length: usize,
    last_due: Instant,
    jitter: u64,
}

#[derive(Debug)]
struct Piece {
    due: Instant,
    bytes: Vec<u8>,
    passed_on: usize,
}

impl Queue {
    /// The largest piece.
    pub(super) const PIECE: usize = 64 * 1024;
    const CAPACITY: usize = 4 * 1024 * 1024;

    /// The seed decides about the jitter.
    pub(super) fn new(seed: u64) -> Self {
        Self { pieces: VecDeque::new(), length: 0, last_due: Instant::now(), jitter: seed }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// How many bytes may be read.
    pub(super) fn room(&self, mode: Mode) -> usize {
        match mode {
            // Little at a time, so that a slow link is no sequence of bursts and its sender feels that it is slow.
            Mode::Throttle { bytes_per_second } => {
                let piece =
                    usize::try_from(bytes_per_second / 50).unwrap_or(usize::MAX).clamp(1, Self::PIECE);
                piece.saturating_sub(self.length)
            }
            _ => Self::PIECE.min(Self::CAPACITY - self.length),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8], mode: Mode) {
        let now = Instant::now();
        let due = match mode {
            Mode::Delay { by, jitter } => now + self.around(by, jitter),
            Mode::Throttle { bytes_per_second } => {
                let count = u32::try_from(bytes.len()).expect("a piece is small");
                let rate = bytes_per_second.max(1);
                self.last_due.max(now)
                    + Duration::from_secs(1) * count / u32::try_from(rate).unwrap_or(u32::MAX)
            }
            _ => now,
        };
        // Never before what came before it.
        self.last_due = self.last_due.max(due);
        self.length += bytes.len();
        self.pieces.push_back(Piece { due: self.last_due, bytes: bytes.to_vec(), passed_on: 0 });
    }

    /// The rest of the first piece, and when it is due.
    pub(super) fn first(&self) -> Option<(Instant, &[u8])> {
        self.pieces.front().map(|piece| (piece.due, &piece.bytes[piece.passed_on..]))
    }

    /// Takes so many bytes off the first piece.
    pub(super) fn pass_on(&mut self, count: usize) {
        let Some(piece) = self.pieces.front_mut() else { return };
        piece.passed_on += count;
        self.length -= count;
        if piece.passed_on == piece.bytes.len() {
            self.pieces.pop_front();
        }
    }

    /// All are due now.
    pub(super) fn hurry(&mut self) {
        self.last_due = Instant::now();
        for piece in &mut self.pieces {
            piece.due = self.last_due;
        }
    }

    /// Throws all away, and answers how many bytes they were.
    pub(super) fn clear(&mut self) -> usize {
        self.pieces.clear();
        std::mem::take(&mut self.length)
    }

    /// A random time between `by - jitter` and `by + jitter`.
    fn around(&mut self, by: Duration, jitter: Duration) -> Duration {
        let (least, most) = (by.saturating_sub(jitter), by + jitter);
        // SplitMix64: as good as a delay needs, and the same in each run.
        self.jitter = self.jitter.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut random = self.jitter;
        random = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        random = (random ^ (random >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let share = u32::try_from((random ^ (random >> 31)) >> 32).expect("half of the bits");
        least + most.saturating_sub(least).mul_f64(f64::from(share) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn dues(queue: &Queue) -> Vec<Instant> {
        queue.pieces.iter().map(|piece| piece.due).collect()
    }

    #[test]
    fn a_delay_stays_within_its_jitter_and_keeps_the_order() {
        let (by, jitter) = (10 * SECOND, 3 * SECOND);
        let mut queue = Queue::new(1);
        let delays: Vec<_> = (0..1000).map(|_| queue.around(by, jitter)).collect();
        assert!(delays.iter().all(|delay| (7 * SECOND..=13 * SECOND).contains(delay)));
        assert!(delays.iter().any(|delay| *delay < 8 * SECOND));
        assert!(delays.iter().any(|delay| *delay > 12 * SECOND));
        assert!(queue.around(SECOND, 2 * SECOND) <= 3 * SECOND);
        for _ in 0..100 {
            queue.push(b"piece", Mode::Delay { by, jitter });
        }
        assert!(dues(&queue).is_sorted());
    }

    #[test]
    fn a_slow_link_takes_time_for_each_byte_and_little_at_once() {
        let slow = Mode::Throttle { bytes_per_second: 1000 };
        let mut queue = Queue::new(1);
        assert_eq!(queue.room(slow), 20);
        queue.push(&[0; 10], slow);
        queue.push(&[0; 10], slow);
        assert_eq!(queue.room(slow), 0);
        let dues = dues(&queue);
        assert_eq!(dues[1] - dues[0], Duration::from_millis(10));
        assert_eq!(Queue::new(1).room(Mode::Throttle { bytes_per_second: 0 }), 1);
    }

    #[test]
    fn what_is_held_back_is_bounded_and_can_be_hurried_or_thrown_away() {
        let slow = Mode::Delay { by: 60 * SECOND, jitter: Duration::ZERO };
        let mut queue = Queue::new(1);
        while queue.room(slow) > 0 {
            let room = queue.room(slow);
            queue.push(&vec![0; room], slow);
        }
        assert_eq!(queue.length, Queue::CAPACITY);
        queue.hurry();
        assert!(dues(&queue).iter().all(|due| *due <= Instant::now()));
        queue.pass_on(1);
        assert_eq!(queue.first().unwrap().1.len(), Queue::PIECE - 1);
        assert_eq!(queue.clear(), Queue::CAPACITY - 1);
        assert_eq!((queue.is_empty(), queue.room(slow)), (true, Queue::PIECE));
    }
}
