//! Asks every member how it is. `status` would tell more, and is denied to most users.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use etcd_client::{AlarmAction, AlarmMember, AlarmType, GetOptions, GetResponse, ResponseHeader};
use futures::stream::{FuturesUnordered, StreamExt};
use storage_core::kv::{BackendError, BackendErrorKind, Key};
use tokio::time::Instant;

use super::Shared;
use super::history::Witness;
use super::member::{Connection, Member, Origin};
use super::notes::text;
use super::sync::{is_allowed, trimmed};
use crate::bounds::revision;
use crate::deadline::within;
use crate::error::from_client;
use crate::health::{Alarm, AlarmKind, Alarms, EndpointHealth, EtcdHealth, Service};

/// A member as the cluster names it.
#[derive(Clone)]
struct Named {
    id: u64,
    /// Empty if it has not started.
    name: String,
    /// Where it says that it serves clients.
    urls: Vec<String>,
}

/// What a member has said.
struct Report {
    health: EndpointHealth,
    alarms: Alarms,
    /// The members of the cluster.
    named: Vec<Named>,
}

impl Shared {
    pub(super) async fn health(&self) -> EtcdHealth {
        let deadline = Instant::now() + self.dial_timeout;
        let mut asked: Vec<_> = self.members.all();
        asked.sort_by_key(|member| self.endpoints.iter().position(|known| known == member.endpoint()));
        // Those that the cluster took in come last, and not first.
        asked.sort_by_key(|member| member.origin() == Origin::Found);
        let ask = |place: usize, member: Arc<Member>| async move {
            (place, Box::pin(self.ask(&member, deadline)).await)
        };
        let mut asking: FuturesUnordered<_> =
            asked.iter().cloned().enumerate().map(|(place, member)| ask(place, member)).collect();
        let mut reports = Vec::new();
        while let Some((place, report)) = asking.next().await {
            for url in report.named.iter().flat_map(|named| &named.urls) {
                let is_known = asked.iter().any(|known| trimmed(known.endpoint()) == url.as_str());
                if !is_known && is_allowed(url, &self.endpoints) {
                    let member = Arc::new(self.member(url, Origin::Found));
                    asked.push(Arc::clone(&member));
                    asking.push(ask(asked.len() - 1, member));
                }
            }
            reports.push((place, report));
        }
        reports.sort_by_key(|(place, _)| *place);
        let known = self.members.count();
        let (known, found): (Vec<_>, Vec<_>) = reports.into_iter().partition(|(place, _)| *place < known);
        let strip = |reports: Vec<(usize, Report)>| reports.into_iter().map(|(_, report)| report).collect();
        summary(strip(known), strip(found), self.connector.client_certificate_end())
    }

