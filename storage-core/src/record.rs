//! The metadata record of a file, as it lies in the store: JSON, for the operator who looks at it.

use std::borrow::Cow;
use std::time::SystemTime;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de};

use crate::checksum::{Sha1Digest, digits};
use crate::environment::Surroundings;

/// The version of the record that this library writes, and the newest that it reads.
const RECORD_VERSION: u32 = 1;

/// The largest record has about so many bytes.
const LARGEST: usize = 256;

/// What is stored about a file beside its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) size: u64,
    pub(crate) modified: SystemTime,
    pub(crate) sha1: Sha1Digest,
    pub(crate) write: WriteId,
}

/// What a metadata record of any layout says of a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) size: u64,
    pub(crate) modified: SystemTime,
    pub(crate) sha1: Sha1Digest,
}

impl From<Record> for Facts {
    fn from(record: Record) -> Self {
        let Record { size, modified, sha1, write: _ } = record;
        Self { size, modified, sha1 }
    }
}

/// Names one attempt to write, so that a writer whose answer was lost can recognise its own record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WriteId([u8; 16]);

impl WriteId {
    pub(crate) fn random(surroundings: &Surroundings) -> Self {
        Self(surroundings.random())
    }
}

/// Why bytes in the store are no record that can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("metadata record is of version {0}, this library reads up to {RECORD_VERSION}")]
    Later(u64),
    #[error("metadata record: {0}")]
    Field(&'static str),
    #[error("metadata record is no base64")]
    NotBase64,
    #[error("metadata record is no JSON of the expected form")]
    Json(#[source] serde_json::Error),
}

/// The JSON form, in the order in which it is written. Unknown fields are passed over.
#[derive(Serialize, Deserialize)]
struct Json<'r> {
    version: u32,
    size: u64,
    #[serde(borrow)]
    modified: Cow<'r, str>,
    #[serde(borrow)]
    sha1: Cow<'r, str>,
    #[serde(borrow)]
    write: Cow<'r, str>,
}

impl Record {
    /// The record of a content that this write stores.
    pub(crate) fn of(content: &[u8], modified: SystemTime, write: WriteId) -> Self {
        Self { size: content.len() as u64, modified, sha1: Sha1Digest::of(content), write }
    }

    /// Whether a record can say that a file was written at this time: RFC 3339 has years of four digits.
    pub(crate) fn holds(modified: SystemTime) -> bool {
        /// The first second of the year 0.
        const FIRST: i64 = -62_167_219_200;
        Timestamp::try_from(modified).is_ok_and(|time| time.as_second() >= FIRST)
    }

    pub(crate) fn encode(&self) -> Bytes {
        let (mut sha1, mut write) = ([0; 40], [0; 32]);
        let json = Json {
            version: RECORD_VERSION,
            size: self.size,
            modified: rfc3339(self.modified).into(),
            sha1: digits(self.sha1.as_bytes(), &mut sha1).into(),
            write: digits(&self.write.0, &mut write).into(),
        };
        // Copied, so that it keeps no room that it does not need: a store of this process has one for each file.
        let mut encoded = Vec::with_capacity(LARGEST);
        serde_json::to_writer(&mut encoded, &json).expect("strings and numbers are always JSON");
        Bytes::copy_from_slice(&encoded)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let json: Json<'_> = match from_object(bytes) {
            Ok(json) => json,
            Err(error) => {
                return Err(later_version(bytes).map_or(RecordError::Json(error), RecordError::Later));
            }
        };
        if json.version != RECORD_VERSION {
            return Err(RecordError::Later(json.version.into()));
        }
        let modified = json.modified.parse::<Timestamp>().and_then(SystemTime::try_from);
        let mut write = [0; 16];
        hex::decode_to_slice(&*json.write, &mut write)
            .map_err(|_| RecordError::Field("write is not 32 hexadecimal digits"))?;
        Ok(Self {
            size: json.size,
            modified: modified.map_err(|_| RecordError::Field("modified is no RFC 3339 time"))?,
            sha1: json.sha1.parse().map_err(|_| RecordError::Field("sha1 is not 40 hexadecimal digits"))?,
            write: WriteId(write),
        })
    }
}

/// What a deletion of files leaves behind: which write it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub(crate) write: WriteId,
}

#[derive(Serialize, Deserialize)]
struct DeletionJson<'r> {
    version: u32,
    #[serde(borrow)]
    write: Cow<'r, str>,
}

impl Deletion {
    pub(crate) fn encode(self) -> Bytes {
        let mut write = [0; 32];
        let json = DeletionJson { version: RECORD_VERSION, write: digits(&self.write.0, &mut write).into() };
        serde_json::to_vec(&json).expect("strings and numbers are always JSON").into()
    }

    /// The record, if it is one of our version: who looks for its own has written that.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let json: DeletionJson<'_> = from_object(bytes).ok()?;
        let mut write = [0; 16];
        hex::decode_to_slice(&*json.write, &mut write).ok()?;
        (json.version == RECORD_VERSION).then_some(Self { write: WriteId(write) })
    }
}

/// A record of a later version may have other fields altogether: its version is all that counts.
fn later_version(bytes: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    let Versioned { version } = from_object(bytes).ok()?;
    (version != u64::from(RECORD_VERSION)).then_some(version)
}

