//! Fuzz targets: what users, other programs and a damaged store may hand to this crate. Each is a module with one test,
//! which tries some thousand inputs under `cargo test` and a million under `cargo xtask fuzz`.

mod deletions;
mod document;
mod identities;
mod keys;
mod locks;
mod paths;
mod ranges;
mod records;

use bad_input::one_line;

use crate::error::Error;

/// Checks what users see of an error about something that they spelled: one lower-case line, in which the spelling stands
/// once, in quotes, with everything escaped that a terminal or a log might obey.
fn check_error(error: &Error, spelled: &str) {
    let message = error.to_string();
    assert!(one_line(&message), "an error is one harmless line: {message:?}");
    let quoted = format!("{spelled:?}");
    let (before, after) = message.split_once(&quoted).expect("an error names what it is about");
    assert!(!before.contains(char::is_uppercase) && !after.contains(char::is_uppercase), "{message:?}");
    let says_why = after.rsplit_once(": ").is_some_and(|(_, reason)| !reason.is_empty());
    assert!(says_why, "an error gives the reason: {message:?}");
}
