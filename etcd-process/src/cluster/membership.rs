use std::io;
use std::time::{Duration, Instant};

use super::EtcdCluster;
use crate::member::{Member, url};
use crate::{EtcdBinary, EtcdProcess, FaultProxy, etcdctl, ports};

impl EtcdCluster {
    /// Adds a member, which gets the last index, starts it with the settings of the others, and waits until it is
    /// healthy. It has a proxy if they have.
    ///
    /// # Errors
    ///
    /// When the members do not agree to it, or it does not become healthy in time; with the end of its log.
    pub fn add_member(&mut self) -> io::Result<usize> {
        let ports = ports::free(2)?;
        let (client_port, peer_port) = (ports[0], ports[1]);
        let index = self.len();
        let name = format!("member-{index}-at-{peer_port}");
        let peer_url = format!("--peer-urls={}", url(peer_port));
        agree(self.binary(), &self.endpoints(), &["member", "add", &name, &peer_url])?;
        let peers = self.members.iter().map(|process| {
            let member = process.member();
            format!("{}={}", member.name, url(member.peer_port))
        });
        let cluster = peers.chain([format!("{name}={}", url(peer_port))]).collect::<Vec<_>>().join(",");
        let mut member = Member {
            binary: self.binary().clone(),
            name,
            client_port,
            peer_port,
            advertised: url(client_port),
            cluster,
            flags: self.members[0].member().flags.clone(),
            tls: None,
        };
        member.flags.push("--initial-cluster-state=existing".to_owned());
        if !self.proxies.is_empty() {
            let proxy = FaultProxy::start(member.client_address())?;
            member.advertised = proxy.endpoint();
            self.proxies.push(proxy);
        }
        self.members.push(EtcdProcess::new(member)?);
        self.members[index].restart()?;
        Ok(index)
    }

    /// Removes a member from the cluster, and kills it. The members after it move up by one.
    ///
    /// # Panics
    ///
    /// When there is no such member.
    ///
    /// # Errors
    ///
    /// When the members do not agree to it.
    pub fn remove_member(&mut self, index: usize) -> io::Result<()> {
        let name = self.members[index].member().name.clone();
        let list = self.etcdctl(&["member", "list"])?;
        let id = list.lines().find_map(|line| {
            let fields: Vec<_> = line.split(", ").collect();
            (fields.get(2) == Some(&name.as_str())).then(|| fields[0].to_owned())
        });
        let id = id.ok_or_else(|| io::Error::other(format!("{name} is not among the members: {list}")))?;
        // Of the others, since it stops before it has answered.
        let mut endpoints = self.endpoints();
        endpoints.remove(index);
        agree(self.binary(), &endpoints, &["member", "remove", &id])?;
        self.members.remove(index);
        if !self.proxies.is_empty() {
            self.proxies.remove(index);
        }
        Ok(())
    }
}

/// Runs `etcdctl`, again while the members find that they have not been connected for long enough: 5 s, unless they were
/// started with `--strict-reconfig-check=false`.
fn agree(binary: &EtcdBinary, endpoints: &[String], arguments: &[&str]) -> io::Result<String> {
    let deadline = Instant::now() + EtcdProcess::START_DEADLINE;
    loop {
        match etcdctl::run(binary, endpoints, arguments) {
            Err(error) if error.to_string().contains("unhealthy cluster") && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(200));
            }
            result => return result,
        }
    }
}
