//! How the health of a store is shown.

use std::time::{Duration, SystemTime};

use kv_etcd::{Alarm, AlarmKind, Alarms, EndpointHealth, Service};
use serde::Serialize;

use super::{Clock, Reach, Seen, clock};
use crate::failure::{Failure, one_line};
use crate::output::{ErrorJson, rfc3339};
use crate::table::{self, Columns};

/// An endpoint as JSON. The names of its fields do not change.
#[derive(Serialize)]
pub(super) struct EndpointJson<'a> {
    endpoint: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leader_known: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    behind: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    raft_term: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

impl<'a> From<&'a EndpointHealth> for EndpointJson<'a> {
    fn from(health: &'a EndpointHealth) -> Self {
        Self {
            endpoint: &health.endpoint,
            state: state(health).0,
            latency_ms: health.latency.map(millis),
            leader_known: (health.service != Service::None).then_some(health.service == Service::Full),
            revision: health.revision.map(|revision| revision.0),
            behind: health.behind,
            raft_term: health.raft_term,
            member_id: health.member_id.map(hex),
            cluster_id: health.cluster_id.map(hex),
            certificate_until: health.certificate_end.map(time),
            problem: health.problem.as_deref(),
        }
    }
}

/// The store as a whole as JSON. The names of its fields do not change.
#[derive(Serialize)]
pub(super) struct StoreJson<'a> {
    store: &'a str,
    serving: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    /// `known`, `not_permitted` or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    alarms: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raised: Option<Vec<AlarmJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_members: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificate_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_error: Option<ErrorJson<'a>>,
}

#[derive(Serialize)]
struct AlarmJson {
    alarm: &'static str,
    member_id: String,
}

#[derive(Serialize)]
struct SessionJson {
    asked_seconds: u64,
    granted_seconds: u64,
    renewal_ms: f64,
    /// As the store says, in whole seconds.
    left_seconds: u64,
    /// As the clock here says.
    expected_seconds: f64,
}

impl<'a> From<&'a Seen> for StoreJson<'a> {
    fn from(seen: &'a Seen) -> Self {
        let etcd = seen.etcd();
        let raised = etcd.and_then(|etcd| match &etcd.alarms {
            Alarms::Known(raised) => Some(raised.iter().map(AlarmJson::from).collect()),
            _ => None,
        });
        Self {
            store: &seen.store,
            serving: seen.is_serving(),
            revision: etcd.and_then(|etcd| etcd.newest_revision).map(|revision| revision.0),
            alarms: etcd.map(|etcd| match etcd.alarms {
                Alarms::Known(_) => "known",
                Alarms::NotPermitted => "not_permitted",
                _ => "unknown",
            }),
            raised,
            unknown_members: etcd.map(|etcd| &*etcd.unknown_members),
            client_certificate_until: etcd.and_then(|etcd| etcd.client_certificate_end).map(time),
            session: seen.clock.as_ref().ok().map(SessionJson::from),
            session_error: seen.clock.as_ref().err().and_then(ErrorJson::of),
        }
    }
}

impl From<&Alarm> for AlarmJson {
    fn from(alarm: &Alarm) -> Self {
        let name = match alarm.kind {
            AlarmKind::NoSpace => "no_space",
            AlarmKind::Corrupt => "corrupt",
            _ => "other",
        };
        Self { alarm: name, member_id: hex(alarm.member_id) }
    }
}

impl From<&Clock> for SessionJson {
    fn from(clock: &Clock) -> Self {
        Self {
            asked_seconds: clock::ASKED.as_secs(),
            granted_seconds: clock.granted.as_secs(),
            renewal_ms: millis(clock.renewal),
            left_seconds: clock.left.as_secs(),
            expected_seconds: clock.expected.as_secs_f64(),
        }
    }
}

