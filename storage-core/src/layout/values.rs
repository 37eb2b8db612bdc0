//! What is stored of a file.

use bytes::Bytes;

use super::{Layout, LayoutKind, go};
use crate::path::FilePath;
use crate::record::{Facts, Record, RecordError};

impl Layout {
    /// The value of a content.
    pub(crate) fn encode_content(&self, content: &Bytes) -> Bytes {
        match self.kind() {
            LayoutKind::Native => content.clone(),
            LayoutKind::CaddyEtcd => go::to_base64(content),
        }
    }

    /// The content of a value; `None` if it is none.
    pub(crate) fn decode_content(&self, value: Bytes) -> Option<Bytes> {
        match self.kind() {
            LayoutKind::Native => Some(value),
            LayoutKind::CaddyEtcd => go::from_base64(&value),
        }
    }

    /// How large a content may be whose value may have so many bytes, if it is not the same.
    pub(crate) fn content_limit(&self, value_limit: usize) -> Option<usize> {
        match self.kind() {
            LayoutKind::Native => None,
            LayoutKind::CaddyEtcd => Some(value_limit / 4 * 3),
        }
    }

    /// The metadata record of a file at this path.
    pub(crate) fn encode_record(&self, path: &FilePath, record: &Record) -> Bytes {
        match self.kind() {
            LayoutKind::Native => record.encode(),
            LayoutKind::CaddyEtcd => go::encode_metadata(path.as_str(), record),
        }
    }

    /// The name by which the file at this path was stored, if it would not be a path that leads there: slashes at its
    /// beginning do not matter.
    pub(crate) fn stored_as(&self, path: &FilePath, record: &[u8]) -> Option<String> {
        match self.kind() {
            LayoutKind::Native => None,
            LayoutKind::CaddyEtcd => {
                let name = go::MetadataRecord::decode(record).ok()?.path;
                (name.trim_start_matches('/') != path.as_str()).then_some(name)
            }
        }
    }

    /// What a metadata record says.
    pub(crate) fn decode_record(&self, value: &[u8]) -> Result<Facts, RecordError> {
        match self.kind() {
            LayoutKind::Native => Record::decode(value).map(Facts::from),
            LayoutKind::CaddyEtcd => Ok(go::MetadataRecord::decode(value)?.facts),
        }
    }
}
