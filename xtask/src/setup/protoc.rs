//! protoc, which the build script of the etcd client calls.
//!
//! That script takes the program from `PROTOC` or `PATH`, and the files that come with it (`google/protobuf/*.proto`)
//! from `PROTOC_INCLUDE` or from where protoc itself looks.

use std::{env, fs, path::Path, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};

use super::report;
use crate::process;

/// Which protoc the build script will use.
#[derive(Debug)]
pub(crate) enum Protoc {
    /// The one that it finds by itself.
    Found,
    /// The one of a crate, which it has to be pointed to.
    Vendored { program: PathBuf, include: PathBuf },
}

impl Protoc {
    pub(super) fn configure<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        if let Self::Vendored { program, include } = self {
            command.env("PROTOC", program).env("PROTOC_INCLUDE", include);
        }
        command
    }
}

pub(super) fn ensure() -> Result<Protoc> {
    let named = env::var_os("PROTOC").map(PathBuf::from);
    if let Some(program) = named.or_else(|| process::find("protoc")) {
        let include = env::var_os("PROTOC_INCLUDE").map(PathBuf::from);
        match version_of_usable(&program, include.as_deref()) {
            Ok(version) => {
                report("protoc", &format!("{version}, {}", program.display()));
                return Ok(Protoc::Found);
            }
            Err(error) => report("protoc", &format!("{} is of no use: {error:#}", program.display())),
        }
    }
    let advice =
        "install protoc with its .proto files and set PROTOC to it (and PROTOC_INCLUDE to the files)";
    let program = protoc_bin_vendored::protoc_bin_path().context(advice)?;
    let include = protoc_bin_vendored::include_path().context(advice)?;
    let version = version_of_usable(&program, Some(&include)).context(advice)?;
    report("protoc", &format!("{version}, of the crate protoc-bin-vendored"));
    Ok(Protoc::Vendored { program, include })
}

/// The version of a protoc that compiles a file which imports one of the files that should have come with it.
fn version_of_usable(program: &Path, include: Option<&Path>) -> Result<String> {
    let scratch = tempfile::tempdir().context("cannot create a temporary directory")?;
    let probe = scratch.path().join("probe.proto");
    fs::write(&probe, "syntax = \"proto3\";\nimport \"google/protobuf/descriptor.proto\";\n")
        .with_context(|| format!("cannot write {}", probe.display()))?;
    let mut compile = process::command(program);
    compile.arg("-I").arg(scratch.path());
    if let Some(include) = include {
        compile.arg("-I").arg(include);
    }
    compile.arg("--descriptor_set_out").arg(scratch.path().join("probe.bin")).arg(&probe);
    process::capture(&mut compile)?;

    let said = process::capture(process::command(program).arg("--version"))?;
    match said.trim().strip_prefix("libprotoc ") {
        Some(version) => Ok(version.to_owned()),
        None => bail!("it is not protoc: `--version` says {:?}", said.lines().next()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendored_protoc_is_usable_with_its_files_only() {
        let program = protoc_bin_vendored::protoc_bin_path().unwrap();
        let include = protoc_bin_vendored::include_path().unwrap();
        let version = version_of_usable(&program, Some(&include)).unwrap();
        assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{version}");

        let elsewhere = tempfile::tempdir().unwrap();
        let copy = elsewhere.path().join("protoc");
        // A program that this process itself has just written may be "busy" while other tests start theirs.
        process::capture(process::command("cp").arg(&program).arg(&copy)).unwrap();
        let error = format!("{:#}", version_of_usable(&copy, None).unwrap_err());
        assert!(error.contains("descriptor.proto"), "{error}");
    }

    #[test]
    fn only_the_vendored_protoc_is_passed_on() {
        let (program, include) = (PathBuf::from("/v/protoc"), PathBuf::from("/v/include"));
        let mut told = Command::new("cargo");
        Protoc::Vendored { program, include }.configure(&mut told);
        let told: Vec<_> = told.get_envs().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(told, ["PROTOC", "PROTOC_INCLUDE"]);

        let mut untold = Command::new("cargo");
        Protoc::Found.configure(&mut untold);
        assert_eq!(untold.get_envs().count(), 0);
    }
}
