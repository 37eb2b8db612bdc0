use std::io;

use super::EtcdCluster;
use crate::member::{Member, url};
use crate::{EtcdBinary, EtcdProcess, FaultProxy, ports};

/// How an [`EtcdCluster`] is started.
#[derive(Clone, Debug)]
pub struct EtcdClusterBuilder {
    binary: EtcdBinary,
    members: usize,
    flags: Vec<String>,
    links: Links,
}

#[derive(Clone, Copy, Debug)]
enum Links {
    Direct,
    Proxied,
}

impl EtcdClusterBuilder {
    pub(super) fn new(binary: &EtcdBinary) -> Self {
        // Said aloud, so that what tests rely on does not change with a version of etcd.
        let flags = ["--heartbeat-interval=100", "--election-timeout=1000"].map(str::to_owned).into();
        Self { binary: binary.clone(), members: 3, flags, links: Links::Direct }
    }

    /// Of how many members, instead of three. The number must be odd.
    pub fn with_members(mut self, members: usize) -> Self {
        self.members = members;
        self
    }

    /// Adds a command-line flag to each member; of two with one name the later one counts. Unless they are given, the
    /// cluster has `--heartbeat-interval=100` and `--election-timeout=1000` (milliseconds).
    pub fn with_flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// Puts a [`FaultProxy`] before the client port of each member, and lets the members advertise the proxies. The
    /// links between members stay direct.
    pub fn with_proxies(mut self) -> Self {
        self.links = Links::Proxied;
        self
    }

    /// Starts all members at once and waits until each is healthy and one leads.
    ///
    /// # Errors
    ///
    /// When the number of members is even, or a member cannot be run or does not become healthy in time; with the end
    /// of its log.
    pub fn start(self) -> io::Result<EtcdCluster> {
        if self.members.is_multiple_of(2) {
            let message = format!("a cluster has an odd number of members, not {}", self.members);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        ports::retry(|| self.attempt())
    }

    fn attempt(&self) -> io::Result<EtcdCluster> {
        let ports = ports::free(2 * self.members)?;
        let (client_ports, peer_ports) = ports.split_at(self.members);
        let names: Vec<_> = (0..self.members).map(|index| format!("member-{index}")).collect();
        let peers = names.iter().zip(peer_ports).map(|(name, &port)| format!("{name}={}", url(port)));
        let peers = peers.collect::<Vec<_>>().join(",");

        let mut cluster = EtcdCluster { members: Vec::new(), proxies: Vec::new() };
        for ((name, &client_port), &peer_port) in names.into_iter().zip(client_ports).zip(peer_ports) {
            let mut member = Member {
                binary: self.binary.clone(),
                name,
                client_port,
                peer_port,
                tls: None,
                advertised: url(client_port),
                cluster: peers.clone(),
                flags: self.flags.clone(),
            };
            if let Links::Proxied = self.links {
                let proxy = FaultProxy::start(member.client_address())?;
                member.advertised = proxy.endpoint();
                cluster.proxies.push(proxy);
            }
            cluster.members.push(EtcdProcess::new(member)?);
        }
        // None becomes healthy alone.
        cluster.members.iter_mut().try_for_each(EtcdProcess::launch)?;
        cluster.members.iter_mut().try_for_each(EtcdProcess::wait_until_healthy)?;
        cluster.wait_for_leader(EtcdProcess::START_DEADLINE)?;
        Ok(cluster)
    }
}
