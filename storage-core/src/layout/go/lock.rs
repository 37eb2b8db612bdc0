use std::fmt::Write as _;
use std::time::SystemTime;

use bytes::Bytes;
use jiff::Timestamp;
use serde::de::MapAccess;

use super::encode::push_text;
use super::fields::{Fields, Text, read, set};
use super::{from_base64, to_base64};
use crate::kv::LeaseId;
use crate::record::rfc3339;

/// A lock as the Go module stores it: free again once `obtained` is older than the lock timeout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LockRecord {
    /// Who has it: the base64 of 32 random bytes.
    pub(crate) token: String,
    pub(crate) obtained: SystemTime,
    /// The name of the lock.
    pub(crate) key: String,
    /// The Go module names a lease to which the key is not attached.
    pub(crate) lease: Option<LeaseId>,
}

impl LockRecord {
    pub(crate) fn encode(&self) -> Bytes {
        let mut json = String::with_capacity(160 + self.key.len());
        json.push_str("{\"Token\":");
        push_text(&mut json, &self.token);
        let obtained = rfc3339(self.obtained);
        json.write_fmt(format_args!(",\"Obtained\":\"{obtained}\",\"Key\":")).expect("a string takes it");
        push_text(&mut json, &self.key);
        let lease = self.lease.map_or(0, LeaseId::get);
        json.write_fmt(format_args!(",\"LeaseID\":{lease}}}")).expect("a string takes it");
        to_base64(json.as_bytes())
    }

    /// What a value says, if it is a lock.
    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let json = from_base64(value)?;
        let Read { token, obtained, key, lease } = read(&json).ok()?;
        let obtained = obtained?.0.parse::<Timestamp>().and_then(SystemTime::try_from).ok()?;
        let key = key.map(|Text(key)| key).unwrap_or_default();
        Some(Self { token: token?.0, obtained, key, lease: lease.and_then(LeaseId::new) })
    }
}

#[derive(Default)]
struct Read {
    token: Option<Text>,
    obtained: Option<Text>,
    key: Option<Text>,
    lease: Option<i64>,
}

impl Fields for Read {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, fields: &mut A) -> Result<bool, A::Error> {
        match name {
            "token" => set(&mut self.token, fields)?,
            "obtained" => set(&mut self.obtained, fields)?,
            "key" => set(&mut self.key, fields)?,
            "leaseid" => set(&mut self.lease, fields)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const JSON: &str =
        r#"{"Token":"dG9rZW4=","Obtained":"2023-11-14T22:13:20.12Z","Key":"a\u0026b","LeaseID":77}"#;

    #[test]
    fn the_bytes_of_a_lock_are_fixed() {
        let lock = LockRecord {
            token: "dG9rZW4=".to_owned(),
            obtained: SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 120_000_000),
            key: "a&b".to_owned(),
            lease: LeaseId::new(77),
        };
        assert_eq!(lock.encode(), to_base64(JSON.as_bytes()));
        assert_eq!(LockRecord::decode(&lock.encode()), Some(lock));
    }

    #[test]
    fn what_has_no_owner_or_no_time_is_no_lock() {
        for json in [
            "",
            "{}",
            "1",
            &JSON.replace("Token", "T"),
            &JSON.replace("2023", "x"),
            &JSON.replace("77", "\"\""),
        ] {
            assert_eq!(LockRecord::decode(&to_base64(json.as_bytes())), None, "{json}");
        }
        assert_eq!(LockRecord::decode(JSON.as_bytes()), None);
        let older = JSON.replace(",\"LeaseID\":77", "");
        assert!(LockRecord::decode(&to_base64(older.as_bytes())).is_some(), "earlier versions had no lease");
    }
}
