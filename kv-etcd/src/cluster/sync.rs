//! Who the members are, as the cluster says.

use std::sync::Arc;

use storage_core::kv::{BackendError, BackendErrorKind};
use tokio::time::timeout;

use super::Shared;
use super::hedge::Attempt;
use super::member::{Member, Origin};
use super::notes::Notes;
use super::probe;
use crate::error::from_client;
use crate::observe;

impl Shared {
    /// Takes in the members that have come, and lets those go that it took in and that have left. While the cluster does
    /// not say who they are, everything stays.
    pub(super) async fn sync(&self) {
        let notes = Notes::new("members");
        let named = timeout(self.request_timeout, self.hedge(&notes, client_urls)).await;
        let Ok(Ok((_, named))) = named else { return };
        for gone in self.members.remove(|member| is_gone(member, &named)) {
            gone.end();
            observe::member_removed(gone.endpoint());
        }
        for endpoint in named {
            if let Some(member) = self.newcomer(&endpoint).await {
                observe::member_found(member.endpoint());
                self.members.add(member);
            }
        }
        // For those who begin to look later than the members changed.
        for member in self.members.all() {
            observe::member_well(member.endpoint(), member.is_well());
        }
    }

    /// The member at this address, if it is of use.
    async fn newcomer(&self, endpoint: &str) -> Option<Arc<Member>> {
        let known = self.members.all();
        let is_known = known.iter().any(|known| trimmed(known.endpoint()) == endpoint);
        if is_known || !is_allowed(endpoint, &self.endpoints) {
            return None;
        }
        let member = Arc::new(self.member(endpoint, Origin::Found));
        let ask = |attempt| probe::ask(attempt, &self.probe_key);
        let answer = timeout(self.dial_timeout, self.attempt(&member, self.silence, || {}, ask)).await;
        // Many addresses are for others than us: those of containers, those behind a firewall.
        let is_reached = matches!(answer, Ok(Ok(())));
        // One that is reached under another name already would be asked twice.
        let is_new = !known.iter().any(|known| known.is_well() && known.id() == member.id());
        (is_reached && is_new).then_some(member)
    }
}

/// Never in plain text where the settings name encrypted endpoints alone.
pub(super) fn is_allowed(endpoint: &str, configured: &[String]) -> bool {
    let is_encrypted = |endpoint: &str| endpoint.starts_with("https://");
    let is_plain_allowed = || !configured.iter().all(|configured| is_encrypted(configured));
    is_encrypted(endpoint) || endpoint.starts_with("http://") && is_plain_allowed()
}

/// The addresses that the members serve clients at: those that have started, and that serve at all.
async fn client_urls(attempt: Attempt) -> Result<Vec<String>, BackendError> {
    let Attempt { handles, witness, .. } = attempt;
    let answer = handles.cluster.clone().member_list().await.map_err(from_client)?;
    witness.check_cluster(answer.header())?;
    let serving = answer.members().iter().filter(|member| !member.name().is_empty() && !member.is_learner());
    let urls: Vec<_> =
        serving.flat_map(|member| member.client_urls().iter().map(|url| trimmed(url).to_owned())).collect();
    if urls.is_empty() {
        return Err(BackendError::new(BackendErrorKind::Internal, "unexpected: a cluster without members"));
    }
    Ok(urls)
}

fn is_gone(member: &Member, named: &[String]) -> bool {
    member.origin() == Origin::Found && !named.iter().any(|named| named == trimmed(member.endpoint()))
}

pub(super) fn trimmed(endpoint: &str) -> &str {
    endpoint.trim_end_matches('/')
}

#[cfg(test)]
mod tests;
