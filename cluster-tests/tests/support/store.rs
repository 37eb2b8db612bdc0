//! What etcd itself says, past the code under test.

use std::time::Duration;

use etcd_process::EtcdProcess;
use serde_json::Value;

/// The keys that begin so.
pub(crate) fn keys_below(etcd: &EtcdProcess, prefix: &str) -> Vec<String> {
    let keys = etcd.etcdctl(&["get", "--prefix", "--keys-only", prefix]).unwrap();
    keys.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// A counter of the server's.
pub(crate) fn metric(etcd: &EtcdProcess, name: &str) -> f64 {
    etcd.metric(name).unwrap().unwrap_or_else(|| panic!("this etcd has no metric {name}"))
}

/// The TTL that was granted to the lease of the first key that begins so.
pub(crate) fn granted_ttl(etcd: &EtcdProcess, prefix: &str) -> Duration {
    let json = |arguments: &[&str]| -> Value {
        serde_json::from_str(&etcd.etcdctl(&[arguments, &["--write-out=json"]].concat()).unwrap()).unwrap()
    };
    let lease = json(&["get", "--prefix", prefix])["kvs"][0]["lease"].as_i64().unwrap();
    let granted = &json(&["lease", "timetolive", &format!("{lease:x}")])["granted-ttl"];
    Duration::from_secs(granted.as_u64().unwrap())
}
