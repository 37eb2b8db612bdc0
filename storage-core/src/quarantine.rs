//! Files that were moved to the quarantine: their names there, and the record that says why.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::environment::Surroundings;
use crate::error::{Error, ErrorKind};
use crate::path::FilePath;
use crate::record::{from_object, rfc3339};

/// The version of the record that this library writes.
const RECORD_VERSION: u32 = 1;

/// Names a file in the quarantine: 16 hexadecimal digits, drawn anew for each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuarantineId([u8; 8]);

impl QuarantineId {
    pub(crate) fn random(surroundings: &Surroundings) -> Self {
        let [id @ .., _, _, _, _, _, _, _, _] = surroundings.random();
        Self(id)
    }
}

impl fmt::Display for QuarantineId {
    /// Sixteen lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for QuarantineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QuarantineId({self})")
    }
}

impl FromStr for QuarantineId {
    type Err = Error;

    /// Reads sixteen lower-case hexadecimal digits.
    fn from_str(digits: &str) -> Result<Self, Error> {
        let mut id = [0; 8];
        // In upper case it would be another key.
        match hex::decode_to_slice(digits, &mut id) {
            Ok(()) if !digits.contains(|c: char| c.is_ascii_uppercase()) => Ok(Self(id)),
            _ => Err(Error::new(ErrorKind::InvalidName)
                .with_path(digits)
                .with_detail("a file in the quarantine is named by 16 hexadecimal digits")),
        }
    }
}

/// A file in the quarantine, as [`Storage::quarantined`](crate::Storage::quarantined) shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quarantined {
    /// Its name there.
    pub id: QuarantineId,
    /// The path from which it was moved.
    pub path: FilePath,
    /// The [name](crate::ProblemKind::name) of what was wrong with it; `None` if the record cannot be read.
    pub problem: Option<String>,
    /// The bytes of its content; `None` if it has none, or the record cannot be read.
    pub size: Option<u64>,
    /// When it was moved, by the clock of who did; `None` if the record cannot be read.
    pub moved: Option<SystemTime>,
    /// The machine that moved it; `None` if the record cannot be read.
    pub host: Option<String>,
    /// The number of the process that moved it; `None` if the record cannot be read.
    pub pid: Option<u32>,
}

/// A file in the quarantine with its two values, as they were: nothing is verified. In the
/// [layout of caddy-etcd](crate::LayoutKind::CaddyEtcd) they are without their base64, unless that is damaged.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuarantinedFile {
    /// What is known of it.
    pub file: Quarantined,
    /// What lay where its content belongs, if anything did.
    pub content: Option<Bytes>,
    /// What lay where its metadata record belongs, if anything did.
    pub metadata: Option<Bytes>,
}

impl fmt::Debug for QuarantinedFile {
    /// Without the values, which may be a private key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuarantinedFile").field("file", &self.file).finish_non_exhaustive()
    }
}

/// The record of a file in the quarantine: JSON, for people. Nothing depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QuarantineRecord {
    pub(crate) problem: String,
    pub(crate) size: Option<u64>,
    pub(crate) moved: SystemTime,
    pub(crate) host: String,
    pub(crate) pid: u32,
}

/// The JSON form, in the order in which it is written. Unknown fields are passed over.
#[derive(Serialize, Deserialize)]
struct Json {
    version: u32,
    problem: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    moved: String,
    host: String,
    pid: u32,
}

impl QuarantineRecord {
    /// The record of what this process moves now.
    pub(crate) fn own(problem: &str, size: Option<u64>, moved: SystemTime) -> Self {
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        Self { problem: problem.to_owned(), size, moved, host, pid: std::process::id() }
    }

    pub(crate) fn encode(&self) -> Bytes {
        let json = Json {
            version: RECORD_VERSION,
            problem: self.problem.clone(),
            size: self.size,
            moved: rfc3339(self.moved),
            host: self.host.clone(),
            pid: self.pid,
        };
        serde_json::to_vec(&json).expect("strings and numbers are always JSON").into()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let Json { version, problem, size, moved, host, pid } = from_object(bytes).ok()?;
        let moved = moved.parse::<Timestamp>().and_then(SystemTime::try_from).ok()?;
        (version == RECORD_VERSION).then_some(Self { problem, size, moved, host, pid })
    }
}

impl Quarantined {
    pub(crate) fn of(id: QuarantineId, path: FilePath, record: Option<QuarantineRecord>) -> Self {
        let (mut problem, mut size, mut moved, mut host, mut pid) = (None, None, None, None, None);
        if let Some(record) = record {
            (problem, size, moved) = (Some(record.problem), record.size, Some(record.moved));
            (host, pid) = (Some(record.host), Some(record.pid));
        }
        Self { id, path, problem, size, moved, host, pid }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_bytes_of_a_record_are_fixed() {
        let mut record = QuarantineRecord {
            problem: "checksum_mismatch".to_owned(),
            size: Some(3),
            moved: SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 120_000_789),
            host: "node-a".to_owned(),
            pid: 42,
        };
        let golden = r#"{"version":1,"problem":"checksum_mismatch","size":3,"moved":"2023-11-14T22:13:20.120000789Z","host":"node-a","pid":42}"#;
        assert_eq!(record.encode(), golden);
        assert_eq!(QuarantineRecord::decode(golden.as_bytes()), Some(record.clone()));
        record.size = None;
        assert_eq!(record.encode(), golden.replace(r#""size":3,"#, ""));
        assert_eq!(QuarantineRecord::decode(&record.encode()), Some(record));
        for broken in ["", "{}", "[]", &golden.replace(":1,", ":2,"), &golden.replace("2023", "x")] {
            assert_eq!(QuarantineRecord::decode(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn a_name_is_sixteen_digits_in_lower_case() {
        let id: QuarantineId = "00ff00ff00ff00ab".parse().unwrap();
        assert_eq!(id.to_string(), "00ff00ff00ff00ab");
        for wrong in ["", "00", "00FF00FF00FF00AB", "00ff00ff00ff00abcd", "../0000000000000"] {
            let error = wrong.parse::<QuarantineId>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidName, "{wrong}");
        }
    }
}
