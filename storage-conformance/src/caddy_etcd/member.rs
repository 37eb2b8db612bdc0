//! A member that runs the Go module: its protocol, step by step, and nothing of this library.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::TryStreamExt;
use serde_json::{Value, json};
use storage_core::kv::{Key, KeyRange, KvBackend, KvBackendExt, Op, RangeRequest, Txn};
use storage_core::{Environment, LayoutKind, Sha1Digest, StorageOptions};
use tokio::time::Instant;

use crate::Context;
use crate::files::support::{options, tree_prefix};
use crate::tree::Tree;

/// A clock for all members of a case, that goes as fast as what the case waits for.
#[derive(Debug)]
pub(super) struct Clock {
    begun: Instant,
    start: SystemTime,
}

impl Clock {
    pub(super) fn new() -> Arc<Self> {
        // A day that all clocks of a case agree on.
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        Arc::new(Self { begun: Instant::now(), start })
    }
}

impl Environment for Clock {
    fn wall_clock(&self) -> SystemTime {
        self.start + self.begun.elapsed()
    }

    fn monotonic(&self) -> Duration {
        self.begun.elapsed()
    }

    fn random(&self) -> [u8; 16] {
        drawn()
    }
}

/// The case's tree in the layout of the Go module, through a client of its own.
pub(super) async fn open_at(context: &Context, clock: &Arc<Clock>, lock_timeout: Duration) -> Tree {
    Tree::open(context, options_at(context, clock, lock_timeout)).await.unwrap()
}

pub(super) fn options_at(context: &Context, clock: &Arc<Clock>, lock_timeout: Duration) -> StorageOptions {
    let clock: Arc<dyn Environment> = Arc::clone(clock) as Arc<dyn Environment>;
    options(context)
        .with_layout(LayoutKind::CaddyEtcd)
        .with_lock_timeout(lock_timeout)
        .with_environment(clock)
}

/// Bytes that nobody in this process draws again.
fn drawn() -> [u8; 16] {
    static DRAWN: AtomicU64 = AtomicU64::new(1);
    let number = u128::from(DRAWN.fetch_add(1, Ordering::Relaxed));
    // The first half is what names a session.
    (number << 64 | number).to_be_bytes()
}

/// A process with the Go module.
pub(super) struct GoMember {
    client: Arc<dyn KvBackend>,
    prefix: String,
    token: String,
    clock: Arc<Clock>,
    lock_timeout: Duration,
}

impl GoMember {
    pub(super) async fn new(context: &Context, clock: &Arc<Clock>, lock_timeout: Duration) -> Self {
        Self {
            client: context.client().await,
            prefix: tree_prefix(context),
            token: BASE64_STANDARD.encode([drawn(), drawn()].concat()),
            clock: Arc::clone(clock),
            lock_timeout,
        }
    }

    pub(super) fn lock_key(&self, name: &str) -> Key {
        Key::new(format!("{}/lock/{name}", self.prefix))
    }

    /// One attempt to take a lock: the key is read, looked at, and put without a compare.
    pub(super) async fn try_lock(&self, name: &str) -> bool {
        let is_free = self.sees_free(name).await;
        if is_free {
            self.put_lock(name).await;
        }
        is_free
    }

    /// Whether it would take a lock for its own.
    pub(super) async fn sees_free(&self, name: &str) -> bool {
        let Some(found) = self.client.get(self.lock_key(name)).await.unwrap() else { return true };
        let json = BASE64_STANDARD.decode(&found.value).expect("a lock is base64");
        let lock: Value = serde_json::from_slice(&json).expect("a lock is JSON");
        let obtained = parse(lock["Obtained"].as_str().unwrap());
        let age = self.clock.wall_clock().duration_since(obtained).unwrap_or_default();
        lock["Token"] == self.token || age >= self.lock_timeout
    }

    pub(super) async fn put_lock(&self, name: &str) {
        let obtained = format(self.clock.wall_clock());
        let lock = json!({"Token": self.token, "Obtained": obtained, "Key": name, "LeaseID": 7});
        let value = BASE64_STANDARD.encode(lock.to_string());
        self.client.put(self.lock_key(name), value.into()).await.unwrap();
    }

    pub(super) async fn delete_lock(&self, name: &str) {
        self.client.txn(Txn::new().then(Op::Delete(self.lock_key(name)))).await.unwrap();
    }

