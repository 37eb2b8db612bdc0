//! Packages of Debian or Ubuntu, downloaded and unpacked, not installed.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::process;

/// Returns the directory in `scratch` that has the programs.
pub(super) fn unpack_etcd(scratch: &Path) -> Result<PathBuf> {
    Ok(unpack(scratch, &["etcd-server", "etcd-client"])?.join("usr/bin"))
}

/// Returns the directory in `scratch` below which the files of `packages` lie as they would below `/`.
pub(super) fn unpack(scratch: &Path, packages: &[&str]) -> Result<PathBuf> {
    if process::find("apt-get").is_none() || process::find("dpkg").is_none() {
        bail!("this system has no apt-get and dpkg");
    }
    let root = scratch.join("root");
    for deb in download(scratch, packages)? {
        process::capture(process::command("dpkg").arg("-x").arg(deb).arg(&root))?;
    }
    Ok(root)
}

/// Downloads packages with the system's package lists, or where those are missing or old with fresh lists of our own.
fn download(scratch: &Path, packages: &[&str]) -> Result<Vec<PathBuf>> {
    let debs = scratch.join("debs");
    fs::create_dir_all(&debs).with_context(|| format!("cannot create {}", debs.display()))?;
    let fetch = |lists: &[OsString]| {
        let mut apt = process::command("apt-get");
        apt.current_dir(&debs).args(PATIENCE).args(lists).arg("download").args(packages);
        process::capture(&mut apt)
    };
    if fetch(&[]).is_err() {
        let own = own_lists(scratch)?;
        let mut update = process::command("apt-get");
        // Some other repository of this system may be out of reach while the one that matters has answered.
        let updated = process::capture(update.args(PATIENCE).args(&own).arg("update"));
        if let Err(error) = fetch(&own) {
            updated?;
            return Err(error);
        }
    }
    let entries = fs::read_dir(&debs).with_context(|| format!("cannot read {}", debs.display()))?;
    Ok(entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension() == Some("deb".as_ref()))
        .collect())
}

/// Without a network this should fail soon, since there are other sources.
const PATIENCE: [&str; 4] = ["-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20"];

/// Options that keep package lists in `scratch`: no root is needed to update those, and the system's stay as they are.
fn own_lists(scratch: &Path) -> Result<[OsString; 4]> {
    let directory = |name: &str| -> Result<PathBuf> {
        let directory = scratch.join(name);
        fs::create_dir_all(directory.join("partial"))
            .with_context(|| format!("cannot create {}", directory.display()))?;
        Ok(directory)
    };
    let option = |name: &str, value: PathBuf| {
        let mut option = OsString::from(name);
        option.push("=");
        option.push(value);
        option
    };
    let lists = option("Dir::State::Lists", directory("lists")?);
    let cache = option("Dir::Cache", directory("cache")?);
    Ok(["-o".into(), lists, "-o".into(), cache])
}