    /// Asks one member, and notes nothing about it: whether it is used is decided by the calls that others make.
    async fn ask(&self, member: &Arc<Member>, deadline: Instant) -> Report {
        let connection = member.connection();
        let mut report = Report::new(member);
        let read = self.read(member, &connection, &mut report.health, deadline).await;
        if let Err(error) = read {
            let said = text(&error);
            report.health.problem = Some(said.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        report.health.certificate_end = connection.link.certificate_end();
        if report.health.service != Service::None {
            let (alarms, named) = tokio::join!(alarms(&connection, deadline), named(&connection, deadline));
            (report.alarms, report.named) = (alarms, named);
        }
        report
    }

    /// Reads from its own copy, which makes the connection, and then with its leader.
    async fn read(
        &self,
        member: &Arc<Member>,
        connection: &Connection,
        health: &mut EndpointHealth,
        deadline: Instant,
    ) -> Result<(), BackendError> {
        let key = &self.probe_key;
        let witness = Witness::new(&self.history, member);
        let own = connection.link.inquire(async |handles| read(handles.kv, key, Reads::OwnCopy).await);
        let own = within(until(deadline), "connecting", own).await?;
        shows(health, own.header());
        witness.check_cluster(own.header())?;
        health.service = Service::CopyOnly;
        let begin = Instant::now();
        let newest = connection.link.call(async |handles| read(handles.kv.clone(), key, Reads::Newest).await);
        let newest =
            within(until(deadline), "it serves its own copy only, asking the leader", newest).await?;
        health.latency = Some(begin.elapsed());
        shows(health, newest.header());
        if let Err(error) = witness.check(newest.header()) {
            health.service = Service::None;
            return Err(error);
        }
        health.service = Service::Full;
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    OwnCopy,
    Newest,
}

async fn read(mut kv: etcd_client::KvClient, key: &Key, reads: Reads) -> Result<GetResponse, BackendError> {
    let options = GetOptions::new().with_keys_only();
    let options = if reads == Reads::OwnCopy { options.with_serializable() } else { options };
    kv.get(key.as_bytes(), Some(options)).await.map_err(from_client)
}

async fn alarms(connection: &Connection, deadline: Instant) -> Alarms {
    let ask = connection.link.inquire(async |mut handles| {
        let answer = handles.maintenance.alarm(AlarmAction::Get, AlarmType::None, None).await;
        answer.map_err(from_client)
    });
    let answer = within(until(deadline), "alarms", ask).await;
    of_answer(answer.map(|answer| answer.alarms().iter().map(alarm).collect()))
}

fn of_answer(answer: Result<Vec<Alarm>, BackendError>) -> Alarms {
    match answer {
        Ok(raised) => Alarms::Known(raised),
        Err(error) if error.kind() == BackendErrorKind::PermissionDenied => Alarms::NotPermitted,
        Err(_) => Alarms::Unknown,
    }
}

fn alarm(raised: &AlarmMember) -> Alarm {
    let kind = match raised.alarm() {
        AlarmType::Nospace => AlarmKind::NoSpace,
        AlarmType::Corrupt => AlarmKind::Corrupt,
        AlarmType::None => AlarmKind::Other,
    };
    Alarm { kind, member_id: raised.member_id() }
}

/// The members that it knows of; none if it does not say.
async fn named(connection: &Connection, deadline: Instant) -> Vec<Named> {
    let ask =
        connection.link.inquire(async |mut handles| handles.cluster.member_list().await.map_err(from_client));
    let answer = within(until(deadline), "members", ask).await;
    let answer = answer.as_ref().map(etcd_client::MemberListResponse::members).unwrap_or_default();
    let named = |member: &etcd_client::Member| Named {
        id: member.id(),
        name: member.name().to_owned(),
        urls: member.client_urls().iter().map(|url| trimmed(url).to_owned()).collect(),
    };
    // A learner serves nobody yet.
    answer.iter().filter(|member| !member.is_learner()).map(named).collect()
}

fn until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn shows(health: &mut EndpointHealth, header: Option<&ResponseHeader>) {
    let Some(header) = header else { return };
    health.revision = Some(revision(header.revision())).max(health.revision);
    health.raft_term = Some(header.raft_term());
    health.member_id = Some(header.member_id());
    health.cluster_id = Some(header.cluster_id());
}

impl Report {
    fn new(member: &Member) -> Self {
        let health = EndpointHealth {
            endpoint: trimmed(member.endpoint()).to_owned(),
            service: Service::None,
            latency: None,
            problem: None,
            revision: None,
            behind: 0,
            raft_term: None,
            member_id: None,
            cluster_id: None,
            certificate_end: None,
            is_avoided: !member.is_well(),
        };
        Self { health, alarms: Alarms::Unknown, named: Vec::new() }
    }
}

/// What all say together: those that were known, and those that they have named.
fn summary(
    mut reports: Vec<Report>,
    found: Vec<Report>,
    client_certificate_end: Option<SystemTime>,
) -> EtcdHealth {
    // Who has a leader knows the others better than who has none.
    let naming =
        |service| reports.iter().find(|report| report.health.service == service && !report.named.is_empty());
    let naming = naming(Service::Full).or_else(|| naming(Service::CopyOnly));
    let named = naming.map(|report| report.named.clone()).unwrap_or_default();
    for report in found {
        let named = named.iter().find(|named| named.urls.contains(&report.health.endpoint));
        let id = report.health.member_id.or(named.map(|named| named.id));
        // Many addresses are for others than us. A member that is reached under another one needs no second.
        let is_reached = |known: &Report| known.health.member_id.is_some() && known.health.member_id == id;
        if !reports.iter().any(is_reached) {
            reports.push(report);
        }
    }
    let is_told = |named: &Named| {
        reports
            .iter()
            .map(|report| &report.health)
            .any(|health| health.member_id == Some(named.id) || named.urls.contains(&health.endpoint))
    };
    let name = |named: &Named| match named.name.as_str() {
        "" => format!("{:x}", named.id),
        name => name.to_owned(),
    };
    let unknown_members = named.iter().filter(|named| !is_told(named)).map(name).collect();
    let alarms = reports.iter().map(|report| &report.alarms);
    let alarms = alarms.min_by_key(|alarms| match alarms {
        Alarms::Known(_) => 0,
        Alarms::NotPermitted => 1,
        Alarms::Unknown => 2,
    });
    let alarms = alarms.cloned().unwrap_or(Alarms::Unknown);
    let newest_revision = reports.iter().filter_map(|report| report.health.revision).max();
    let mut endpoints: Vec<_> = reports.into_iter().map(|report| report.health).collect();
    for endpoint in endpoints.iter_mut().filter(|endpoint| endpoint.service == Service::CopyOnly) {
        let (newest, own) = (newest_revision.unwrap_or_default(), endpoint.revision.unwrap_or_default());
        endpoint.behind = newest.0.saturating_sub(own.0);
    }
    EtcdHealth { endpoints, unknown_members, alarms, newest_revision, client_certificate_end }
}

#[cfg(test)]
mod tests;