    /// Stores a file whose name may be any text: it is cleaned as a path for the keys, and kept in the metadata.
    pub(super) async fn store(&self, name: &str, content: &[u8]) {
        let path = clean(name);
        let hash = Sha1Digest::of(content).as_bytes().to_vec();
        let time = format(self.clock.wall_clock());
        let meta =
            json!({"Path": name, "Size": content.len(), "Timestamp": time, "Hash": hash, "IsDir": false});
        let put =
            |key: String, value: String| Op::Put { key: Key::new(key), value: value.into(), lease: None };
        let txn = Txn::new()
            .then(put(format!("{}/{path}", self.prefix), BASE64_STANDARD.encode(content)))
            .then(put(format!("{}/md/{path}", self.prefix), BASE64_STANDARD.encode(meta.to_string())));
        self.client.txn(txn).await.unwrap();
    }

    /// Loads a file: metadata first, then the content, whose hash has to be that of the metadata.
    pub(super) async fn load(&self, name: &str) -> Option<Vec<u8>> {
        let meta = self.metadata(name).await?;
        let found = self.client.get(Key::new(format!("{}/{name}", self.prefix))).await.unwrap().unwrap();
        let content = BASE64_STANDARD.decode(&found.value).unwrap();
        let hash: Vec<u8> = serde_json::from_value(meta["Hash"].clone()).unwrap();
        assert_eq!(&Sha1Digest::of(&content).as_bytes()[..], hash, "corruption");
        Some(content)
    }

    pub(super) async fn metadata(&self, name: &str) -> Option<Value> {
        let found = self.client.get(Key::new(format!("{}/md/{name}", self.prefix))).await.unwrap()?;
        Some(serde_json::from_slice(&BASE64_STANDARD.decode(&found.value).unwrap()).unwrap())
    }

    /// All that it lists of the whole tree.
    pub(super) async fn list(&self) -> Vec<String> {
        let all = RangeRequest::new(KeyRange::prefix(self.prefix.clone()));
        let keys: Vec<Key> = self.client.scan(all).map_ok(|entry| entry.key).try_collect().await.unwrap();
        let names =
            keys.iter().map(|key| String::from_utf8_lossy(&key.as_bytes()[self.prefix.len()..]).into_owned());
        names.filter(|name| !name.contains("/md/")).collect()
    }

    pub(super) async fn put_raw(&self, rest: &str, value: impl Into<Bytes>) {
        self.client.put(Key::new(format!("{}/{rest}", self.prefix)), value.into()).await.unwrap();
    }

    pub(super) async fn get_raw(&self, rest: &str) -> Option<Bytes> {
        self.client.get(Key::new(format!("{}/{rest}", self.prefix))).await.unwrap().map(|entry| entry.value)
    }
}

/// A name without empty components and dots.
fn clean(name: &str) -> String {
    name.split('/').filter(|part| !matches!(*part, "" | ".")).collect::<Vec<_>>().join("/")
}

/// RFC 3339 as Go writes it, with nanoseconds and without zeros at their end.
pub(super) fn format(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let nanos = format!("{:09}", since.subsec_nanos());
    let fraction = nanos.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{point}{fraction}Z")
}

/// The other way round.
pub(super) fn parse(text: &str) -> SystemTime {
    let text = text.strip_suffix('Z').expect("times are in UTC");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let numbers: Vec<u64> = whole.split(['-', 'T', ':']).map(|part| part.parse().unwrap()).collect();
    let [year, month, day, hour, minute, second] = numbers[..] else { panic!("no time: {text}") };
    let days = (0..=u64::MAX).find(|days| date(*days) == (year, month, day)).unwrap();
    let nanos: u32 = format!("{fraction:0<9}").parse().unwrap();
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos)
}

/// The date so many days after the first of January 1970.
fn date(mut days: u64) -> (u64, u64, u64) {
    let mut year = 1970;
    loop {
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = if is_leap { 366 } else { 365 };
        if days >= length {
            days -= length;
            year += 1;
            continue;
        }
        let february = if is_leap { 29 } else { 28 };
        for (month, length) in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter().enumerate()
        {
            if days < length {
                return (year, month as u64 + 1, days + 1);
            }
            days -= length;
        }
    }
}
