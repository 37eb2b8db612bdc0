use std::io;
use std::process::Command;

use crate::EtcdBinary;

/// What `etcdctl` prints when it is run on these endpoints.
pub(crate) fn run(binary: &EtcdBinary, endpoints: &[String], arguments: &[&str]) -> io::Result<String> {
    let mut command = Command::new(binary.etcdctl());
    command.env("ETCDCTL_API", "3").arg(format!("--endpoints={}", endpoints.join(","))).args(arguments);
    let output = command.output()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(printed)
    } else {
        let error = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!("etcdctl {} failed: {printed}{error}", arguments.join(" "))))
    }
}
