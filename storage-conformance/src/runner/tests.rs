use std::panic;
use std::process::ExitCode;
use std::sync::Once;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use futures::future::{BoxFuture, pending};

use super::*;
use crate::fakes::{Fake, Forgetful, Outage, harness, missing_harness};
use crate::{Context, contract};

#[test]
fn no_case_passes_on_a_store_that_fails_every_call() {
    assert_eq!(passing(&harness(Outage), subjects()), Vec::<String>::new());
}

#[test]
fn no_case_passes_on_a_store_that_agrees_to_everything_and_keeps_nothing() {
    let cases = crate::kv::SUBJECTS.iter().copied().flatten();
    assert_eq!(passing(&harness(Forgetful), cases), Vec::<String>::new());
}

#[test]
fn a_failure_tells_what_happened_and_which_clauses_were_checked() {
    let case = subjects().next().unwrap();
    let why = isolated::run(harness(Outage), case, None).unwrap_err();
    assert!(why.contains("the cable is cut"), "{why}");
    assert!(why.ends_with(&contract::quote(case.clauses)), "{why}");
}

#[test]
fn a_case_that_hangs_fails() {
    static HANGS: Case = case_of(|_| Box::pin(pending()));
    let why = isolated::run(harness(Outage), &HANGS, None).unwrap_err();
    assert!(why.contains("hangs"), "{why}");
}

#[test]
fn the_store_is_torn_down_in_its_runtime_after_every_case() {
    static PASSES: Case = case_of(|_| Box::pin(async {}));
    static FAILS: Case = case_of(|_| Box::pin(async { panic!("as it should") }));
    let harness = Arc::new(Fake::new(Outage));
    let run = |case| isolated::run(Arc::clone(&harness) as Arc<dyn Harness>, case, None);
    assert_eq!(run(&PASSES), Ok(()));
    assert_eq!(harness.torn_down.load(Relaxed), 1);
    assert!(run(&FAILS).is_err());
    assert_eq!(harness.torn_down.load(Relaxed), 2);
}

#[test]
fn the_cases_of_a_missing_harness_are_ignored_or_fail() {
    let outcome = |missing| libtest_mimic::run(&quietly(), trials(&missing_harness().into(), missing));
    let ignored = outcome(Missing::IsIgnored);
    let all = subjects().count() as u64;
    assert_eq!((ignored.num_ignored, ignored.num_passed, ignored.num_failed), (all, 0, 0));
    let failed = outcome(Missing::Fails);
    assert_eq!((failed.num_ignored, failed.num_passed, failed.num_failed), (0, 0, all));
}

#[test]
fn asking_for_ignored_cases_of_a_missing_harness_fails() {
    let arguments = Arguments { include_ignored: true, ..quietly() };
    let outcome = libtest_mimic::run(&arguments, trials(&missing_harness().into(), Missing::IsIgnored));
    assert_eq!(outcome.num_failed, subjects().count() as u64);
}

#[test]
fn a_run_that_checks_nothing_fails() {
    assert_eq!(run_with(&quietly(), [], Missing::IsIgnored), ExitCode::FAILURE);
}

#[test]
fn a_run_fails_with_its_cases_and_one_that_is_filtered_out_does_not() {
    let filtered = |filter: &str| Arguments { filter: Some(filter.to_owned()), ..quietly() };
    assert_ne!(
        run_with(&filtered("fake::kv::reads"), [harness(Outage).into()], Missing::Fails),
        ExitCode::SUCCESS
    );
    assert_eq!(
        run_with(&filtered("no such case"), [harness(Outage).into()], Missing::Fails),
        ExitCode::SUCCESS
    );
}

#[test]
fn a_case_is_named_after_harness_subject_and_function() {
    let names: Vec<_> =
        trials(&harness(Outage).into(), Missing::Fails).iter().map(|trial| trial.name().to_owned()).collect();
    assert!(names.contains(&"fake::kv::reads::an_empty_value_is_a_value".to_owned()), "{names:?}");
}

/// Arguments for a run inside a test, whose report would only confuse among the outer one's.
fn quietly() -> Arguments {
    let nowhere = if cfg!(windows) { "NUL" } else { "/dev/null" };
    Arguments { logfile: Some(nowhere.to_owned()), ..Arguments::default() }
}

const fn case_of(run: fn(Context) -> BoxFuture<'static, ()>) -> Case {
    Case { module: "storage_conformance::fake", name: "case", clauses: &["KV-READ-1"], run }
}

/// The cases that pass, which ought to be none.
fn passing(harness: &Arc<dyn Harness>, cases: impl Iterator<Item = &'static Case>) -> Vec<String> {
    expect_panics_of_cases();
    let passes = |case: &&'static Case| isolated::run(Arc::clone(harness), case, None).is_ok();
    cases.filter(passes).map(Case::full_name).collect()
}

/// Keeps the panics of the fake harness's cases, hundreds of them, from being printed with their backtraces.
fn expect_panics_of_cases() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !thread::current().name().is_some_and(|name| name.starts_with("fake::")) {
                report(info);
            }
        }));
    });
}
