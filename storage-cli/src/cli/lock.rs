//! The command line of locks and of watching.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::SignedDuration;

#[derive(Debug, Args)]
pub(crate) struct Lock {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Wait at most so long for the lock, then end with code 4; without limit if it is not given.
    #[arg(long, value_name = "DURATION", value_parser = wait)]
    pub(crate) wait: Option<Duration>,
    #[command(flatten)]
    pub(crate) run: Run,
}

#[derive(Debug, Args)]
pub(crate) struct TryLock {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// The lock, and how it is taken.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The name of the lock: any text of up to 1,024 bytes. It has nothing to do with the paths of files.
    pub(crate) name: String,
    /// What `kvfs locks` shows beside host and process, for whoever wonders why the lock is taken.
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
    /// How long the lock stays taken if kvfs is killed or loses the store; at least 1s. By default the `lock_timeout`
    /// of the configuration, which is 5m unless it says otherwise.
    #[arg(long, value_name = "DURATION", value_parser = ttl)]
    pub(crate) ttl: Option<Duration>,
}

/// The command to run.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The command and its arguments. It finds the lock's name in `KVFS_LOCK_NAME` and its fencing token in
    /// `KVFS_LOCK_TOKEN`.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct Locks {
    #[command(subcommand)]
    pub(crate) command: Option<LocksCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LocksCommand {
    /// List who holds locks and who waits for them; what `kvfs locks` does.
    List,
    /// Take a lock from its holder, whoever that is, when waiting for its end is no option.
    ///
    /// A `kvfs lock` that holds it ends its command. Another program is told, and may go on all the same.
    Break(Break),
}

#[derive(Debug, Args)]
pub(crate) struct Break {
    /// The name of the lock.
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// A file or directory, which need not exist; the whole tree if it is not given.
    #[arg(default_value = "", hide_default_value = true)]
    pub(crate) path: String,
    /// Print the changes since this revision first, which is a file's version or that of a change printed before.
    #[arg(long, value_name = "REVISION")]
    pub(crate) after: Option<u64>,
}

fn wait(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("not to wait at all is `kvfs try-lock`".to_owned()),
        wait => Ok(wait),
    }
}

fn ttl(text: &str) -> Result<Duration, String> {
    const SHORTEST: Duration = Duration::from_secs(1);
    // Longer than any lock should survive its holder, and no more than every store can count.
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    match duration(text)? {
        ttl if ttl < SHORTEST => Err("it must be at least 1s".to_owned()),
        ttl if ttl > LONGEST => Err("it must be at most 8760h, a year".to_owned()),
        ttl => Ok(ttl),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = |_| "not a duration, which is like 30s, 1m30s, 250ms or 2h".to_owned();
    let duration: SignedDuration = text.parse().map_err(wrong)?;
    duration.try_into().map_err(|_| "a duration is not negative".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_people_write_them() {
        for (text, milliseconds) in [
            ("30s", 30_000),
            ("1m30s", 90_000),
            ("250ms", 250),
            ("5 min", 300_000),
            ("2h", 7_200_000),
            ("PT30S", 30_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "30", "s", "1x", "1 day", "-", "1s\u{1b}[31m"] {
            let error = duration(text).unwrap_err();
            assert!(error.contains("like 30s"), "{text:?}: {error}");
        }
        for text in ["-1s", "1s ago", "-PT1S"] {
            assert!(duration(text).unwrap_err().contains("not negative"), "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(wait("0s").unwrap_err().contains("try-lock"));
        assert!(ttl("999ms").unwrap_err().contains("at least 1s"));
        assert!(ttl("8761h").unwrap_err().contains("at most 8760h"));
        assert_eq!(ttl("1s"), Ok(Duration::from_secs(1)));
    }
}
