//! Certificates and keys in files. Problems are told with the setting and the file, and nothing of what is in it.

use std::fs;
use std::path::Path;

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The certificates in a file; at least one.
pub(super) fn certificates(setting: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let content = read(setting, file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(format!("{setting}: there is no certificate in {}", file.display())),
        Err(_) => Err(format!("{setting}: {} is no valid PEM", file.display())),
    }
}

/// The first private key in a file.
pub(super) fn private_key(setting: &str, file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let content = read(setting, file)?;
    PrivateKeyDer::from_pem_slice(&content).map_err(|_| {
        let file = file.display();
        // PKCS #8 says it in the first line, older formats in the second.
        if content.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED) {
            format!("{setting}: the key in {file} is encrypted; decrypt it, for instance with `openssl pkey`")
        } else {
            format!("{setting}: there is no private key in {file}")
        }
    })
}

const ENCRYPTED: &[u8] = b"ENCRYPTED";

fn read(setting: &str, file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("{setting}: {} cannot be read: {error}", file.display()))
}
