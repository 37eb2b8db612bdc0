use storage_core::kv::Revision;

use super::*;
use crate::EtcdConfig;

fn named(id: u64, name: &str, urls: &[&str]) -> Named {
    Named { id, name: name.to_owned(), urls: urls.iter().map(ToString::to_string).collect() }
}

/// A member with this id at this endpoint, or one that is not reached.
fn report(endpoint: &str, service: Service, revision: u64, id: Option<u64>) -> Report {
    let shared = Shared::new(&EtcdConfig::new([endpoint]).unwrap()).unwrap();
    let mut report = Report::new(&shared.members.all()[0]);
    report.health.service = service;
    report.health.member_id = id;
    report.health.revision = id.map(|_| Revision(revision));
    report
}

#[tokio::test]
async fn members_that_are_behind_or_unknown_are_told_of_and_other_addresses_of_the_same_are_not() {
    let mut leader = report("http://a:1", Service::Full, 100, Some(1));
    leader.named = vec![
        named(1, "one", &["http://10.0.0.1:1"]),
        named(2, "two", &["http://10.0.0.2:1"]),
        named(3, "three", &["http://10.0.0.3:1"]),
        named(4, "", &[]),
        named(5, "five", &["unix://elsewhere"]),
    ];
    let alone = report("http://b:1", Service::CopyOnly, 60, Some(2));
    let found = [("http://10.0.0.1:1", None), ("http://10.0.0.2:1", Some(2)), ("http://10.0.0.3:1", None)];
    let found = found.map(|(endpoint, id)| report(endpoint, Service::None, 60, id));
    let health = summary(vec![leader, alone], found.into(), None);
    let told: Vec<_> =
        health.endpoints.iter().map(|health| (health.endpoint.as_str(), health.behind)).collect();
    assert_eq!(told, [("http://a:1", 0), ("http://b:1", 40), ("http://10.0.0.3:1", 0)]);
    assert_eq!(health.unknown_members, ["4", "five"]);
    assert_eq!(health.newest_revision, Some(Revision(100)));
    assert!(health.is_serving());
}

#[tokio::test]
async fn a_member_that_serves_is_not_behind_those_that_were_asked_later() {
    let reports = vec![
        report("http://a:1", Service::Full, 100, Some(1)),
        report("http://b:1", Service::Full, 90, Some(2)),
    ];
    assert!(summary(reports, Vec::new(), None).endpoints.iter().all(|health| health.behind == 0));
}

#[tokio::test]
async fn of_what_the_members_say_about_alarms_the_most_telling_counts() {
    let raised = Alarm { kind: AlarmKind::NoSpace, member_id: 7 };
    let denied = BackendError::new(BackendErrorKind::PermissionDenied, "no");
    let lost = BackendError::new(BackendErrorKind::Unavailable, "broken");
    let answers = [Err(lost), Err(denied), Ok(vec![raised])].map(of_answer);
    assert_eq!(answers, [Alarms::Unknown, Alarms::NotPermitted, Alarms::Known(vec![raised])]);
    for count in 0..=3 {
        let reports = answers[..count].iter().map(|alarms| {
            let mut report = report("http://a:1", Service::CopyOnly, 1, Some(1));
            report.alarms = alarms.clone();
            report
        });
        let expected = answers[..count].last().unwrap_or(&Alarms::Unknown).clone();
        assert_eq!(summary(reports.collect(), Vec::new(), None).alarms, expected);
    }
}
