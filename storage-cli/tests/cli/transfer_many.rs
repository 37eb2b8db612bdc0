//! Many files: through a tar into the store, out of it again, and no difference, in little memory.
//!
//! `KVFS_TRANSFER_FILES=100000 cargo test -p storage-cli --test cli transfer_many -- --nocapture` is the long run; it prints the figures.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::archives::Tar;
use crate::support::started::until;
use crate::support::{self, Kvfs, argument, on_each_etcd};

/// What a run may take of the machine's memory.
const MOST_KIB: u64 = 200 * 1024;
/// What 100,000 files in memory may take beside their contents: keys, records, and what the import knows of them.
const MOST_BESIDE_KIB: u64 = 130 * 1024;

fn count() -> usize {
    std::env::var("KVFS_TRANSFER_FILES").map_or(2_000, |count| count.parse().unwrap())
}

/// Runs what must succeed, and answers what it printed. It must not take more memory than it may.
#[track_caller]
fn run_in_little_memory(kvfs: &Kvfs, arguments: &[&str]) -> String {
    run_in_memory(MOST_KIB, kvfs, arguments)
}

#[track_caller]
#[expect(clippy::disallowed_methods, reason = "another process is timed, in real time")]
fn run_in_memory(most_kib: u64, kvfs: &Kvfs, arguments: &[&str]) -> String {
    let begin = Instant::now();
    let run = kvfs.start(arguments);
    let status = format!("/proc/{}/status", run.pid());
    let mut most = 0;
    let field = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
    };
    let mut deadline = Duration::from_secs(1_800);
    while let Ok(text) = fs::read_to_string(&status)
        && let Some(peak) = field(&text, "VmHWM:")
    {
        most = most.max(peak);
        std::thread::sleep(Duration::from_millis(20));
        deadline = deadline.checked_sub(Duration::from_millis(20)).expect("it should end");
    }
    let run = run.wait().succeeded();
    println!("{}: {:.1?}, {} MiB", arguments[0], begin.elapsed(), most / 1024);
    assert!(0 < most && most < most_kib, "{arguments:?} took {most} KiB");
    run.text().to_owned()
}

/// Through a tar into this store, to a second one, out of it again.
fn go_in_and_out_again(kvfs: &Kvfs, second: &str) {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| argument(&folder.path().join(name)).to_owned();
    let (tar, out, dir) = (place("in.tar"), place("out.tar"), place("dir"));
    let count = count();
    write(Path::new(&tar), count);
    let imported = run_in_little_memory(kvfs, &["import", &tar, "big"]);
    assert!(imported.starts_with(&format!("imported {count} files, ")), "{imported}");
    run_in_little_memory(kvfs, &["export", "big", &out]);
    assert_eq!(run_in_little_memory(kvfs, &["diff", &tar, &out]), "");
    assert_eq!(run_in_little_memory(kvfs, &["diff", "store:big", &out]), "");
    run_in_little_memory(kvfs, &["cp", "store:big", second]);
    assert_eq!(run_in_little_memory(kvfs, &["diff", second, &tar]), "");
    if count <= 10_000 {
        run_in_little_memory(kvfs, &["export", "big", &dir]);
        assert_eq!(run_in_little_memory(kvfs, &["diff", &dir, &tar]), "");
    }
    let again = run_in_little_memory(kvfs, &["import", &tar, "big"]);
    assert!(again.ends_with(&format!(", verified, {count} unchanged\n")), "{again}");
}

#[test]
fn many_files_go_into_etcd_and_out_again() {
    on_each_etcd("many files", |kvfs, etcd| {
        go_in_and_out_again(kvfs, &format!("{}/second", support::url(etcd)));
    });
}

#[test]
fn many_files_go_into_a_file_and_out_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = |name: &str| format!("sqlite:{}", argument(&folder.path().join(name)));
    go_in_and_out_again(&Kvfs::on(store("first.db")), &store("second.db"));
}

#[test]
fn many_files_are_in_memory_with_little_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let tar = folder.path().join("in.tar");
    let contents = write(&tar, count());
    // That store is in the same process, with all contents.
    let most = contents / 1024 + MOST_BESIDE_KIB;
    run_in_memory(most, &Kvfs::on_memory(), &["import", argument(&tar), "big"]);
}

/// A tar of certificates of about a kilobyte; how many bytes they have together.
fn write(tar: &Path, count: usize) -> u64 {
    let name = |number: usize| format!("certificates/ca-{}/site-{number:06}.example/cert.pem", number % 7);
    let content = |number: usize| format!("{number:06}-").repeat(80 + number % 100);
    fs::write(tar, Tar::of((0..count).map(|number| (name(number), content(number))))).unwrap();
    until("the tar should be there", || tar.exists().then_some(()));
    (0..count).map(|number| content(number).len() as u64).sum()
}
