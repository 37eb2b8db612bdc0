//! Tar files, as `caddy storage export`, GNU tar and others write and read them.

#[cfg(test)]
mod fuzz;
mod read;
mod time;
mod write;

pub(super) use read::Archive;
pub(super) use write::Writer;

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use storage_core::FilePath;

    use super::super::Verb;
    use super::*;
    use crate::interrupt::Interrupt;

    #[test]
    fn whatever_is_written_is_read_again() {
        let mut files = Vec::new();
        for length in (1..255).step_by(7).chain([99, 100, 101, 155, 156, 254, 255]) {
            // Around what a header has room for, undivided and divided.
            files.push("n".repeat(length));
            files.push(format!("{}/{}", "d".repeat(length), "n".repeat(300 - length.max(46))));
            files.push(format!("{}\u{e4}", "u".repeat(length.min(253))));
        }
        files.push(["c"; 64].join("/"));
        files.push(vec!["x".repeat(203); 5].join("/"));
        files.sort();
        files.dedup();
        let times = [
            None,
            Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1)),
            Some(SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 1)),
            Some(SystemTime::UNIX_EPOCH - Duration::new(5, 5)),
            Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 37)),
        ];
        let mut writer = Writer::create(None).unwrap();
        for (number, (path, time)) in files.iter().zip(times.iter().cycle()).enumerate() {
            writer.append(&FilePath::parse(path).unwrap(), &vec![7; number * 37], *time).unwrap();
        }
        let archive = Archive::of(writer.finish().unwrap().file, "test".to_owned());
        let survey = archive.survey(Verb::Import, &Interrupt::never()).unwrap();
        assert!(survey.problems.is_empty() && survey.skipped.is_empty(), "{survey:?}");
        assert_eq!(survey.items.len(), files.len());
        for (number, ((item, path), time)) in
            survey.items.iter().zip(&files).zip(times.iter().cycle()).enumerate()
        {
            assert_eq!((item.path.as_str(), item.modified), (path.as_str(), *time));
            assert_eq!(archive.load(Verb::Import, item).unwrap().content, vec![7; number * 37]);
        }
    }
}
