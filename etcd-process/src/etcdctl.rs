use std::io::{self, Write};
use std::process::{Command, Stdio};

use crate::EtcdBinary;

/// What `etcdctl` prints when it is run on these endpoints.
pub(crate) fn run(binary: &EtcdBinary, endpoints: &[String], arguments: &[&str]) -> io::Result<String> {
    run_with_input(binary, endpoints, arguments, "")
}

/// The same, with this as its standard input.
pub(crate) fn run_with_input(
    binary: &EtcdBinary,
    endpoints: &[String],
    arguments: &[&str],
    input: &str,
) -> io::Result<String> {
    let mut command = Command::new(binary.etcdctl());
    command.env("ETCDCTL_API", "3").arg(format!("--endpoints={}", endpoints.join(","))).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read it may have ended.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(printed)
    } else {
        let error = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!("etcdctl {} failed: {printed}{error}", arguments.join(" "))))
    }
}
