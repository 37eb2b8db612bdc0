use std::path::{Path, PathBuf};
use std::time::Duration;

use etcd_process::{EtcdBinary, EtcdProcess};
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

/// What the nodes of a test share, and what it says itself, past the code under test.
#[derive(Debug)]
pub(crate) enum Store {
    Etcd(EtcdProcess),
    Sqlite(SqliteFile),
}

/// A file on the disk.
#[derive(Debug)]
pub(crate) struct SqliteFile {
    path: PathBuf,
    /// Keeps everybody from writing.
    lock: Option<Connection>,
    _folder: TempDir,
}

/// How often something has happened.
#[derive(Debug)]
pub(crate) struct Counters {
    /// What grows when something is written.
    pub(crate) written: Vec<(&'static str, f64)>,
    /// What grows as long as the sessions are alive, and whatever else there is to tell.
    pub(crate) alive: Vec<(&'static str, f64)>,
}

impl Store {
    /// Starts each store that there is: each version of etcd that is installed, and a file.
    pub(crate) fn each(test: &str) -> Vec<impl FnOnce() -> Self + Send> {
        let etcds = EtcdBinary::find_all_for_test(test).into_iter().map(Some);
        etcds
            .chain([None])
            .map(|binary| {
                move || match binary {
                    Some(binary) => Self::Etcd(EtcdProcess::start(&binary).unwrap()),
                    None => Self::sqlite(),
                }
            })
            .collect()
    }

    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::Sqlite(SqliteFile { path: folder.path().join("store.db"), lock: None, _folder: folder })
    }

    /// How a node is told of it.
    pub(crate) fn argument(&self) -> String {
        match self {
            Self::Etcd(etcd) => etcd.endpoint(),
            Self::Sqlite(file) => format!("sqlite:{}", file.path.display()),
        }
    }

    /// How a test calls it in what it prints.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Etcd(etcd) => format!("etcd {}", etcd.binary().version),
            Self::Sqlite(_) => "sqlite".to_owned(),
        }
    }

    /// Whether it is not only an older version of another.
    pub(crate) fn is_newest(&self) -> bool {
        match self {
            Self::Etcd(etcd) => EtcdBinary::find_all().last() == Some(etcd.binary()),
            Self::Sqlite(_) => true,
        }
    }

    /// The keys that begin so.
    pub(crate) fn keys_below(&self, prefix: &str) -> Vec<String> {
        match self {
            Self::Etcd(etcd) => {
                let keys = etcd.etcdctl(&["get", "--prefix", "--keys-only", prefix]).unwrap();
                keys.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
            }
            Self::Sqlite(file) => file.strings(
                "SELECT CAST(key AS TEXT) FROM newest WHERE substr(key, 1, length(?1)) = CAST(?1 AS BLOB)",
                prefix,
            ),
        }
    }

    /// The TTL that was granted to the lease of the first key that begins so.
    pub(crate) fn granted_ttl(&self, prefix: &str) -> Duration {
        let seconds = match self {
            Self::Etcd(etcd) => {
                let json = |arguments: &[&str]| -> Value {
                    let arguments = [arguments, &["--write-out=json"]].concat();
                    serde_json::from_str(&etcd.etcdctl(&arguments).unwrap()).unwrap()
                };
                let lease = json(&["get", "--prefix", prefix])["kvs"][0]["lease"].as_i64().unwrap();
                json(&["lease", "timetolive", &format!("{lease:x}")])["granted-ttl"].as_u64().unwrap()
            }
            Self::Sqlite(file) => {
                let ttls = file.strings(
                    "SELECT CAST(ttl AS TEXT) FROM newest JOIN leases ON leases.id = newest.lease \
                     WHERE substr(key, 1, length(?1)) = CAST(?1 AS BLOB) ORDER BY key LIMIT 1",
                    prefix,
                );
                ttls[0].parse().unwrap()
            }
        };
        Duration::from_secs(seconds)
    }

    pub(crate) fn counters(&self) -> Counters {
        match self {
            Self::Etcd(etcd) => {
                let metric = |name: &'static str| {
                    let value = etcd.metric(name).unwrap();
                    (name, value.unwrap_or_else(|| panic!("this etcd has no metric {name}")))
                };
                let written = [
                    "etcd_mvcc_put_total",
                    "etcd_mvcc_delete_total",
                    "etcd_mvcc_txn_total",
                    "etcd_debugging_mvcc_current_revision",
                ];
                let alive = ["etcd_debugging_lease_renewed_total", "etcd_mvcc_range_total"];
                Counters { written: written.map(metric).into(), alive: alive.map(metric).into() }
            }
            Self::Sqlite(file) => {
                let number = |sql| file.open().query_row(sql, [], |row| row.get(0)).unwrap();
                Counters {
                    written: vec![
                        ("revision", number("SELECT CAST(revision AS REAL) FROM meta")),
                        ("changes", number("SELECT CAST(count(*) AS REAL) FROM changes")),
                    ],
                    alive: vec![("seconds of leases", number("SELECT sum(deadline) / 1e6 FROM leases"))],
                }
            }
        }
    }

    /// Lets it answer no write any more.
    pub(crate) fn pause(&mut self) {
        match self {
            Self::Etcd(etcd) => etcd.pause().unwrap(),
            Self::Sqlite(file) => {
                let lock = file.open();
                lock.busy_timeout(Duration::from_secs(10)).unwrap();
                lock.execute_batch("BEGIN IMMEDIATE").unwrap();
                file.lock = Some(lock);
            }
        }
    }

    /// Lets it go on.
    pub(crate) fn resume(&mut self) {
        match self {
            Self::Etcd(etcd) => etcd.resume().unwrap(),
            Self::Sqlite(file) => file.lock = None,
        }
    }

    /// Whether a process can write while another one is stopped. A file is locked by who was stopped in the middle of a write.
    pub(crate) fn takes_writes(&self) -> bool {
        match self {
            Self::Etcd(_) => true,
            Self::Sqlite(file) => {
                let turns = std::fs::File::open(format!("{}-notify", file.path.display())).unwrap();
                let is_free = rustix::fs::flock(&turns, rustix::fs::FlockOperation::NonBlockingLockExclusive);
                is_free.is_ok() && file.open().execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok()
            }
        }
    }

    /// The file of a store that is one.
    pub(crate) fn file(&self) -> &Path {
        match self {
            Self::Etcd(_) => panic!("an etcd server is no file"),
            Self::Sqlite(file) => &file.path,
        }
    }
}

impl SqliteFile {
    fn open(&self) -> Connection {
        let connection = Connection::open(&self.path).unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        connection
    }

    fn strings(&self, sql: &str, prefix: &str) -> Vec<String> {
        let connection = self.open();
        let mut statement = connection.prepare(sql).unwrap();
        let strings = statement.query_map([prefix], |row| row.get(0)).unwrap();
        strings.map(Result::unwrap).collect()
    }
}
