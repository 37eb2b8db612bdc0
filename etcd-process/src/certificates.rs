use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use tempfile::TempDir;

/// A certificate authority of a test's own. What it issues lies in a folder that goes when nobody holds any of it.
#[derive(Debug)]
pub struct TestAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    ca: PathBuf,
    folder: Arc<TempDir>,
}

/// The files with a certificate and its private key, both in PEM.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CertificateFiles {
    /// The certificate.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
    _folder: Arc<TempDir>,
}

/// What a [`TestAuthority`] is to certify.
#[derive(Clone, Debug)]
pub struct TestCertificate {
    common_name: String,
    hosts: Vec<String>,
    last_year: i32,
    /// Counts instead, from now on.
    days: Option<u64>,
}

impl TestAuthority {
    /// An authority that nobody knows yet. All have the same name, and different keys.
    ///
    /// # Errors
    ///
    /// When its files cannot be written.
    pub fn new() -> io::Result<Self> {
        let mut params = params("kvfs test authority", Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(failed)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(failed)?;
        let folder = Arc::new(tempfile::Builder::new().prefix("authority-").tempdir()?);
        let ca = folder.path().join("ca.pem");
        fs::write(&ca, issuer.pem())?;
        Ok(Self { issuer, ca, folder })
    }

    /// The file with its own certificate.
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    /// Certifies this. The file names begin with the common name, and are different each time.
    ///
    /// # Errors
    ///
    /// When a host is no name or address, or the files cannot be written.
    pub fn issue(&self, certificate: TestCertificate) -> io::Result<CertificateFiles> {
        let TestCertificate { common_name, hosts, last_year, days } = certificate;
        let mut params = params(&common_name, hosts)?;
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = match days {
            Some(days) => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(failed)?;
                date_time_ymd(1970, 1, 1) + now + Duration::from_secs(days * 86_400)
            }
            None => date_time_ymd(last_year, 12, 31),
        };
        // A server is its own client: etcd's HTTP gateway calls the member that it is part of.
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        let folder = tempfile::Builder::new().prefix(&common_name).tempdir_in(self.folder.path())?.keep();
        let (cert, key_file) = (folder.join("cert.pem"), folder.join("key.pem"));
        fs::write(&cert, certificate.pem())?;
        fs::write(&key_file, key.serialize_pem())?;
        Ok(CertificateFiles { cert, key: key_file, _folder: Arc::clone(&self.folder) })
    }
}

impl TestCertificate {
    /// One for a server on loopback.
    pub fn server() -> Self {
        Self::client("server").with_hosts(["127.0.0.1", "localhost"])
    }

    /// One for a client of this name. A server whose users have names takes it for the user of that name.
    pub fn client(common_name: &str) -> Self {
        Self { common_name: common_name.to_owned(), hosts: Vec::new(), last_year: 2999, days: None }
    }

    /// For these host names and addresses.
    pub fn with_hosts<H: Into<String>>(mut self, hosts: impl IntoIterator<Item = H>) -> Self {
        self.hosts = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// Valid for so many days from now on.
    pub fn valid_for(mut self, days: u64) -> Self {
        self.days = Some(days);
        self
    }

    /// Valid until the end of 2020.
    pub fn expired(mut self) -> Self {
        self.last_year = 2020;
        self
    }
}

fn params(common_name: &str, hosts: Vec<String>) -> io::Result<CertificateParams> {
    let mut params = CertificateParams::new(hosts).map_err(failed)?;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, common_name);
    Ok(params)
}

fn failed(error: impl Display) -> io::Error {
    io::Error::other(format!("a certificate cannot be made: {error}"))
}
