//! Which crate of the workspace may depend on which.
//!
//! - `storage-core` knows no other crate, not even in its tests, but for `bad-input`; its `kv/` imports nothing else of the
//!   crate, and only its `layout/` makes keys.
//! - `kv-*` and `storage-conformance` depend on `storage-core` only.
//! - `storage-conformance` is for backends, the command and what is not published.
//! - `etcd-process` and `bad-input` know no other crate, and published crates use them in tests only.
//! - `model-tests` runs backends in its tests only.
//! - `cluster-tests`, `fault-tests`, `model-tests` and `simulation` are for nobody.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::{
    metadata::{Metadata, Package},
    sources,
};

/// Checks the dependencies between members and the imports of `storage-core/src/kv`; only warns of long files.
pub(crate) fn check() -> Result<()> {
    let metadata = Metadata::of_members()?;
    let members: Vec<Member> = metadata.members().map(Member::from).collect();
    for warning in sources::long_files(metadata.members())? {
        println!("warning: {warning}");
    }
    let mut violations = violations(&members);
    violations.extend(sources::foreign_imports_of_kv()?);
    violations.extend(sources::keys_made_elsewhere()?);
    if !violations.is_empty() {
        bail!("the layering is broken:\n  {}", violations.join("\n  "));
    }
    println!("the dependencies between {} crates follow the rules", members.len());
    Ok(())
}

/// A crate of the workspace with the names of all its dependencies, foreign crates included.
#[derive(Debug)]
struct Member {
    name: String,
    published: bool,
    /// Normal and build dependencies.
    uses: BTreeSet<String>,
    tests_with: BTreeSet<String>,
}

impl From<&Package> for Member {
    fn from(package: &Package) -> Self {
        let names = |dev: bool| {
            package
                .dependencies
                .iter()
                .filter(|dep| dep.is_dev() == dev)
                .map(|dep| dep.name.clone())
                .collect()
        };
        Self {
            name: package.name.clone(),
            published: package.is_published(),
            uses: names(false),
            tests_with: names(true),
        }
    }
}

