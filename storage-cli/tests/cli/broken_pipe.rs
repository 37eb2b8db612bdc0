//! When nobody reads the output any more the command ends without a word.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use crate::support::{Kvfs, argument, on_each_etcd};

/// Reads one byte of what the command prints, which is more than a pipe holds, and goes away.
fn read_a_byte_of(kvfs: &Kvfs, arguments: &[&str]) {
    let mut child =
        kvfs.std_command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{arguments:?}");
    assert_eq!(output.status.code(), Some(0), "{arguments:?}");
}

#[test]
fn the_command_ends_quietly() {
    on_each_etcd("broken pipe", |kvfs, _| {
        kvfs.put("large", &vec![b'x'; 1_500_000]);
        read_a_byte_of(kvfs, &["get", "large"]);
        read_a_byte_of(kvfs, &["--json", "get", "large"]);

        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join(["x".repeat(200).as_str(); 4].join("/"));
        fs::create_dir_all(&deep).unwrap();
        for number in 0..300 {
            fs::write(deep.join(number.to_string()), "").unwrap();
        }
        kvfs.ok(&["import", argument(folder.path())]);
        read_a_byte_of(kvfs, &["ls", "-r"]);
        read_a_byte_of(kvfs, &["ls", "-r", "-l", "--json"]);
    });
}
