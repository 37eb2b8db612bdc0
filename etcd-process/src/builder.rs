use std::io;

use crate::member::{Member, url};
use crate::{EtcdBinary, EtcdProcess, EtcdTls, ports};

/// How an [`EtcdProcess`] is started.
#[derive(Clone, Debug)]
pub struct EtcdBuilder {
    binary: EtcdBinary,
    flags: Vec<String>,
    tls: Option<EtcdTls>,
}

impl EtcdBuilder {
    pub(crate) fn new(binary: &EtcdBinary) -> Self {
        Self { binary: binary.clone(), flags: Vec::new(), tls: None }
    }

    /// Adds a command-line flag, for instance `--max-request-bytes=65536`.
    pub fn with_flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// Encrypts the port for clients. Beside it, it gets one that is not: see
    /// [`EtcdProcess::plain_endpoint`].
    pub fn with_tls(mut self, tls: EtcdTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Starts it and waits until it is healthy.
    ///
    /// # Errors
    ///
    /// When it cannot be run, or does not become healthy in time; with the end of its log.
    pub fn start(self) -> io::Result<EtcdProcess> {
        ports::retry(|| {
            let ports = ports::free(3)?;
            let (client_port, peer_port) = (ports[0], ports[1]);
            let mut member = Member {
                binary: self.binary.clone(),
                name: "member".to_owned(),
                client_port,
                peer_port,
                tls: self.tls.clone().map(|tls| (tls, ports[2])),
                advertised: String::new(),
                cluster: format!("member={}", url(peer_port)),
                flags: self.flags.clone(),
            };
            member.advertised = member.client_url();
            let mut process = EtcdProcess::new(member)?;
            process.restart()?;
            Ok(process)
        })
    }
}