impl Member {
    fn is_backend(&self) -> bool {
        self.name.starts_with("kv-")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Use,
    Tests,
}

fn violations(members: &[Member]) -> Vec<String> {
    let mut violations = Vec::new();
    // The rules go by name: after a renaming they would pass without checking anything.
    for expected in ["storage-core", "storage-conformance", "etcd-process", "bad-input"] {
        if !members.iter().any(|member| member.name == expected) {
            violations
                .push(format!("the workspace has no crate {expected}: adapt the rules to its new name"));
        }
    }
    let names: BTreeSet<String> = members.iter().map(|member| member.name.clone()).collect();
    for member in members {
        let used = member.uses.intersection(&names).map(|name| (name, Purpose::Use));
        let tested = member.tests_with.intersection(&names).map(|name| (name, Purpose::Tests));
        for (dependency, purpose) in used.chain(tested) {
            if let Some(rule) = broken_rule(member, dependency, purpose) {
                let verb = match purpose {
                    Purpose::Use => "depends on",
                    Purpose::Tests => "dev-depends on",
                };
                violations.push(format!("{} {verb} {dependency}, but {rule}", member.name));
            }
        }
    }
    violations
}

/// The rule that forbids `member` to depend on the crate `dependency` of the workspace.
fn broken_rule(member: &Member, dependency: &str, purpose: Purpose) -> Option<&'static str> {
    match (member.name.as_str(), dependency) {
        ("etcd-process" | "bad-input", _) => Some("it knows no other crate"),
        (_, "bad-input") if purpose == Purpose::Tests => None,
        (_, "bad-input") => Some("bad-input is for tests only"),
        ("storage-core", _) => Some("storage-core knows no other crate, not even in its tests"),
        (_, "cluster-tests" | "fault-tests" | "model-tests" | "simulation") => Some("it is for nobody"),
        // What it checks them with knows none of them.
        ("model-tests", backend) if backend.starts_with("kv-") && purpose == Purpose::Use => {
            Some("model-tests runs backends in its tests only")
        }
        (_, "storage-core") => None,
        ("storage-conformance", _) => Some("storage-conformance depends on storage-core only"),
        (_, _) if member.is_backend() && purpose == Purpose::Use => {
            Some("a backend depends on storage-core only")
        }
        (name, "storage-conformance")
            if !member.is_backend() && member.published && name != "storage-cli" =>
        {
            Some("storage-conformance is for backends, storage-cli and crates that are not published")
        }
        (_, "etcd-process") if member.published && purpose == Purpose::Use => {
            Some("published crates use etcd-process in tests only")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_planned_workspace_is_accepted() {
        assert_eq!(violations(&planned()), Vec::<String>::new());
    }

    #[test]
    fn each_forbidden_dependency_is_named() {
        let forbidden = [
            ("storage-core", Purpose::Use, "kv-memory"),
            ("storage-core", Purpose::Tests, "kv-memory"),
            ("storage-core", Purpose::Tests, "storage-conformance"),
            ("kv-memory", Purpose::Use, "kv-etcd"),
            ("kv-sqlite", Purpose::Use, "kv-memory"),
            ("kv-memory", Purpose::Use, "storage-conformance"),
            ("kv-etcd", Purpose::Use, "etcd-process"),
            ("storage-conformance", Purpose::Use, "kv-memory"),
            ("storage-conformance", Purpose::Tests, "kv-memory"),
            ("storage-cli", Purpose::Use, "etcd-process"),
            ("other", Purpose::Tests, "storage-conformance"),
            ("etcd-process", Purpose::Use, "storage-core"),
            ("etcd-process", Purpose::Tests, "storage-core"),
            ("bad-input", Purpose::Use, "storage-core"),
            ("storage-core", Purpose::Use, "bad-input"),
            ("storage-cli", Purpose::Tests, "cluster-tests"),
            ("kv-memory", Purpose::Tests, "model-tests"),
            ("kv-memory", Purpose::Tests, "simulation"),
            ("model-tests", Purpose::Use, "kv-memory"),
        ];
        for (name, purpose, dependency) in forbidden {
            let mut members = planned();
            let member = members.iter_mut().find(|member| member.name == name).unwrap();
            match purpose {
                Purpose::Use => member.uses.insert(dependency.to_owned()),
                Purpose::Tests => member.tests_with.insert(dependency.to_owned()),
            };
            let violations = violations(&members);
            assert_eq!(violations.len(), 1, "{name} on {dependency}: {violations:?}");
            let named =
                violations[0].starts_with(name) && violations[0].contains(&format!("on {dependency}, but"));
            assert!(named, "{violations:?}");
        }
    }

    #[test]
    fn a_renamed_crate_is_noticed() {
        let mut members = planned();
        members.retain(|member| member.name != "storage-conformance");
        assert_eq!(violations(&members).len(), 1);
    }

    #[test]
    fn this_workspace_is_read_with_its_kinds_of_dependencies() {
        let metadata = Metadata::of_members().unwrap();
        let members: Vec<Member> = metadata.members().map(Member::from).collect();
        let core = members.iter().find(|member| member.name == "storage-core").unwrap();
        assert!(core.published);
        assert!(core.uses.contains("bytes") && !core.tests_with.contains("bytes"));
        assert!(core.tests_with.contains("proptest") && !core.uses.contains("proptest"));
        assert!(!members.iter().find(|member| member.name == "xtask").unwrap().published);
    }

    fn planned() -> Vec<Member> {
        vec![
            member("storage-core", true, &["bytes"], &["bad-input", "proptest"]),
            member("storage-conformance", true, &["storage-core"], &["storage-core"]),
            member("kv-memory", true, &["storage-core"], &["storage-conformance"]),
            member(
                "kv-etcd",
                true,
                &["storage-core", "bytes"],
                &["storage-conformance", "etcd-process", "kv-memory"],
            ),
            member("kv-sqlite", true, &["storage-core", "rusqlite"], &["storage-conformance", "rustix"]),
            member("storage-cli", true, &["storage-core", "kv-etcd", "kv-memory"], &["etcd-process"]),
            member("model-tests", false, &["storage-core", "storage-conformance"], &["kv-memory"]),
            member("simulation", false, &["storage-core", "kv-memory", "storage-conformance"], &[]),
            member("fault-tests", false, &["kv-etcd", "storage-conformance"], &["etcd-process"]),
            member("other", true, &["storage-core"], &[]),
            member("etcd-process", false, &["tokio"], &[]),
            member("bad-input", false, &["bolero"], &[]),
            member("cluster-tests", false, &["storage-core", "kv-etcd", "kv-sqlite"], &["etcd-process"]),
            member("fault-tests", false, &["kv-etcd", "storage-conformance"], &["etcd-process"]),
            member("xtask", false, &["etcd-process", "kv-etcd"], &["storage-conformance"]),
        ]
    }

    fn member(name: &str, published: bool, uses: &[&str], tests_with: &[&str]) -> Member {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Member { name: name.to_owned(), published, uses: owned(uses), tests_with: owned(tests_with) }
    }
}
