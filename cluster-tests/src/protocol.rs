//! What a test tells a node, and what the node tells the test: each is a line of JSON.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::At;

/// What a node is to do. It goes on to the next command at once; what a command leads to is reported when it happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Take a lock: [`Event::Locked`] in time. If this node has taken it before, the guard is dropped first.
    Lock {
        /// Its name.
        lock: String,
    },
    /// Release a lock: [`Event::Unlocked`].
    Unlock {
        /// Its name.
        lock: String,
    },
    /// Say who holds locks and who waits for them: [`Event::Locks`].
    Locks,
    /// Store a file that a lock, which this node has taken, protects: [`Event::Stored`].
    Store {
        /// The name of the lock.
        lock: String,
        /// The path of the file.
        path: String,
        /// What it is to hold.
        content: String,
        /// Through the guard, or past it.
        fence: Fence,
    },
    /// Store such a file again and again without a pause, until that fails or the word is given: [`Event::Writing`]
    /// after the first time, [`Event::Wrote`] at the end. The contents are `content` and a number.
    KeepStoring {
        /// The name of the lock.
        lock: String,
        /// The path of the file.
        path: String,
        /// What the contents begin with.
        content: String,
        /// Through the guard, or past it.
        fence: Fence,
    },
    /// The word that ends [`Command::KeepStoring`].
    StopStoring {
        /// The name of the lock.
        lock: String,
    },
    /// Load a file: [`Event::Loaded`].
    Load {
        /// The path of the file.
        path: String,
    },
    /// Stop the process, as `SIGSTOP` does, between deciding on the next transaction and sending it:
    /// [`Event::Continued`] when it goes on, [`Event::Answered`] when that transaction is answered.
    StopBeforeNextTxn,
    /// Swallow every call that is about the session's lease, and its answer; nothing else: [`Event::LeaseCut`].
    CutLease,
    /// Let calls about leases pass again.
    MendLease,
    /// Say when the lease was last renewed: [`Event::Renewed`].
    LastRenewal,
    /// Let tasks take a lock in turns until the word is given: [`Event::Contended`] then. Each turn is checked by means
    /// of files in a folder that all nodes share.
    Contend {
        /// The name of the lock.
        lock: String,
        /// How many tasks.
        tasks: usize,
        /// Where the files are.
        folder: PathBuf,
    },
    /// The word that ends [`Command::Contend`].
    StopContending,
    /// Let tasks ask for a lock, one after the other: [`Event::Asked`] when all have, and the first has it.
    Crowd {
        /// The name of the lock.
        lock: String,
        /// How many tasks.
        tasks: usize,
    },
    /// Let the first of the crowd go: [`Event::Served`] when everybody has had a turn.
    OpenGate,
    /// Store, load, delete and lock, so many times each, and check what comes of it: [`Event::Churned`].
    Churn {
        /// How many times.
        rounds: u64,
    },
    /// Overwrite files with numbers that grow, all at the same time, until the process is killed: [`Event::Overwrote`].
    KeepOverwriting {
        /// The paths, each with its first number.
        files: Vec<(String, u64)>,
    },
    /// Put a key, with the bare client: [`Event::RawPut`].
    RawPut {
        /// The key.
        key: String,
    },
    /// Watch a key until it is put, then read it, with the bare client: [`Event::RawWatching`], [`Event::RawSeen`].
    RawWatch {
        /// The key.
        key: String,
    },
}

/// Whether a write is made through the guard of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fence {
    /// Through the guard: only while the lock is held.
    Fenced,
    /// Past the guard: in any case.
    Unfenced,
}

/// A line that a node prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When it happened.
    pub at: At,
    /// What happened.
    pub event: Event,
}

/// What a node has to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// It has opened the tree.
    Ready,
    /// It has a lock.
    Locked {
        /// Its name.
        lock: String,
        /// The token of the acquisition.
        token: u64,
    },
    /// It has released a lock.
    Unlocked {
        /// Its name.
        lock: String,
        /// When it began to.
        began: At,
    },
    /// The guard has said by itself that the lock is lost.
    Lost {
        /// Its name.
        lock: String,
    },
    /// The guard of a lock, which is looked at all the time, is in another state than before.
    State {
        /// The name of the lock.
        lock: String,
        /// The state, as it is called in Rust.
        state: String,
        /// Just before the guard was last seen in the state before.
        until: At,
    },
    /// Who holds locks, and who waits.
    Locks(Vec<Seen>),
    /// A file was stored.
    Stored {
        /// Its path.
        path: String,
    },
    /// The first of many writes was made.
    Writing {
        /// The path of the file.
        path: String,
    },
    /// The last of many writes was made.
    Wrote {
        /// The path of the file.
        path: String,
        /// How many succeeded.
        writes: u64,
        /// Why there were no more; `None` if the word was given.
        refusal: Option<Failure>,
    },
    /// A file was loaded.
    Loaded {
        /// Its path.
        path: String,
        /// What it holds.
        content: String,
    },
    /// The process goes on after it has stopped itself, and sends its transaction now.
    Continued,
    /// The store has answered the transaction before which the process had stopped.
    Answered {
        /// Whether its conditions held and it was applied.
        is_applied: bool,
    },
    /// Calls about leases are swallowed from now on.
    LeaseCut,
    /// The last renewal of a lease, or its grant, that was answered.
    Renewed {
        /// Just before it was sent; at the earliest then the store began to count.
        sent: At,
        /// What was granted, in milliseconds.
        ttl_millis: u64,
    },
    /// Contending is over.
    Contended {
        /// How many turns there were.
        turns: u32,
    },
    /// The lock was not exclusive.
    Violation(String),
    /// Everybody in the crowd has asked.
    Asked,
    /// Everybody in the crowd had the lock: their numbers in the order of asking, in the order in which they had it.
    Served(Vec<usize>),
    /// Everything was stored, loaded, deleted and locked.
    Churned,
    /// A number was stored, and that was acknowledged.
    Overwrote {
        /// The path of the file.
        path: String,
        /// The number.
        number: u64,
    },
    /// A key was put.
    RawPut {
        /// When that began.
        began: At,
    },
    /// A key is watched.
    RawWatching,
    /// The key was put, and has been read.
    RawSeen {
        /// When the watch told that it was put.
        woken: At,
    },
    /// Something failed: a test that does not expect it fails.
    Failed(Failure),
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind of the error, as it is called in Rust.
    pub kind: String,
    /// What went wrong, for people.
    pub text: String,
}

/// A place in the queue of a lock, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The name of the lock.
    pub lock: String,
    /// How many are before it.
    pub position: usize,
    /// The process.
    pub pid: Option<u32>,
}
