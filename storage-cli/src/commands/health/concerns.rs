//! What an operator should look after.

use std::time::{Duration, SystemTime};

use kv_etcd::{Alarms, Service};

use super::Seen;
use super::shown::{alarm, time};
use crate::failure::Failure;

/// How long before its end a certificate is warned of.
const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The kind of each, and what it is.
pub(super) fn of(seen: &Seen, now: SystemTime) -> Vec<(&'static str, String)> {
    let mut concerns = Vec::new();
    for health in seen.endpoints() {
        let (endpoint, problem) =
            (&health.endpoint, health.problem.as_deref().unwrap_or("it does not serve"));
        // The reason names the endpoint itself, where it is one that somebody can do something about.
        let said =
            if problem.contains(endpoint) { problem.to_owned() } else { format!("{endpoint}: {problem}") };
        match health.service {
            Service::Full => {}
            Service::CopyOnly => concerns.push(("no_leader", said)),
            _ => concerns.push(("not_reached", said)),
        }
        if health.behind > 0 {
            let behind = health.behind;
            concerns.push(("behind", format!("{endpoint}: its data is behind by {behind} revisions")));
        }
        if let Some(end) = health.certificate_end {
            concerns.extend(certificate(&format!("the certificate of {endpoint}"), end, now));
        }
    }
    if let Some(etcd) = seen.etcd() {
        for member in &etcd.unknown_members {
            let what = format!(
                "member {member} of the cluster has not started, or is at no endpoint that may be used"
            );
            concerns.push(("not_reached", what));
        }
        if let Alarms::Known(raised) = &etcd.alarms {
            concerns.extend(raised.iter().map(|raised| ("alarm", format!("alarm: {}", alarm(raised)))));
        }
        if let Some(end) = etcd.client_certificate_end {
            concerns.extend(certificate("our certificate (tls.cert)", end, now));
        }
    }
    match &seen.clock {
        Ok(clock) if clock.is_early() => {
            let (left, expected) = (clock.left, clock.expected);
            let what = format!(
                "the store ends sessions early: it says {left:?} left, the clock here {expected:.3?}"
            );
            concerns.push(("clock", what));
        }
        Err(Failure::Told { message, .. }) if seen.is_serving() => {
            concerns.push(("session", format!("a session could not be checked: {message}")));
        }
        _ => {}
    }
    concerns
}

fn certificate(what: &str, end: SystemTime, now: SystemTime) -> Option<(&'static str, String)> {
    let until = time(end);
    let said = match end.duration_since(now) {
        Err(_) => format!("{what} has ended at {until}"),
        Ok(left) if left < SOON => format!("{what} ends in {} days, at {until}", left.as_secs() / 86_400),
        Ok(_) => return None,
    };
    Some(("certificate", said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_warned_of_thirty_days_before_they_end() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let days = |days: u64| Duration::from_secs(days * 86_400);
        let said = |end| certificate("it", end, now).map(|(_, said)| said);
        assert_eq!(said(now + days(31)), None);
        assert_eq!(said(now + days(10)).unwrap(), "it ends in 10 days, at 2023-11-24T22:13:20Z");
        assert_eq!(said(now - days(1)).unwrap(), "it has ended at 2023-11-13T22:13:20Z");
    }
}
