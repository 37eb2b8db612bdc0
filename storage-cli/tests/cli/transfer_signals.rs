//! A signal in the middle of the work: what is under way is ended, it is said what was done, and it can be gone on with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::support::archives::Tar;
use crate::support::started::{interrupt, send, until};
use crate::support::{self, Kvfs, argument, on_each_etcd};

/// So many that no machine is done with them before the signal comes.
const FILES: usize = 4_000;

fn large_tar(folder: &Path) -> PathBuf {
    let tar = folder.join("in.tar");
    let files = (0..FILES).map(|number| (format!("{}/{number}", number % 10), number.to_string()));
    fs::write(&tar, Tar::of(files)).unwrap();
    tar
}

fn stored(kvfs: &Kvfs) -> usize {
    kvfs.ok(&["ls", "-r"]).lines().filter(|line| !line.ends_with('/')).count()
}

#[test]
fn an_import_says_how_far_it_came_and_goes_on_from_there() {
    on_each_etcd("interrupted import", |kvfs, _| {
        let folder = tempfile::tempdir().unwrap();
        let tar = large_tar(folder.path());
        let mut before = 0;
        for (signal, code) in [interrupt(), ("TERM", 143)] {
            let run = kvfs.start(&["import", argument(&tar)]);
            until("some files should be stored", || (stored(kvfs) > before).then_some(()));
            run.signal(signal);
            let run = run.wait();
            let now = stored(kvfs);
            assert!(before < now && now < FILES, "{now}");
            let said = format!("{now} of {FILES} files are stored, running it again is safe and goes on");
            let run = run.failed(code, &["import \"", ": interrupted; "]);
            // The second time, those of the first may not have been come to yet.
            if before == 0 {
                run.said(&[&said]);
            }
            before = now;
        }
        let last = kvfs.ok(&["import", argument(&tar)]);
        assert!(last.ends_with(&format!(", verified, {before} unchanged\n")), "{last}");
        assert_eq!(stored(kvfs), FILES);
        assert_eq!(kvfs.ok(&["diff", argument(&tar), "store:"]), "");

        // A tar under way leaves nothing.
        let out = folder.path().join("out");
        fs::create_dir(&out).unwrap();
        let export = kvfs.start(&["--json", "export", "", argument(&out.join("x.tar"))]);
        until("it should be begun", || fs::read_dir(&out).unwrap().next().map(drop));
        export.signal("TERM");
        let export = export.wait();
        assert_eq!((export.code, export.text()), (143, ""), "{export:?}");
        let error = &support::objects(&export.stderr)[0]["error"];
        assert_eq!(error["kind"], "interrupted", "{error}");
        assert!(error["message"].as_str().unwrap().ends_with("the tar was not written"), "{error}");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
    });
}

#[test]
fn nothing_was_changed_while_standard_input_is_read() {
    let mut command = Kvfs::on_memory().std_command(&["import", "-"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id().to_string();
    // From when it handles signals it can be asked to end.
    #[cfg(target_os = "linux")]
    until("it should handle signals", || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned();
        (u64::from_str_radix(&mask, 16).unwrap() >> 14 & 1 == 1).then_some(())
    });
    // Held open: the end of the input would come first.
    let _input = child.stdin.take();
    assert!(send("TERM", &pid));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143));
    let said = "kvfs: import \"-\": interrupted; nothing was changed\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), said);
}

#[test]
fn a_store_that_does_not_answer_holds_nobody_for_long() {
    on_each_etcd("interrupted and frozen", |kvfs, etcd| {
        let folder = tempfile::tempdir().unwrap();
        let tar = large_tar(folder.path());
        let (patient, hasty) =
            (kvfs.start(&["import", argument(&tar), "a"]), { kvfs.start(&["import", argument(&tar), "b"]) });
        until("both should be under way", || {
            let names = kvfs.ok(&["ls"]);
            (names == "a/\nb/\n").then_some(())
        });
        etcd.pause().unwrap();
        let (signal, code) = interrupt();
        for run in [&patient, &hasty] {
            run.signal(signal);
        }
        hasty.signal("TERM");
        let hasty = hasty.wait();
        // Which of two signals was the second one is not certain when they come together.
        assert!(
            [143, code].contains(&hasty.code) && hasty.stderr.is_empty(),
            "it is ended at once: {hasty:?}"
        );
        assert!(send("0", &patient.pid()), "the other one waits for some seconds");
        let patient = patient.wait();
        etcd.resume().unwrap();
        assert_eq!(patient.code, code, "{patient:?}");
        patient.said(&["interrupted", "running it again goes on"]);
    });
}
