use std::error::Error as _;
use std::time::{Duration, SystemTime};

use bad_input::bolero::{Driver, ValueGenerator, produce};
use bad_input::{Choice, Verdict, fuzz, one_line};
use bytes::Bytes;
use jiff::Timestamp;

use super::document::{Document, Field, Form, Need, Version};
use crate::checksum::Sha1Digest;
use crate::environment::Surroundings;
use crate::error::{Error, ErrorKind};
use crate::kv::{Entry, Key, Revision};
use crate::layout::{KeyPrefix, Layout, LayoutKind};
use crate::metadata::Metadata;
use crate::path::FilePath;
use crate::record::{Record, WriteId};

/// The metadata record of `docs/format.md`.
const RECORD: Form = Form(&[
    Field {
        name: "size",
        right: &["0", "3", "4294967296", "18446744073709551615"],
        wrong: &["-1", "18446744073709551616", "1.0", "1e3", "\"3\"", "null", "[]", "1e999"],
        need: Need::Required,
    },
    Field {
        name: "modified",
        right: &[
            "\"1970-01-01T00:00:00Z\"",
            "\"2023-11-14T22:13:20.120000789Z\"",
            "\"9999-12-30T22:00:00.999999999Z\"",
            "\"-009999-01-02T01:59:59Z\"",
            "\"2023-11-14T23:13:20+01:00\"",
            "\"2024-02-29\\u005412:00:00Z\"",
        ],
        wrong: &[
            "\"\"",
            "\"2023-13-14T22:13:20Z\"",
            "\"2023-02-29T00:00:00Z\"",
            "\"2023-11-14T22:13:20\"",
            "\"now\"",
            "\"99999-01-01T00:00:00Z\"",
            "1700000000",
            "null",
            "\"2023-11-14T22:13:20.1234567891Z\"",
            "\"2023-11-14T22:13:20Z\\u0000\"",
            "\"9999-12-31T23:59:59Z\"",
        ],
        need: Need::Required,
    },
    Field {
        name: "sha1",
        right: &[
            "\"a9993e364706816aba3e25717850c26c9cd0d89d\"",
            "\"A9993E364706816ABA3E25717850C26C9CD0D89D\"",
        ],
        wrong: &[
            "\"\"",
            "\"a9993e364706816aba3e25717850c26c9cd0d89\"",
            "\"a9993e364706816aba3e25717850c26c9cd0d89dd\"",
            "\"g9993e364706816aba3e25717850c26c9cd0d89d\"",
            "\"ääääääääääääääääääää\"",
            "0",
            "null",
        ],
        need: Need::Required,
    },
    Field {
        name: "write",
        right: &["\"30313233343536373839616263646566\"", "\"ffffffffffffffffffffffffffffffff\""],
        wrong: &[
            "\"\"",
            "\"3031\"",
            "\"3031323334353637383961626364656\"",
            "\"zz313233343536373839616263646566\"",
            "{}",
        ],
        need: Need::Required,
    },
]);

#[test]
fn records_are_read_refused_or_of_another_version() {
    let damage = (produce::<u16>(), produce::<u8>());
    fuzz!((RECORD, Written, damage), |(document, written, (place, change)): &(
        Document,
        Record,
        (u16, u8)
    )| {
        check_written(written);
        check_damaged(&document.text, *place, *change);
        check_document(document)
    });
}

/// A record as this library may write it.
struct Written;

impl ValueGenerator for Written {
    type Output = Record;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Record> {
        let seconds = match driver.number(0..=2)? {
            0 => driver.produce::<u64>()? >> driver.number(0..=63)?,
            // Around the years -9999 and 9999.
            1 => 253_402_200_000 + driver.number(0..=4_000)? as u64,
            _ => 377_705_023_201 - 2_000 + driver.number(0..=4_000)? as u64,
        };
        let since = Duration::new(seconds, u32::try_from(driver.number(0..=999_999_999)?).ok()?);
        let epoch = SystemTime::UNIX_EPOCH;
        let modified = if driver.once_in(2)? { epoch.checked_add(since) } else { epoch.checked_sub(since) };
        Some(Record {
            size: driver.produce()?,
            // Beyond what the clock of this machine can show.
            modified: modified.unwrap_or(epoch),
            sha1: Sha1Digest::from_bytes(driver.produce()?),
            write: WriteId::random(&Surroundings::default()),
        })
    }
}

fn check_written(record: &Record) {
    let [first, last] = [Timestamp::MIN, Timestamp::MAX]
        .map(|time| SystemTime::try_from(time).expect("a system's time reaches as far"));
    let expected = Record { modified: record.modified.clamp(first, last), ..record.clone() };
    let read = Record::decode(&record.encode()).expect("what is written can be read");
    assert_eq!(read, expected);
    assert_eq!(read.encode(), record.encode());
}

fn check_document(document: &Document) -> Verdict {
    let Document { text, is_object, version, is_right } = document;
    let expected = match version {
        _ if !is_object => Err(ErrorKind::Corrupt),
        Version::Another => Err(ErrorKind::Unsupported),
        Version::Ours if *is_right => Ok(()),
        Version::Ours | Version::Unclear => Err(ErrorKind::Corrupt),
    };
    let read = Metadata::of_entry(&layout(), FilePath::root(), &entry(text.as_bytes()));
    assert_eq!(read.as_ref().map(drop).map_err(Error::kind), expected);
    if let Err(error) = &read {
        let cause = error.source().expect("damage has a cause");
        let causes = [cause.to_string(), cause.source().map(ToString::to_string).unwrap_or_default()];
        for message in [error.to_string()].into_iter().chain(causes) {
            assert!(one_line(&message), "{message:?}");
        }
    }
    if let (Ok(metadata), Ok(record)) = (&read, Record::decode(text.as_bytes())) {
        assert_eq!((metadata.size, metadata.modified), (record.size, record.modified));
        check_written(&record);
    }
    Verdict::of(&read)
}

/// With a byte changed nothing is known of a record, but that it is read as what it says or refused.
fn check_damaged(text: &str, place: u16, change: u8) {
    let mut damaged = text.as_bytes().to_vec();
    let length = damaged.len();
    if let Some(byte) = damaged.get_mut(usize::from(place) % length.max(1)) {
        *byte ^= change;
    }
    if let Err(error) = Metadata::of_entry(&layout(), FilePath::root(), &entry(&damaged)) {
        assert!([ErrorKind::Corrupt, ErrorKind::Unsupported].contains(&error.kind()), "{error}");
    } else {
        check_written(&Record::decode(&damaged).expect("the metadata was read"));
    }
}

fn layout() -> Layout {
    Layout::new(LayoutKind::Native, KeyPrefix::default())
}

fn entry(value: &[u8]) -> Entry {
    Entry {
        key: Key::new("/caddy/meta/a"),
        value: Bytes::copy_from_slice(value),
        create_revision: Revision(1),
        mod_revision: Revision(2),
        lease: None,
    }
}
