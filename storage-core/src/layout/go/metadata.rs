use std::fmt::Write as _;
use std::time::SystemTime;

use bytes::Bytes;
use jiff::Timestamp;
use serde::de::MapAccess;

use super::encode::push_text;
use super::fields::{Fields, Text, read, set};
use super::{from_base64, to_base64};
use crate::checksum::Sha1Digest;
use crate::record::{Facts, Record, RecordError, rfc3339};

/// The metadata of a file as the Go module stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MetadataRecord {
    /// The name as it was given. Where the file is the key says.
    pub(crate) path: String,
    pub(crate) facts: Facts,
}

/// The value that the Go module would store.
pub(crate) fn encode_metadata(path: &str, record: &Record) -> Bytes {
    let facts = Facts { size: record.size, modified: record.modified, sha1: record.sha1 };
    MetadataRecord { path: path.to_owned(), facts }.encode()
}

impl MetadataRecord {
    pub(crate) fn encode(&self) -> Bytes {
        let mut json = String::with_capacity(200 + self.path.len());
        json.push_str("{\"Path\":");
        push_text(&mut json, &self.path);
        let (size, modified) = (self.facts.size, rfc3339(self.facts.modified));
        let hash: Vec<String> = self.facts.sha1.as_bytes().iter().map(u8::to_string).collect();
        let rest = format_args!(
            ",\"Size\":{size},\"Timestamp\":\"{modified}\",\"Hash\":[{}],\"IsDir\":false}}",
            hash.join(",")
        );
        json.write_fmt(rest).expect("a string takes whatever is written");
        to_base64(json.as_bytes())
    }

    /// What a value says. The name may be missing; whatever else is has never been written by anybody.
    pub(crate) fn decode(value: &[u8]) -> Result<Self, RecordError> {
        let json = from_base64(value).ok_or(RecordError::NotBase64)?;
        let Read { path, size, timestamp, hash } = read(&json).map_err(RecordError::Json)?;
        let Text(timestamp) = timestamp.ok_or(RecordError::Field("Timestamp is missing"))?;
        let modified = timestamp.parse::<Timestamp>().and_then(SystemTime::try_from);
        let hash = hash.ok_or(RecordError::Field("Hash is missing"))?;
        let sha1 = hash.try_into().map_err(|_| RecordError::Field("Hash is not 20 bytes long"))?;
        let facts = Facts {
            size: size.ok_or(RecordError::Field("Size is missing"))?,
            modified: modified.map_err(|_| RecordError::Field("Timestamp is no RFC 3339 time"))?,
            sha1: Sha1Digest::from_bytes(sha1),
        };
        Ok(Self { path: path.map(|Text(path)| path).unwrap_or_default(), facts })
    }
}

#[derive(Default)]
struct Read {
    path: Option<Text>,
    size: Option<u64>,
    timestamp: Option<Text>,
    hash: Option<Vec<u8>>,
}

impl Fields for Read {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, fields: &mut A) -> Result<bool, A::Error> {
        match name {
            "path" => set(&mut self.path, fields)?,
            "size" => set(&mut self.size, fields)?,
            "timestamp" => set(&mut self.timestamp, fields)?,
            "hash" => set(&mut self.hash, fields)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const JSON: &str = concat!(
        r#"{"Path":"a/\u003cb\u003e \u0026","Size":3,"Timestamp":"2023-11-14T22:13:20.12Z","#,
        r#""Hash":[169,153,62,54,71,6,129,106,186,62,37,113,120,80,194,108,156,208,216,157],"IsDir":false}"#
    );

    fn golden() -> MetadataRecord {
        let modified = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 120_000_000);
        let facts = Facts { size: 3, modified, sha1: Sha1Digest::of(b"abc") };
        MetadataRecord { path: "a/<b> &".to_owned(), facts }
    }

    fn decode(json: &str) -> Result<MetadataRecord, RecordError> {
        MetadataRecord::decode(&to_base64(json.as_bytes()))
    }

    #[test]
    fn the_bytes_of_a_record_are_fixed() {
        assert_eq!(golden().encode(), to_base64(JSON.as_bytes()));
        assert_eq!(decode(JSON).unwrap(), golden());
    }

    #[test]
    fn what_go_reads_is_read() {
        for json in [
            JSON.replace("Size", "size").replace("Path", "PATH").replace("Hash", "ha\u{17f}h"),
            JSON.replace("\"Size\"", "\"New\":{\"a\":[\"\\ud800\"]},\"Size\""),
            JSON.replace("\"Size\":3", "\"Size\":1,\"Size\":3,\"Size\":null"),
            JSON.replace("Timestamp\":\"2023-11-14T22", "Timestamp\":\"2023-11-14T23")
                .replace("12Z", "12+01:00"),
            JSON.replace(",\"IsDir\":false", ""),
            format!(" {JSON}\n"),
        ] {
            assert_eq!(decode(&json).unwrap(), golden(), "{json}");
        }
        assert_eq!(
            decode(&JSON.replace(r"a/\u003c", r"\ud800")).unwrap().path,
            "\u{fffd}\u{fffd}\u{fffd}b> &"
        );
        let no_unicode = [br#"{"Path":"a"#, &b"\xff"[..], &JSON.as_bytes()[r#"{"Path":"a"#.len()..]].concat();
        assert_eq!(MetadataRecord::decode(&to_base64(&no_unicode)).unwrap().path, "a\u{fffd}/<b> &");
    }

    #[test]
    fn damaged_records_are_refused() {
        for json in [
            "null".to_owned(),
            "{}".to_owned(),
            "[]".to_owned(),
            "[".repeat(10_000),
            JSON[..JSON.len() - 1].to_owned(),
            format!("{JSON}{JSON}"),
            JSON.replace(":3,", ":-3,"),
            JSON.replace(":3,", ":3.0,"),
            JSON.replace(":3,", ":\"3\","),
            JSON.replace("2023-11", "2023-13"),
            JSON.replace("[169,", "["),
            JSON.replace("[169,", "[169,169,"),
            JSON.replace("[169,", "[256,"),
            JSON.replace("\"Hash\"", "\"Other\""),
        ] {
            assert!(decode(&json).is_err(), "{}", &json[..json.len().min(300)]);
        }
        assert!(matches!(MetadataRecord::decode(JSON.as_bytes()), Err(RecordError::NotBase64)));
    }

    proptest! {
        #[test]
        fn every_record_is_read_back(path in any::<String>(), size in any::<u64>(), hash in any::<[u8; 20]>(), time in 0_u64..250_000_000_000, nanos in 0_u32..1_000_000_000) {
            let modified = SystemTime::UNIX_EPOCH + Duration::new(time, nanos);
            let record = MetadataRecord { path, facts: Facts { size, modified, sha1: Sha1Digest::from_bytes(hash) } };
            let read = MetadataRecord::decode(&record.encode()).unwrap();
            prop_assert_eq!(read.encode(), record.encode());
            prop_assert_eq!(read, record);
        }
    }
}