/// Two tables: the endpoints, if there are any, and what is to be said of the store as a whole.
pub(super) fn lines(seen: &Seen, columns: Columns) -> Vec<String> {
    let mut lines = Vec::new();
    if !seen.endpoints().is_empty() {
        let heading = [
            "ENDPOINT",
            "STATE",
            "LATENCY",
            "REVISION",
            "BEHIND",
            "TERM",
            "MEMBER",
            "CERTIFICATE",
            "PROBLEM",
        ];
        lines = table::lines(columns, heading, seen.endpoints().iter().map(row));
        lines.push(String::new());
    }
    let mut rows = vec![[
        "store".to_owned(),
        format!("{} {}", one_line(&seen.store), if seen.is_serving() { "serves" } else { "does not serve" }),
    ]];
    match &seen.reach {
        Reach::Process => rows.push(["reach".to_owned(), "it is within this process".to_owned()]),
        Reach::File => rows.push(["reach".to_owned(), "it is a file of this machine".to_owned()]),
        Reach::Etcd(etcd) => {
            rows.push(["revision".to_owned(), or_dash(etcd.newest_revision.map(|revision| revision.0))]);
            rows.push(["alarms".to_owned(), alarms(&etcd.alarms)]);
            if let Some(end) = etcd.client_certificate_end {
                rows.push(["our certificate".to_owned(), format!("valid until {}", time(end))]);
            }
        }
    }
    match &seen.clock {
        Ok(clock) => {
            let Clock { granted, renewal, left, expected } = *clock;
            let session =
                format!("{granted:?} of {:?} granted, a renewal took {}", clock::ASKED, short(renewal));
            rows.push(["session".to_owned(), session]);
            rows.push([
                "clock".to_owned(),
                format!("the store says {left:?} left, the clock here {expected:.3?}"),
            ]);
        }
        Err(Failure::Told { message, .. }) => {
            rows.push(["session".to_owned(), format!("not checked: {}", one_line(message))]);
        }
        Err(Failure::ReaderGone) => {}
    }
    lines.extend(table::lines(columns, ["CHECK", "RESULT"], rows));
    lines
}

fn row(health: &EndpointHealth) -> [String; 9] {
    [
        health.endpoint.clone(),
        state(health).1.to_owned(),
        health.latency.map_or_else(|| "-".to_owned(), short),
        or_dash(health.revision.map(|revision| revision.0)),
        or_dash(health.revision.map(|_| health.behind)),
        or_dash(health.raft_term),
        or_dash(health.member_id.map(hex)),
        or_dash(health.certificate_end.map(time)),
        or_dash(health.problem.as_deref().map(one_line)),
    ]
}

/// What an endpoint is like, in JSON and for people.
fn state(health: &EndpointHealth) -> (&'static str, &'static str) {
    match health.service {
        Service::Full => ("ok", "ok"),
        Service::CopyOnly => ("no_leader", "no leader"),
        _ => ("failed", "failed"),
    }
}

fn alarms(alarms: &Alarms) -> String {
    match alarms {
        Alarms::Known(raised) if raised.is_empty() => "none".to_owned(),
        Alarms::Known(raised) => raised.iter().map(alarm).collect::<Vec<_>>().join(", "),
        Alarms::NotPermitted => "not permitted".to_owned(),
        _ => "unknown".to_owned(),
    }
}

pub(super) fn alarm(alarm: &Alarm) -> String {
    let what = match alarm.kind {
        AlarmKind::NoSpace => "no space",
        AlarmKind::Corrupt => "corrupt data",
        _ => "an alarm unknown here",
    };
    format!("{what} at member {}", hex(alarm.member_id))
}

fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// A time as certificates have it, in whole seconds.
pub(super) fn time(time: SystemTime) -> String {
    format!("{:.0}", rfc3339(time))
}

fn hex(id: u64) -> String {
    format!("{id:x}")
}

fn short(duration: Duration) -> String {
    format!("{:.1}ms", millis(duration))
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
