use std::sync::Arc;
use std::time::SystemTime;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, Error, InconsistentKeys, RootCertStore};

use super::diagnosis::Diagnosis;
use super::pem;
use super::skip_verify::SkipVerify;
use super::validity;
use crate::{ServerVerification, TlsConfig};

/// How connections are encrypted. Clones share the sessions that can be resumed.
#[derive(Clone)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
    pub(super) diagnosis: Diagnosis,
    /// Until when our certificate is valid, if we have one.
    pub(super) client_certificate_end: Option<SystemTime>,
}

impl Tls {
    /// Reads the files. An error names the setting and the file.
    pub(super) fn new(settings: &TlsConfig) -> Result<Self, String> {
        // Named here: the process's default belongs to the program that we are part of.
        let provider = Arc::new(default_provider());
        let verifier = verifier(settings, &provider)?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| format!("tls: {error}"))?
            // Not dangerous in itself: it is the usual one unless `tls.skip_verify` is set.
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut client_certificate_end = None;
        let mut config = match (settings.cert(), settings.key()) {
            (Some(cert), Some(key)) => {
                let chain = pem::certificates("tls.cert", cert)?;
                client_certificate_end = chain.first().and_then(validity::end_of);
                let private_key = pem::private_key("tls.key", key)?;
                config.with_client_auth_cert(chain, private_key).map_err(|error| match error {
                    Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => format!(
                        "tls.key: the key in {} does not belong to the certificate in {}",
                        key.display(),
                        cert.display()
                    ),
                    Error::InvalidCertificate(_) => {
                        format!("tls.cert: the certificate in {} is not valid", cert.display())
                    }
                    _ => format!("tls.key: the key in {} is of no kind that can be used", key.display()),
                })?
            }
            _ => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let server_name = settings.server_name().map(|name| {
            server_name(name).ok_or_else(|| "tls.server_name: it is no host name or address".to_owned())
        });
        let diagnosis = Diagnosis { has_cert: settings.cert().is_some(), has_ca: settings.ca().is_some() };
        let server_name = server_name.transpose()?;
        Ok(Self { config: Arc::new(config), server_name, diagnosis, client_certificate_end })
    }

    pub(super) fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.config))
    }

    /// The name that the server at this host must prove to have, if the host has one at all.
    pub(super) fn server_name(&self, host: &str) -> Option<ServerName<'static>> {
        self.server_name.clone().or_else(|| server_name(host))
    }
}

fn server_name(host: &str) -> Option<ServerName<'static>> {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(host.to_owned()).ok()
}

fn verifier(
    settings: &TlsConfig,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, String> {
    if settings.verification() == ServerVerification::Skipped {
        return Ok(Arc::new(SkipVerify::new(Arc::clone(provider))));
    }
    let roots = roots(settings)?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    let verifier = verifier.map_err(|error| format!("tls.ca: {error}"))?;
    Ok(verifier)
}

/// The authorities that may vouch for servers.
fn roots(settings: &TlsConfig) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if let Some(ca) = settings.ca() {
        for certificate in pem::certificates("tls.ca", ca)? {
            roots.add(certificate).map_err(|_| {
                format!("tls.ca: there is a certificate in {} that is not valid", ca.display())
            })?;
        }
    } else {
        // Some of a system's certificates may be unreadable to us; the others serve.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err("tls.ca: it is not set, and this system knows no authorities".to_owned());
        }
    }
    Ok(roots)
}
