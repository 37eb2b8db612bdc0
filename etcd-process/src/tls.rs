use std::path::{Path, PathBuf};

use crate::CertificateFiles;

/// How an [`EtcdProcess`](crate::EtcdProcess) encrypts what it says to clients.
#[derive(Clone, Debug)]
pub struct EtcdTls {
    server: CertificateFiles,
    client_authority: Option<PathBuf>,
}

impl EtcdTls {
    /// The server has this certificate, and clients need none.
    pub fn new(server: &CertificateFiles) -> Self {
        Self { server: server.clone(), client_authority: None }
    }

    /// Clients need a certificate of the authority in this file.
    pub fn with_client_authority(mut self, ca: &Path) -> Self {
        self.client_authority = Some(ca.to_owned());
        self
    }

    pub(crate) fn flags(&self) -> Vec<String> {
        let mut flags = vec![
            format!("--cert-file={}", self.server.cert.display()),
            format!("--key-file={}", self.server.key.display()),
        ];
        if let Some(ca) = &self.client_authority {
            flags.extend(["--client-cert-auth".to_owned(), format!("--trusted-ca-file={}", ca.display())]);
        }
        flags
    }
}
