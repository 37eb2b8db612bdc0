//! Who holds something: what an operator has to know to find the process.

use std::time::SystemTime;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::record::{from_object, rfc3339};

/// The version of the record that this library writes.
const RECORD_VERSION: u32 = 1;

/// The record of a place in a queue, or of a session: JSON, for the operator who looks at it. Nothing depends on it;
/// one that cannot be read only tells less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) label: Option<String>,
    pub(crate) host: String,
    pub(crate) pid: u32,
    pub(crate) since: SystemTime,
}

/// The JSON form, in the order in which it is written. Unknown fields are passed over.
#[derive(Serialize, Deserialize)]
struct Json {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    host: String,
    pid: u32,
    since: String,
}

impl Identity {
    /// This process, from now on.
    pub(crate) fn own(label: Option<&str>, since: SystemTime) -> Self {
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        Self { label: label.map(str::to_owned), host, pid: std::process::id(), since }
    }

    pub(crate) fn encode(&self) -> Bytes {
        let json = Json {
            version: RECORD_VERSION,
            label: self.label.clone(),
            host: self.host.clone(),
            pid: self.pid,
            since: rfc3339(self.since),
        };
        serde_json::to_vec(&json).expect("strings and numbers are always JSON").into()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let json: Json = from_object(bytes).ok()?;
        let since = json.since.parse::<Timestamp>().and_then(SystemTime::try_from).ok()?;
        let Json { label, host, pid, .. } = json;
        (json.version == RECORD_VERSION).then_some(Self { label, host, pid, since })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_bytes_of_an_identity_are_fixed() {
        let mut identity = Identity {
            label: Some("issue".to_owned()),
            host: "node-a".to_owned(),
            pid: 42,
            since: SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 120_000_789),
        };
        let golden = r#"{"version":1,"label":"issue","host":"node-a","pid":42,"since":"2023-11-14T22:13:20.120000789Z"}"#;
        assert_eq!(identity.encode(), golden);
        assert_eq!(Identity::decode(golden.as_bytes()), Some(identity.clone()));
        identity.label = None;
        assert_eq!(identity.encode(), golden.replace(r#""label":"issue","#, ""));
        assert_eq!(Identity::decode(&identity.encode()), Some(identity));
    }

    #[test]
    fn what_cannot_be_read_is_nobody() {
        let golden = r#"{"version":1,"host":"a","pid":42,"since":"2023-11-14T22:13:20Z"}"#;
        assert!(Identity::decode(golden.as_bytes()).is_some());
        for broken in ["", "{}", &golden.replace(":1,", ":2,"), &golden.replace("2023", "x")] {
            assert_eq!(Identity::decode(broken.as_bytes()), None, "{broken}");
        }
    }
}
