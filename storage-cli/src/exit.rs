//! Exit codes: the one place that says which error ends the command with which.

use std::process::ExitCode;

use storage_core::ErrorKind;

/// How the command ends. Of several that apply the greatest is the one that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    Ok,
    NotFound,
    Usage,
    Unavailable,
    Conflict,
    Damaged,
    /// The code of a command that was run, or what a shell says instead of one.
    Passed(u8),
}

impl Exit {
    /// The explanation for `--help`.
    pub(crate) const HELP: &str = "\
Exit codes:
  0  done
  1  not found; `exists`: no; `diff`: there are differences
  2  wrong usage, path or setting, too large for the store, or not permitted by it
  3  the store cannot be reached, did not answer or is full, the outcome of a write is
     not known, or a local file could not be read or written
  4  conflict: exists already, a directory where a file is needed or the reverse,
     changed by somebody else, or a lock that is not free or was lost
  5  damaged data in the store
130 or 143 after Ctrl-C or SIGTERM: what was under way was ended first.
`lock` and `try-lock` end with the code of their command: 128 and the number of the
signal that killed it, 126 or 127 if it cannot be run.";

    /// What a shell says of a program that this signal ended.
    pub(crate) fn of_signal(signal: i32) -> Self {
        Self::Passed(u8::try_from(signal).unwrap_or(u8::MAX).saturating_add(128))
    }

    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::NotFound => 1,
            Self::Usage => 2,
            Self::Unavailable => 3,
            Self::Conflict => 4,
            Self::Damaged => 5,
            Self::Passed(code) => code,
        }
    }

    /// The code for an error of this kind.
    pub(crate) fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::InvalidPath
            | ErrorKind::InvalidName
            | ErrorKind::TooLarge
            | ErrorKind::PermissionDenied
            | ErrorKind::Unauthenticated
            | ErrorKind::InvalidConfig
            | ErrorKind::Unsupported => Self::Usage,
            ErrorKind::AlreadyExists
            | ErrorKind::IsADirectory
            | ErrorKind::NotADirectory
            | ErrorKind::Conflict
            | ErrorKind::LockTimeout
            | ErrorKind::LockLost
            | ErrorKind::NotHeld => Self::Conflict,
            ErrorKind::ChecksumMismatch | ErrorKind::Corrupt => Self::Damaged,
            // Also what a later version of the library may add: it is a failure that is not the user's.
            _ => Self::Unavailable,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: [(ErrorKind, u8, &str); 23] = [
        (ErrorKind::NotFound, 1, "not_found"),
        (ErrorKind::AlreadyExists, 4, "already_exists"),
        (ErrorKind::IsADirectory, 4, "is_a_directory"),
        (ErrorKind::NotADirectory, 4, "not_a_directory"),
        (ErrorKind::InvalidPath, 2, "invalid_path"),
        (ErrorKind::InvalidName, 2, "invalid_name"),
        (ErrorKind::ChecksumMismatch, 5, "checksum_mismatch"),
        (ErrorKind::Corrupt, 5, "corrupt"),
        (ErrorKind::Conflict, 4, "conflict"),
        (ErrorKind::TooLarge, 2, "too_large"),
        (ErrorKind::LockTimeout, 4, "lock_timeout"),
        (ErrorKind::LockLost, 4, "lock_lost"),
        (ErrorKind::NotHeld, 4, "not_held"),
        (ErrorKind::Closed, 3, "closed"),
        (ErrorKind::Unavailable, 3, "unavailable"),
        (ErrorKind::Timeout, 3, "timeout"),
        (ErrorKind::OutcomeUnknown, 3, "outcome_unknown"),
        (ErrorKind::PermissionDenied, 2, "permission_denied"),
        (ErrorKind::Unauthenticated, 2, "unauthenticated"),
        (ErrorKind::NoSpace, 3, "no_space"),
        (ErrorKind::InvalidConfig, 2, "invalid_config"),
        (ErrorKind::Unsupported, 2, "unsupported"),
        (ErrorKind::Internal, 3, "internal"),
    ];

    #[test]
    fn every_kind_has_its_code_and_its_name() {
        for (kind, code, name) in TABLE {
            assert_eq!(Exit::of(kind).code(), code, "{kind:?}");
            assert_eq!(kind.name(), name, "{kind:?}");
        }
    }

    #[test]
    fn the_help_and_the_readme_explain_every_code() {
        let readme = include_str!("../README.md");
        for exit in [Exit::Ok, Exit::NotFound, Exit::Usage, Exit::Unavailable, Exit::Conflict, Exit::Damaged]
        {
            let code = exit.code();
            assert!(Exit::HELP.contains(&format!("\n  {code}  ")), "{code}");
            assert!(readme.contains(&format!("\n| {code} | ")), "{code}");
        }
    }

    #[test]
    fn a_signal_has_the_code_that_shells_give_it() {
        assert_eq!(Exit::of_signal(15).code(), 143);
        assert_eq!(Exit::of_signal(64).code(), 192);
    }
}
