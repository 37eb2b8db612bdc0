//! The one place that draws the machine's random numbers.

/// Sixteen random bytes: enough that two writes of a cluster never draw the same.
#[expect(clippy::disallowed_methods, reason = "this is the module that the lint sends everybody to")]
pub(crate) fn id() -> [u8; 16] {
    rand::random()
}
