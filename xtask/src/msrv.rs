//! The oldest Rust that builds the published crates: the `rust-version` of the workspace.
//!
//! Three checks together: every dependency accepts that version, clippy's `incompatible_msrv` watches our use of the
//! standard library, and where the old toolchain is installed the workspace is compiled with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use anyhow::{Context as _, Error, Result, anyhow, bail};

use crate::{
    metadata::{Metadata, Package},
    process,
    setup::Tools,
};

/// Compares the `rust-version` of every dependency with ours, and compiles with that version if rustup has it.
pub(crate) fn check(tools: &Tools) -> Result<()> {
    let ours: RustVersion = env!("CARGO_PKG_RUST_VERSION").parse()?;
    check_dependencies(&Metadata::resolved()?, ours)?;
    if let Some(toolchain) = installed_toolchain(ours) {
        let mut check = process::command("rustup");
        check.args(["run", &toolchain, "cargo", "check", "--workspace", "--all-features"]);
        return process::run(tools.configure(&mut check));
    }
    println!("note: not compiled with Rust {ours}; to include that: rustup toolchain install {ours}");
    Ok(())
}

fn check_dependencies(metadata: &Metadata, ours: RustVersion) -> Result<()> {
    let mut too_new = Vec::new();
    let mut silent = 0;
    let packages = compiled_by_users(metadata)?;
    for package in &packages {
        match &package.rust_version {
            Some(theirs) if theirs.parse::<RustVersion>()? > ours => {
                too_new.push(format!("{} {} needs Rust {theirs}", package.name, package.version));
            }
            Some(_) => {}
            None => silent += 1,
        }
    }
    if !too_new.is_empty() {
        bail!("the workspace promises Rust {ours}, but:\n  {}", too_new.join("\n  "));
    }
    println!(
        "none of the {} packages that users compile asks for more than Rust {ours} ({silent} do not say)",
        packages.len()
    );
    Ok(())
}

/// The published members and all that they need without their tests.
fn compiled_by_users(metadata: &Metadata) -> Result<Vec<&Package>> {
    let resolve = metadata.resolve.as_ref().context("`cargo metadata` resolved nothing")?;
    let nodes: BTreeMap<&str, _> = resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let mut reached = BTreeSet::new();
    let published = metadata.members().filter(|member| member.is_published());
    let mut open: Vec<&str> = published.map(|member| member.id.as_str()).collect();
    while let Some(id) = open.pop() {
        if reached.insert(id) {
            let node = nodes.get(id).with_context(|| format!("`cargo metadata` did not resolve {id}"))?;
            open.extend(node.deps.iter().filter(|edge| edge.reaches_users()).map(|edge| edge.pkg.as_str()));
        }
    }
    Ok(metadata.packages.iter().filter(|package| reached.contains(package.id.as_str())).collect())
}

/// The name of rustup's toolchain of this version, if there is one.
fn installed_toolchain(version: RustVersion) -> Option<String> {
    let list = process::capture(process::command("rustup").args(["toolchain", "list"])).ok()?;
    toolchain_of(version, &list).map(str::to_owned)
}

/// Lines look like `1.88.0-x86_64-unknown-linux-gnu (default)`; channels such as `stable` have no version.
fn toolchain_of(version: RustVersion, list: &str) -> Option<&str> {
    list.lines().filter_map(|line| line.split_whitespace().next()).find(|name| {
        let number = name.split('-').next().unwrap_or_default();
        number.parse::<RustVersion>().is_ok_and(|installed| installed.release() == version.release())
    })
}

/// `1.88` or `1.88.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct RustVersion {
    major: u32,
    minor: u32,
    patch: u32,
}

impl RustVersion {
    /// The version without its bug fixes.
    fn release(self) -> (u32, u32) {
        (self.major, self.minor)
    }
}

impl FromStr for RustVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let numbers: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[major, minor]) => Ok(Self { major, minor, patch: 0 }),
            Ok(&[major, minor, patch]) => Ok(Self { major, minor, patch }),
            _ => Err(anyhow!("not a version of Rust: {text:?}")),
        }
    }
}

impl fmt::Display for RustVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.patch > 0 { write!(f, ".{}", self.patch) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn versions_are_ordered_as_numbers() {
        let v = |text: &str| text.parse::<RustVersion>().unwrap();
        assert!(v("1.88") < v("1.100"));
        assert!(v("1.88") < v("1.88.1"));
        assert_eq!(v("1.88"), v("1.88.0"));
        assert!("stable".parse::<RustVersion>().is_err());
    }

    #[test]
    fn the_toolchain_is_found_by_its_release() {
        let list = "stable-x86_64-unknown-linux-gnu (active, default)\n1.8.0-x86_64\n1.88.1-x86_64-unknown-linux-gnu\n";
        assert_eq!(toolchain_of("1.88".parse().unwrap(), list), Some("1.88.1-x86_64-unknown-linux-gnu"));
        assert_eq!(toolchain_of("1.89".parse().unwrap(), list), None);
    }

    #[test]
    fn a_dependency_that_needs_a_newer_rust_is_named() {
        let error = check_dependencies(&graph(None), "1.88".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("new 2.0.0 needs Rust 1.90"), "{error}");
    }

    #[test]
    fn build_dependencies_count() {
        let error = check_dependencies(&graph(Some("build")), "1.88".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("new 2.0.0"), "{error}");
    }

    #[test]
    fn what_only_tests_and_unpublished_crates_need_may_be_newer() {
        check_dependencies(&graph(Some("dev")), "1.88".parse().unwrap()).unwrap();
    }

    /// A published crate that reaches `new`, and an unpublished one that always does: `ours` → `old` → (`kind`) `new`.
    fn graph(kind: Option<&str>) -> Metadata {
        let package = |name: &str, rust: Option<&str>, publish: Option<&[&str]>| {
            json!({ "id": name, "name": name, "version": "2.0.0", "rust_version": rust, "publish": publish,
                    "manifest_path": "Cargo.toml", "dependencies": [] })
        };
        let edge = |to: &str, kind: Option<&str>| json!({ "pkg": to, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [
                package("ours", Some("1.88"), None),
                package("private", None, Some(&[])),
                package("old", None, None),
                package("new", Some("1.90"), None),
            ],
            "workspace_members": ["ours", "private"],
            "resolve": { "nodes": [
                { "id": "ours", "deps": [edge("old", None)] },
                { "id": "private", "deps": [edge("new", None)] },
                { "id": "old", "deps": [edge("new", kind)] },
                { "id": "new", "deps": [] },
            ]},
        });
        serde_json::from_value(metadata).unwrap()
    }
}
