/// A setting that can be written down. What cannot be mixed up by spelling has one table: this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Endpoints,
    KeyPrefix,
    LockTimeout,
    Caddyfile,
    DisableCaddyfileLoad,
    TlsCert,
    TlsKey,
    TlsCa,
    TlsServerName,
    TlsSkipVerify,
    Username,
    Password,
    DialTimeout,
    KeepaliveTime,
    KeepaliveTimeout,
    AutoSyncInterval,
    RequestTimeout,
    RejectOldCluster,
    MaxRequestBytes,
    MaxTxnOps,
    MaxRequestsPerSecond,
    RequestBurst,
}

/// How many arguments the option of a setting takes in a Caddyfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arity {
    One,
    OneOrMore,
    /// None for true, or one.
    Flag,
}

use Setting as S;

impl Setting {
    pub(super) const ALL: [Self; 22] = [
        S::Endpoints,
        S::KeyPrefix,
        S::LockTimeout,
        S::Caddyfile,
        S::DisableCaddyfileLoad,
        S::TlsCert,
        S::TlsKey,
        S::TlsCa,
        S::TlsServerName,
        S::TlsSkipVerify,
        S::Username,
        S::Password,
        S::DialTimeout,
        S::KeepaliveTime,
        S::KeepaliveTimeout,
        S::AutoSyncInterval,
        S::RequestTimeout,
        S::RejectOldCluster,
        S::MaxRequestBytes,
        S::MaxTxnOps,
        S::MaxRequestsPerSecond,
        S::RequestBurst,
    ];

    /// The groups that settings stand in.
    pub(super) const GROUPS: [&'static str; 3] = ["tls", "auth", "connection"];

    /// The group with the secrets: what stands in it is not repeated in errors.
    pub(super) const SECRET_GROUP: &'static str = "auth";

    /// Its name in JSON and in a Caddyfile, after the group that it stands in.
    pub(super) fn path(self) -> &'static str {
        self.names().0
    }

    /// The environment variable.
    pub(super) fn variable(self) -> &'static str {
        self.names().1
    }

    pub(super) fn arity(self) -> Arity {
        match self {
            S::Endpoints => Arity::OneOrMore,
            S::DisableCaddyfileLoad | S::TlsSkipVerify | S::RejectOldCluster => Arity::Flag,
            _ => Arity::One,
        }
    }

    /// The setting of this name in a group, or outside the groups.
    pub(super) fn find(group: Option<&str>, name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|setting| setting.group_and_name() == (group, name))
    }

    /// The names of the settings and groups that may stand here, for those who wrote another one.
    pub(super) fn names_in(group: Option<&str>) -> String {
        let settings = Self::ALL.into_iter().map(Self::group_and_name);
        let mut names: Vec<_> = settings.filter(|(of, _)| *of == group).map(|(_, name)| name).collect();
        if group.is_none() {
            names.extend(Self::GROUPS);
        }
        names.join(", ")
    }

    fn group_and_name(self) -> (Option<&'static str>, &'static str) {
        match self.path().split_once('.') {
            Some((group, name)) => (Some(group), name),
            None => (None, self.path()),
        }
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            S::Endpoints => ("endpoints", "CADDY_CLUSTERING_ETCD_SERVERS"),
            S::KeyPrefix => ("key_prefix", "CADDY_CLUSTERING_ETCD_PREFIX"),
            S::LockTimeout => ("lock_timeout", "CADDY_CLUSTERING_ETCD_TIMEOUT"),
            S::Caddyfile => ("caddyfile", "CADDY_CLUSTERING_ETCD_CADDYFILE"),
            S::DisableCaddyfileLoad => ("disable_caddyfile_load", "CADDY_CLUSTERING_ETCD_CADDYFILE_LOADER"),
            S::TlsCert => ("tls.cert", "CADDY_CLUSTERING_ETCD_TLS_CERT"),
            S::TlsKey => ("tls.key", "CADDY_CLUSTERING_ETCD_TLS_KEY"),
            S::TlsCa => ("tls.ca", "CADDY_CLUSTERING_ETCD_TLS_CA"),
            S::TlsServerName => ("tls.server_name", "CADDY_CLUSTERING_ETCD_TLS_SERVER_NAME"),
            S::TlsSkipVerify => ("tls.skip_verify", "CADDY_CLUSTERING_ETCD_TLS_SKIP_VERIFY"),
            S::Username => ("auth.username", "CADDY_CLUSTERING_ETCD_USERNAME"),
            S::Password => ("auth.password", "CADDY_CLUSTERING_ETCD_PASSWORD"),
            S::DialTimeout => ("connection.dial_timeout", "CADDY_CLUSTERING_ETCD_DIAL_TIMEOUT"),
            S::KeepaliveTime => ("connection.keepalive_time", "CADDY_CLUSTERING_ETCD_KEEPALIVE_TIME"),
            S::KeepaliveTimeout => {
                ("connection.keepalive_timeout", "CADDY_CLUSTERING_ETCD_KEEPALIVE_TIMEOUT")
            }
            S::AutoSyncInterval => ("connection.auto_sync_interval", "CADDY_CLUSTERING_ETCD_AUTO_SYNC"),
            S::RequestTimeout => ("connection.request_timeout", "CADDY_CLUSTERING_ETCD_REQUEST_TIMEOUT"),
            S::RejectOldCluster => ("connection.reject_old_cluster", "CADDY_CLUSTERING_ETCD_REJECT_OLD"),
            S::MaxRequestBytes => ("connection.max_request_bytes", "CADDY_CLUSTERING_ETCD_MAX_REQUEST_BYTES"),
            S::MaxTxnOps => ("connection.max_txn_ops", "CADDY_CLUSTERING_ETCD_MAX_TXN_OPS"),
            S::MaxRequestsPerSecond => {
                ("connection.max_requests_per_second", "CADDY_CLUSTERING_ETCD_MAX_REQUESTS_PER_SECOND")
            }
            S::RequestBurst => ("connection.request_burst", "CADDY_CLUSTERING_ETCD_REQUEST_BURST"),
        }
    }
}
