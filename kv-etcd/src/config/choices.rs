//! Settings that are one thing or the other.

/// Whether the certificate of a server is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ServerVerification {
    /// It is: a server that cannot prove who it is gets nothing.
    #[default]
    Required,
    /// It is not: anybody between us and the server can read and change everything.
    Skipped,
}

/// Whether Caddy may load a Caddyfile from the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CaddyfileLoading {
    /// It may.
    #[default]
    Enabled,
    /// It may not.
    Disabled,
}

/// What to do about members whose data is behind that of the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OldClusters {
    /// They are not used.
    #[default]
    Rejected,
    /// They are used.
    Accepted,
}
