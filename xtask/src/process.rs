//! Running other programs: which environment they see, what is echoed, what an error says.

use std::{
    env,
    ffi::OsStr,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// `program` in the workspace root, without standard input and without [foreign variables](is_foreign).
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(crate::workspace_root()).stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_foreign) {
            command.env_remove(name);
        }
    }
    command
}

/// The cargo that started this program.
pub(crate) fn cargo() -> Command {
    command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Echoes and runs `command`; its output goes where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    echo(command);
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", Path::new(command.get_program()).display()))?;
    require_success(command, status)
}

/// Echoes and starts `command`, whose end the caller waits for; its output goes where ours goes.
pub(crate) fn start(command: &mut Command) -> Result<Child> {
    echo(command);
    command.spawn().with_context(|| format!("cannot start {}", Path::new(command.get_program()).display()))
}

/// Echoes and runs `command` and answers its exit code, whatever it is; `None` if a signal ended it.
pub(crate) fn run_to_code(command: &mut Command) -> Result<Option<i32>> {
    echo(command);
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", Path::new(command.get_program()).display()))?;
    Ok(status.code())
}

/// As [`run`], but hands each line of standard output to `observe` on its way.
pub(crate) fn run_observed(command: &mut Command, mut observe: impl FnMut(&str)) -> Result<()> {
    echo(command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", Path::new(command.get_program()).display()))?;
    let stdout = child.stdout.take().expect("standard output was just piped");
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.with_context(|| format!("cannot read the output of `{}`", shown(command)))?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        observe(&line);
    }
    let status = child.wait().with_context(|| format!("cannot wait for `{}`", shown(command)))?;
    require_success(command, status)
}

/// Runs `command` silently and returns its standard output; an error carries what it said on standard error.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", Path::new(command.get_program()).display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}): {}", shown(command), output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// As [`capture`], but errors and progress go where ours go, on their way.
pub(crate) fn capture_beside_errors(command: &mut Command) -> Result<String> {
    echo(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", Path::new(command.get_program()).display()))?;
    require_success(command, output.status)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Where `PATH` has `program`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(program).with_extension(env::consts::EXE_EXTENSION))
        .find(|candidate| candidate.is_file())
}

/// Variables that children must not see: those of a user's own store, which tests must never touch, settings of the
/// user's own etcd, which private servers would take for theirs, and what cargo tells this program about itself, which
/// would make build scripts run again.
fn is_foreign(name: &str) -> bool {
    const KEPT: [&str; 2] = ["ETCD_BIN", "ETCD_UNSUPPORTED_ARCH"];
    const PREFIXES: [&str; 5] =
        ["CADDY_CLUSTERING_ETCD_", "ETCD_", "ETCDCTL_", "CARGO_PKG_", "CARGO_MANIFEST_"];
    let has_foreign_prefix = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    ["KVFS_STORE", "KVFS_CONFIG"].contains(&name) || (has_foreign_prefix && !KEPT.contains(&name))
}

fn echo(command: &Command) {
    println!("$ {}", shown(command));
}

/// The command line as a person would type it.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut shown = program.file_stem().unwrap_or(command.get_program()).to_string_lossy().into_owned();
    for arg in command.get_args() {
        shown.push(' ');
        shown.push_str(&arg.to_string_lossy());
    }
    shown
}

fn require_success(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_store_and_etcd_settings_are_foreign() {
        for name in [
            "KVFS_STORE",
            "KVFS_CONFIG",
            "CADDY_CLUSTERING_ETCD_SERVERS",
            "ETCD_NAME",
            "ETCDCTL_ENDPOINTS",
            "CARGO_PKG_NAME",
        ] {
            assert!(is_foreign(name), "{name}");
        }
        for name in ["ETCD_BIN", "PATH", "HOME", "CARGO_HOME", "CARGO_TARGET_DIR", "PROTOC", "CADDY"] {
            assert!(!is_foreign(name), "{name}");
        }
    }

    #[test]
    fn children_do_not_see_foreign_variables() {
        // cargo sets CARGO_PKG_NAME for this test, so there is something to remove.
        let removed = |name: &str| command("x").get_envs().any(|(n, value)| n == name && value.is_none());
        assert!(removed("CARGO_PKG_NAME"));
        assert!(!removed("PATH"));
    }

    #[test]
    fn an_error_names_the_command_and_repeats_what_it_said() {
        let error = capture(cargo().args(["no-such-subcommand"])).unwrap_err().to_string();
        assert!(error.starts_with("`cargo no-such-subcommand` failed ("), "{error}");
        assert!(error.contains("no such command"), "{error}");
    }

    #[test]
    fn observed_output_arrives_line_by_line_and_failure_is_an_error() {
        let mut lines = Vec::new();
        run_observed(cargo().arg("--version"), |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("cargo 1."), "{lines:?}");
        let mut failing = cargo();
        assert!(run_observed(failing.arg("no-such-subcommand").stderr(Stdio::null()), |_| {}).is_err());
    }
}
