mod builder;
mod membership;

use std::io;
use std::time::{Duration, Instant};

pub use builder::EtcdClusterBuilder;

use crate::{EtcdBinary, EtcdProcess, FaultProxy, etcdctl};

/// A cluster of etcd servers on loopback ports, each with a data directory of its own.
///
/// Members are known by their index, from 0. Dropping it kills all of them and removes their directories.
#[derive(Debug)]
pub struct EtcdCluster {
    members: Vec<EtcdProcess>,
    /// One for each member, or none at all.
    proxies: Vec<FaultProxy>,
}

impl EtcdCluster {
    /// Starts a cluster of three and waits until each member is healthy and one leads.
    ///
    /// # Errors
    ///
    /// As for [`EtcdClusterBuilder::start`].
    pub fn start(binary: &EtcdBinary) -> io::Result<Self> {
        Self::builder(binary).start()
    }

    /// For settings other than the default ones.
    pub fn builder(binary: &EtcdBinary) -> EtcdClusterBuilder {
        EtcdClusterBuilder::new(binary)
    }

    /// How many members it has, running or not.
    #[expect(clippy::len_without_is_empty, reason = "no cluster is empty")]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// The program that the members run.
    pub fn binary(&self) -> &EtcdBinary {
        self.members[0].binary()
    }

    /// Where each member is reached by clients: through its proxy, if it has one.
    pub fn endpoints(&self) -> Vec<String> {
        if self.proxies.is_empty() {
            self.members.iter().map(EtcdProcess::endpoint).collect()
        } else {
            self.proxies.iter().map(FaultProxy::endpoint).collect()
        }
    }

    /// A member, to look at it or pause it.
    ///
    /// # Panics
    ///
    /// When there is no such member.
    pub fn member(&self, index: usize) -> &EtcdProcess {
        &self.members[index]
    }

    /// A member, to kill or restart it. While a majority is down, [`EtcdProcess::restart`] waits in vain: launch as many
    /// as are needed with [`EtcdProcess::launch`], then wait.
    ///
    /// # Panics
    ///
    /// When there is no such member.
    pub fn member_mut(&mut self, index: usize) -> &mut EtcdProcess {
        &mut self.members[index]
    }

    /// The proxy before the client port of a member.
    ///
    /// # Panics
    ///
    /// When there is no such member, or the cluster was started without
    /// [`with_proxies`](EtcdClusterBuilder::with_proxies).
    pub fn proxy(&self, index: usize) -> &FaultProxy {
        &self.proxies[index]
    }

    /// Which member leads, by what the members themselves say; `None` while none of them, or more than one, claims to.
    ///
    /// A member that does not answer has no say; one that does not run, or is paused, is not asked. A leader that is
    /// cut off from a majority notices after an election time-out, and claims to lead until then.
    pub fn leader(&self) -> Option<usize> {
        let mut leading = (0..self.len()).filter(|&index| leads(&self.members[index]));
        leading.next().filter(|_| leading.next().is_none())
    }

    /// Waits until exactly one member claims to [lead](Self::leader), and answers its index.
    ///
    /// # Errors
    ///
    /// When that does not come about in time; with the ends of the members' logs.
    pub fn wait_for_leader(&self, within: Duration) -> io::Result<usize> {
        const POLL_INTERVAL: Duration = Duration::from_millis(20);
        let deadline = Instant::now() + within;
        loop {
            if let Some(leader) = self.leader() {
                return Ok(leader);
            }
            if Instant::now() >= deadline {
                let logs: Vec<_> = self.members.iter().map(EtcdProcess::log).collect();
                let logs = logs.join("\n");
                return Err(io::Error::other(format!("no leader within {within:?}; the logs: {logs}")));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Runs `etcdctl` on all [`endpoints`](Self::endpoints) and answers what that printed.
    ///
    /// # Errors
    ///
    /// When it cannot be run or fails; with what it printed.
    pub fn etcdctl(&self, arguments: &[&str]) -> io::Result<String> {
        etcdctl::run(self.binary(), &self.endpoints(), arguments)
    }
}

fn leads(member: &EtcdProcess) -> bool {
    // Without the first condition, a paused member would hold up the answer.
    member.is_awake() && matches!(member.metric("etcd_server_is_leader"), Ok(Some(value)) if value > 0.0)
}
