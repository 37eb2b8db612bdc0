use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{EtcdBinary, EtcdTls};

/// What one server is started with, each time the same.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) binary: EtcdBinary,
    pub(crate) name: String,
    pub(crate) client_port: u16,
    pub(crate) peer_port: u16,
    /// How the client port is encrypted, and another one that is not.
    pub(crate) tls: Option<(EtcdTls, u16)>,
    /// The URL that clients are told of: its own one, or that of a proxy.
    pub(crate) advertised: String,
    /// The names and peer URLs of all members.
    pub(crate) cluster: String,
    /// More flags. They come last, so that they win.
    pub(crate) flags: Vec<String>,
}

impl Member {
    pub(crate) fn client_address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.client_port))
    }

    /// Where it serves clients.
    pub(crate) fn client_url(&self) -> String {
        let url = url(self.client_port);
        if self.tls.is_some() { url.replacen("http", "https", 1) } else { url }
    }

    /// The port where it speaks plain text.
    pub(crate) fn plain_port(&self) -> u16 {
        self.tls.as_ref().map_or(self.client_port, |(_, port)| *port)
    }

    /// The command that runs it, with its data and log in `folder`.
    pub(crate) fn command(&self, folder: &Path) -> io::Result<Command> {
        let log = File::options().create(true).append(true).open(folder.join("log"))?;
        let (mut client, peer) = (self.client_url(), url(self.peer_port));
        let mut tls_flags = Vec::new();
        if let Some((tls, plain_port)) = &self.tls {
            client = format!("{client},{}", url(*plain_port));
            tls_flags = tls.flags();
        }
        let mut command = Command::new(&self.binary.path);
        // etcd takes every variable of this name for a setting, `ETCD_BIN` of our own included.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ETCD_")) {
            command.env_remove(name);
        }
        command
            .args(["--logger=zap", "--log-level=warn"])
            .arg(format!("--name={}", self.name))
            .arg(format!("--data-dir={}", folder.join("data").display()))
            .arg(format!("--listen-client-urls={client}"))
            .arg(format!("--advertise-client-urls={}", self.advertised))
            .arg(format!("--listen-peer-urls={peer}"))
            .arg(format!("--initial-advertise-peer-urls={peer}"))
            .arg(format!("--initial-cluster={}", self.cluster))
            .args(tls_flags)
            .args(&self.flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }
}

pub(crate) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