/// Reads the JSON object that a record is. Serde alone would take a list of the values of its fields as well.
pub(crate) fn from_object<'r, T: Deserialize<'r>>(bytes: &'r [u8]) -> Result<T, serde_json::Error> {
    match bytes.trim_ascii_start().first() {
        Some(b'[') => Err(de::Error::custom("a list is no record")),
        _ => serde_json::from_slice(bytes),
    }
}

/// UTC with up to nine fractional digits. A clock beyond the year 9999 is written as that year's end, one before the year
/// -9999 as that year's beginning.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let nearest = if time < SystemTime::UNIX_EPOCH { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::try_from(time).unwrap_or(nearest).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn golden() -> Record {
        Record {
            size: 3,
            modified: SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 120_000_789),
            sha1: Sha1Digest::of(b"abc"),
            write: WriteId(*b"0123456789abcdef"),
        }
    }

    const GOLDEN: &str = concat!(
        r#"{"version":1,"size":3,"modified":"2023-11-14T22:13:20.120000789Z","#,
        r#""sha1":"a9993e364706816aba3e25717850c26c9cd0d89d","write":"30313233343536373839616263646566"}"#
    );

    #[test]
    fn the_bytes_of_a_deletion_are_fixed() {
        let deletion = Deletion { write: WriteId(*b"0123456789abcdef") };
        let bytes = r#"{"version":1,"write":"30313233343536373839616263646566"}"#;
        assert_eq!(deletion.encode(), bytes);
        assert_eq!(Deletion::decode(bytes.as_bytes()), Some(deletion));
        assert_eq!(Deletion::decode(b"{}"), None);
        assert_eq!(Deletion::decode(bytes.replace(":1,", ":2,").as_bytes()), None);
    }

    #[test]
    fn the_bytes_of_a_record_are_fixed() {
        assert_eq!(golden().encode(), GOLDEN);
        assert_eq!(Record::decode(GOLDEN.as_bytes()).unwrap(), golden());
    }

    #[test]
    fn unknown_fields_are_passed_over() {
        let extended = GOLDEN.replace("\"size\"", "\"colour\":[1,{}],\"size\"");
        assert_eq!(Record::decode(extended.as_bytes()).unwrap(), golden());
    }

    #[test]
    fn a_later_version_is_named_even_when_its_fields_are_others() {
        for record in [r#"{"version":2}"#.to_owned(), GOLDEN.replace("\"version\":1", "\"version\":2")] {
            assert!(matches!(Record::decode(record.as_bytes()), Err(RecordError::Later(2))), "{record}");
        }
    }

    #[test]
    fn damaged_records_are_refused() {
        let mut damaged = vec![b"".to_vec(), b"null".to_vec(), b"\xff".to_vec(), vec![b'['; 100_000]];
        damaged.push(GOLDEN.replace("2023-11-14", "2023-13-14").into_bytes());
        damaged.push(GOLDEN.replace("a9993e", "xxxxxx").into_bytes());
        damaged.push(GOLDEN.replace("\"size\":3", "\"size\":-3").into_bytes());
        damaged.push(GOLDEN.replace("3031", "30").into_bytes());
        damaged.push(GOLDEN.as_bytes()[..GOLDEN.len() - 1].to_vec());
        for bytes in damaged {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
            assert!(Record::decode(&bytes).is_err(), "{shown}");
        }
    }

    #[test]
    fn a_list_of_the_values_is_no_record() {
        let list = r#"[1,3,"2023-11-14T22:13:20Z","a9993e364706816aba3e25717850c26c9cd0d89d","30313233343536373839616263646566"]"#;
        assert!(matches!(Record::decode(list.as_bytes()), Err(RecordError::Json(_))));
        assert!(matches!(Record::decode(b" [2]"), Err(RecordError::Json(_))));
        assert_eq!(Deletion::decode(br#"[1,"30313233343536373839616263646566"]"#), None);
    }

    #[test]
    fn a_record_holds_the_times_of_years_with_four_digits() {
        let record = |modified| Record { modified, ..golden() };
        let second = Duration::from_secs(1);
        let (first, last) =
            (Duration::from_secs(62_167_219_200), Duration::new(253_402_207_200, 999_999_999));
        for held in [
            SystemTime::UNIX_EPOCH - first,
            SystemTime::UNIX_EPOCH - Duration::new(1, 1),
            SystemTime::UNIX_EPOCH,
            SystemTime::UNIX_EPOCH + last,
        ] {
            assert!(Record::holds(held), "{held:?}");
            assert_eq!(Record::decode(&record(held).encode()).unwrap().modified, held);
            assert!(!rfc3339(held).starts_with('-'), "{held:?}");
        }
        for not_held in [SystemTime::UNIX_EPOCH - first - second, SystemTime::UNIX_EPOCH + last + second] {
            assert!(!Record::holds(not_held), "{not_held:?}");
        }
    }

    #[test]
    fn times_before_1970_and_far_away_are_written() {
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "1969-12-31T23:59:59Z");
        assert!(rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 60)).starts_with("9999-12-"));
        assert!(rfc3339(SystemTime::UNIX_EPOCH - Duration::from_secs(1 << 60)).starts_with("-009999-01-"));
    }
}
