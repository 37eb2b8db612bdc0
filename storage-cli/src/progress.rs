//! The progress bar: on a terminal's standard error, nowhere else.

use std::cell::Cell;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::output::Output;

/// How far many files have come. `indicatif` hides it where standard error is no terminal.
pub(crate) struct Progress {
    bar: ProgressBar,
    what: &'static str,
    bytes: Cell<u64>,
}

impl Progress {
    /// A bar for this many files.
    pub(crate) fn new(output: &Output, files: usize, what: &'static str) -> Self {
        let bar =
            if output.shows_progress() { ProgressBar::new(files as u64) } else { ProgressBar::hidden() };
        let style = "{prefix} {wide_bar} {human_pos}/{human_len} files, {msg}, {per_sec}, {eta} left";
        let style = ProgressStyle::with_template(style).expect("the template is valid");
        let progress = Self { bar: bar.with_style(style).with_prefix(what), what, bytes: Cell::new(0) };
        progress.show();
        progress
    }

    /// One file more.
    pub(crate) fn step(&self, bytes: u64) {
        self.bytes.set(self.bytes.get() + bytes);
        self.show();
        self.bar.inc(1);
    }

    /// From now on files are read back.
    pub(crate) fn begin_verifying(&self) {
        self.bar.set_prefix(format!("{}, verifying", self.what));
        self.bar.reset();
        self.bytes.set(0);
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn show(&self) {
        if !self.bar.is_hidden() {
            self.bar.set_message(HumanBytes(self.bytes.get()).to_string());
        }
    }
}

/// A bar for this many steps. `indicatif` hides it where standard error is no terminal.
pub(crate) fn bar(output: &Output, steps: usize, what: &'static str) -> ProgressBar {
    if !output.shows_progress() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}").expect("the template is valid");
    ProgressBar::new(steps as u64).with_style(style).with_message(what)
}

/// Counts what nobody knows the number of.
pub(crate) fn counter(output: &Output, what: &'static str) -> ProgressBar {
    if !output.shows_progress() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg} {human_pos}").expect("the template is valid");
    ProgressBar::new_spinner().with_style(style).with_message(what)
}
