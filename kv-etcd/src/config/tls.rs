use std::path::{Path, PathBuf};

use super::ServerVerification;

/// How connections are encrypted. Only files are named here; whether they can be read shows when they are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsConfig {
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) ca: Option<PathBuf>,
    pub(super) server_name: Option<String>,
    pub(super) verification: ServerVerification,
}

impl TlsConfig {
    /// The file with our certificate, in PEM. Given exactly when the key is.
    pub fn cert(&self) -> Option<&Path> {
        self.cert.as_deref()
    }

    /// The file with the private key of our certificate, in PEM.
    pub fn key(&self) -> Option<&Path> {
        self.key.as_deref()
    }

    /// The file with the authorities that may vouch for a server, in PEM; by default those of the system.
    pub fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// The name that a server must prove to have; by default that in the endpoint.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Whether the certificate of a server is checked.
    pub fn verification(&self) -> ServerVerification {
        self.verification
    }

    /// Whether anything differs from the defaults.
    pub(crate) fn is_set(&self) -> bool {
        *self != Self::default()
    }
}
