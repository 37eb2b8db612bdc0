//! The one place that reads the wall clock.

use std::time::SystemTime;

/// Now, for the `modified` time of a file.
#[expect(clippy::disallowed_methods, reason = "this is the module that the lint sends everybody to")]
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}
