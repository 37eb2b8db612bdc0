//! A tree as a server with an ACME client keeps it: certmagic's layout, real keys and certificates.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::json;

/// The directory of the certificate authority.
pub(super) const ISSUER: &str = "acme-v02.api.letsencrypt.org-directory";

/// What was made.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) files: usize,
    pub(super) bytes: usize,
    /// One of the sites.
    pub(super) example: String,
}

/// Makes the tree in a folder.
pub(super) fn generate(root: &Path, domains: usize) -> Result<Tree> {
    let mut writer = Writer { root, files: 0, bytes: 0 };
    let authority = authority()?;
    account(&mut writer)?;
    let names: Vec<String> = (0..domains).map(domain).collect();
    for name in &names {
        site(&mut writer, name, &authority)?;
    }
    writer.write("last_clean.json", json!({ "timestamp": "2026-01-01T00:00:00Z" }).to_string())?;
    let example = names.into_iter().next().context("a tree has at least one site")?;
    Ok(Tree { files: writer.files, bytes: writer.bytes, example })
}

/// Names of different lengths and depths, some of which continue others.
fn domain(number: usize) -> String {
    let kind = ["shop", "www", "api", "mail", "wildcard_", "static-cdn"][number % 6];
    let tld = ["example", "example.com", "example-b.org", "test"][number % 4];
    format!("{kind}.site{number:04}.{tld}")
}

fn authority() -> Result<Issuer<'static, KeyPair>> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "kvfs demo authority");
    Ok(Issuer::new(params, KeyPair::generate()?))
}

fn account(writer: &mut Writer<'_>) -> Result<()> {
    let folder = format!("acme/{ISSUER}/users/admin@example.com");
    let record =
        json!({ "status": "valid", "contact": ["mailto:admin@example.com"], "termsOfServiceAgreed": true });
    writer.write(&format!("{folder}/admin.json"), format!("{record:#}"))?;
    writer.write(&format!("{folder}/admin.key"), KeyPair::generate()?.serialize_pem())
}

fn site(writer: &mut Writer<'_>, domain: &str, authority: &Issuer<'_, KeyPair>) -> Result<()> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([domain.replace('_', "x")])?;
    params.distinguished_name.push(DnType::CommonName, domain);
    let certificate = params.signed_by(&key, authority)?;
    let record =
        json!({ "sans": [domain], "issuer_data": { "url": format!("https://ca.example/cert/{domain}") } });
    let folder = format!("certificates/{ISSUER}/{domain}");
    writer.write(&format!("{folder}/{domain}.crt"), certificate.pem())?;
    writer.write(&format!("{folder}/{domain}.key"), key.serialize_pem())?;
    writer.write(&format!("{folder}/{domain}.json"), format!("{record:#}"))?;
    writer.write(&format!("ocsp/{domain}-{:08x}", domain.len() * 0x9e37), staple(certificate.der()))
}

/// The envelope of an OCSP response (RFC 6960, section 4.2.1) around other DER: the tree needs binary files of that
/// size, and nobody here asks for their meaning.
fn staple(content: &[u8]) -> Vec<u8> {
    const BASIC_RESPONSE: [u8; 11] = [0x06, 0x09, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];
    let bytes = [BASIC_RESPONSE.to_vec(), der(0x04, content)].concat();
    der(0x30, &[vec![0x0a, 0x01, 0x00], der(0xa0, &der(0x30, &bytes))].concat())
}

/// A value in DER with a length of two bytes.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a staple is far below 64 KiB").to_be_bytes();
    [&[tag, 0x82][..], &length, content].concat()
}

struct Writer<'w> {
    root: &'w Path,
    files: usize,
    bytes: usize,
}

impl Writer<'_> {
    fn write(&mut self, path: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.root.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        fs::write(&path, &content).with_context(|| format!("cannot write {}", path.display()))?;
        self.files += 1;
        self.bytes += content.as_ref().len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_what_a_server_keeps() {
        let folder = tempfile::tempdir().unwrap();
        let tree = generate(folder.path(), 5).unwrap();
        assert_eq!(tree.files, 5 * 4 + 3);
        let site = folder.path().join(format!("certificates/{ISSUER}/{0}/{0}", tree.example));
        let read =
            |kind: &str| fs::read_to_string(site.with_file_name(format!("{}.{kind}", tree.example))).unwrap();
        assert!(read("crt").starts_with("-----BEGIN CERTIFICATE-----\n"));
        assert!(read("key").starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert!(serde_json::from_str::<serde_json::Value>(&read("json")).is_ok());
    }
}
