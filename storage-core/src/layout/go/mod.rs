//! The values that the Go module caddy-etcd stores: byte for byte what it writes, and as lenient as it reads.

mod encode;
mod fields;
mod lock;
mod metadata;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

pub(crate) use lock::LockRecord;
pub(crate) use metadata::{MetadataRecord, encode_metadata};

/// Standard base64 with padding. The Go decoder does not look at the bits that the last character has too many.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

pub(crate) fn to_base64(bytes: &[u8]) -> Bytes {
    BASE64.encode(bytes).into()
}

/// What was encoded; line breaks are passed over, as in Go.
pub(crate) fn from_base64(text: &[u8]) -> Option<Bytes> {
    let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let decoded = if text.iter().any(is_break) {
        let one_line: Vec<u8> = text.iter().copied().filter(|byte| !is_break(byte)).collect();
        BASE64.decode(one_line)
    } else {
        BASE64.decode(text)
    };
    decoded.ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn base64_is_read_as_go_reads_it() {
        assert_eq!(to_base64(b""), "");
        assert_eq!(to_base64(b"\xff\xfe\xfd\xfc"), "//79/A==");
        for (text, bytes) in
            [("", Some("")), ("YQ==", Some("a")), ("YR==", Some("a")), ("Y\r\nQ=\n=\n", Some("a"))]
        {
            assert_eq!(from_base64(text.as_bytes()).as_deref(), bytes.map(str::as_bytes), "{text:?}");
        }
        for wrong in ["YQ", "YQ=", "YQ===", "Y Q==", "_w==", "YQ==YQ==", "=", "Y"] {
            assert_eq!(from_base64(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    /// What the Go module has left in an etcd: raw keys and values.
    fn golden() -> Vec<(String, Vec<u8>)> {
        #[derive(serde::Deserialize)]
        struct Line {
            key: String,
            value: String,
        }
        let lines = include_str!("golden/stored.jsonl").lines();
        let lines = lines.map(|line| serde_json::from_str::<Line>(line).unwrap());
        lines
            .map(|Line { key, value }| {
                let [key, value] = [key, value].map(|text| from_base64(text.as_bytes()).unwrap().to_vec());
                (String::from_utf8(key).unwrap(), value)
            })
            .collect()
    }

    #[test]
    fn what_the_go_module_has_stored_is_written_again_byte_for_byte() {
        let (mut contents, mut records, mut locks) = (0, 0, 0);
        for (key, value) in golden() {
            if let Some(path) = key.strip_prefix("/caddy/md/") {
                let record = MetadataRecord::decode(&value).unwrap();
                assert_eq!(record.path.trim_start_matches('/'), path);
                assert_eq!(record.encode(), value, "{key}");
                records += 1;
            } else if let Some(name) = key.strip_prefix("/caddy/lock/") {
                let lock = LockRecord::decode(&value).unwrap();
                assert_eq!(lock.key, name);
                assert_eq!(lock.encode(), value, "{key}");
                locks += 1;
            } else {
                assert_eq!(to_base64(&from_base64(&value).unwrap()), value, "{key}");
                contents += 1;
            }
        }
        assert_eq!((contents, records, locks), (16, 16, 1));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(from_base64(&to_base64(&bytes)).unwrap(), bytes);
        }
    }
}
