//! What is measured, and how.

use std::time::Duration;

use bytes::Bytes;
use futures::future::try_join_all;
use hdrhistogram::Histogram;
use storage_core::kv::{BackendError, Key, KeyRange, KvBackend, Op, RangeRequest, Txn};
use storage_core::{Error, ErrorKind, KeyPrefix, ListOptions};
use tokio::time::Instant;

use crate::cli::Bench;
use crate::failure::Failure;
use crate::session::Tree;

/// How many files the listing has.
const LISTED: usize = 100;

/// What is measured, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    BareRead,
    BareWrite,
    Store,
    Load,
    Stat,
    Exists,
    List,
    Delete,
    Lock,
}

impl Operation {
    pub(super) const ALL: [Self; 9] = [
        Self::BareRead,
        Self::BareWrite,
        Self::Store,
        Self::Load,
        Self::Stat,
        Self::Exists,
        Self::List,
        Self::Delete,
        Self::Lock,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BareRead => "bare-read",
            Self::BareWrite => "bare-write",
            Self::Store => "store",
            Self::Load => "load",
            Self::Stat => "stat",
            Self::Exists => "exists",
            Self::List => "list-100",
            Self::Delete => "delete",
            Self::Lock => "lock-unlock",
        }
    }

    /// The bare call that it cannot be quicker than.
    pub(super) fn floor(self) -> Option<Self> {
        match self {
            Self::BareRead | Self::BareWrite => None,
            Self::Store | Self::Delete | Self::Lock => Some(Self::BareWrite),
            Self::Load | Self::Stat | Self::Exists | Self::List => Some(Self::BareRead),
        }
    }
}

/// How long each call of an operation took.
pub(super) struct Measured {
    pub(super) operation: Operation,
    /// In microseconds.
    latencies: Histogram<u64>,
    elapsed: Duration,
}

impl Measured {
    pub(super) fn count(&self) -> u64 {
        self.latencies.len()
    }

    pub(super) fn per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "nobody counts that far")]
        let count = self.count() as f64;
        count / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// The latency that this part of the calls has not exceeded, in milliseconds.
    pub(super) fn millis(&self, part: f64) -> f64 {
        let micros = u32::try_from(self.latencies.value_at_quantile(part)).unwrap_or(u32::MAX);
        f64::from(micros) / 1_000.0
    }
}

/// What is to be measured.
pub(super) struct Plan {
    each: Duration,
    clients: usize,
    content: Bytes,
    prefix: KeyPrefix,
}

impl Plan {
    pub(super) fn new(args: &Bench, prefix: &KeyPrefix) -> Self {
        let operations = u32::try_from(Operation::ALL.len()).expect("there are a few");
        Self {
            each: Duration::from_secs(args.seconds.into()) / operations,
            clients: args.clients.into(),
            content: vec![b'x'; args.size].into(),
            prefix: prefix.clone(),
        }
    }

    /// Measures one operation after the other.
    pub(super) async fn measure_all(
        &self,
        tree: &Tree,
        mut done: impl FnMut(Measured),
    ) -> Result<(), Failure> {
        for client in 0..self.clients {
            tree.store(&file(client), self.content.clone()).await.map_err(failed)?;
        }
        for number in 0..LISTED {
            tree.store(&format!("listed/{number}"), "x").await.map_err(failed)?;
        }
        for operation in Operation::ALL {
            done(self.measure(tree, operation).await?);
        }
        Ok(())
    }

    async fn measure(&self, tree: &Tree, operation: Operation) -> Result<Measured, Failure> {
        let begun = Instant::now();
        let until = begun + self.each;
        let clients = (0..self.clients).map(|client| self.repeat(tree, operation, client, until));
        let mut latencies = histogram();
        for one in try_join_all(clients).await? {
            latencies.add(one).expect("it counts as many values as there may be");
        }
        Ok(Measured { operation, latencies, elapsed: begun.elapsed() })
    }

    /// Repeats an operation until it is time, once at least.
    async fn repeat(
        &self,
        tree: &Tree,
        operation: Operation,
        client: usize,
        until: Instant,
    ) -> Result<Histogram<u64>, Failure> {
        let mut latencies = histogram();
        while latencies.is_empty() || Instant::now() < until {
            let took = self.once(tree, operation, client).await?;
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            latencies.saturating_record(micros);
        }
        Ok(latencies)
    }

    async fn once(&self, tree: &Tree, operation: Operation, client: usize) -> Result<Duration, Failure> {
        let path = file(client);
        if operation == Operation::Delete {
            tree.store(&format!("deleted/{client}"), self.content.clone()).await.map_err(failed)?;
        }
        let begun = Instant::now();
        match operation {
            Operation::BareRead => {
                let key = KeyRange::single(self.bare(client));
                drop(tree.backend().range(RangeRequest::new(key)).await.map_err(bare_failed)?);
            }
            Operation::BareWrite => {
                let put = Op::Put { key: self.bare(client), value: self.content.clone(), lease: None };
                drop(tree.backend().txn(Txn::new().then(put)).await.map_err(bare_failed)?);
            }
            Operation::Store => drop(tree.store(&path, self.content.clone()).await.map_err(failed)?),
            Operation::Load => drop(tree.load(&path).await.map_err(failed)?),
            Operation::Stat => drop(tree.stat(&path).await.map_err(failed)?),
            Operation::Exists => _ = tree.exists(&path).await.map_err(failed)?,
            Operation::List => drop(tree.list("listed", ListOptions::children()).await.map_err(failed)?),
            Operation::Delete => _ = tree.delete(&format!("deleted/{client}")).await.map_err(failed)?,
            Operation::Lock => {
                let guard = tree.lock(&format!("lock-{client}")).await.map_err(failed)?;
                guard.unlock().await.map_err(failed)?;
            }
        }
        Ok(begun.elapsed())
    }

    /// The key of bare calls: below our prefix, and of no part of a tree.
    fn bare(&self, client: usize) -> Key {
        Key::new(format!("{}/bare/{client}", self.prefix))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failed(error: Error) -> Failure {
    Failure::storage_at_large("bench", &error)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn bare_failed(error: BackendError) -> Failure {
    Failure::of_kind(ErrorKind::Unavailable, format!("bench: a bare call failed: {error}"))
}

fn file(client: usize) -> String {
    format!("files/{client}")
}

/// From a microsecond to an hour, with three digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("the bounds are in order")
}
