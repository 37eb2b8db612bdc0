//! Whether the two values of a file are what was stored.

use crate::checksum::Sha1Digest;
use crate::kv::Entry;
use crate::layout::{Layout, LayoutKind};
use crate::metadata::Metadata;
use crate::path::FilePath;
use crate::problem::{Halves, Problem, ProblemKind};
use crate::record::RecordError;

/// What two values are.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// A file as it was stored.
    Whole(Metadata),
    /// Something else.
    Wrong(Problem),
    /// There are none.
    Nothing,
}

/// Judges what lies where the record and the content of a file belong.
pub(crate) fn judge(
    layout: &Layout,
    path: &FilePath,
    record: Option<&Entry>,
    content: Option<&Entry>,
) -> Verdict {
    let halves = Halves {
        data: content.map(|entry| entry.mod_revision),
        meta: record.map(|entry| entry.mod_revision),
    };
    let key = if record.is_some() { layout.meta(path) } else { layout.data(path) };
    let wrong = |kind| Problem::of_file(kind, path.clone(), key.clone(), halves);
    let Some(record) = record else {
        let kind = match layout.kind() {
            LayoutKind::Native => ProblemKind::ContentAlone,
            // Among the files are all keys of others below the prefix.
            LayoutKind::CaddyEtcd => ProblemKind::ContentUnclaimed,
        };
        return content.map_or(Verdict::Nothing, |_| Verdict::Wrong(wrong(kind)));
    };
    let decoded = match layout.decode_record(&record.value) {
        Ok(decoded) => decoded,
        Err(RecordError::Later(version)) => {
            return Verdict::Wrong(wrong(ProblemKind::MetadataLater { version }));
        }
        Err(error) => {
            let unreadable = wrong(ProblemKind::MetadataUnreadable).with_detail(error.to_string());
            return Verdict::Wrong(unreadable);
        }
    };
    let Some(content) = content else { return Verdict::Wrong(wrong(ProblemKind::MetadataAlone)) };
    let Some(content) = layout.decode_content(content.value.clone()) else {
        return Verdict::Wrong(wrong(ProblemKind::ChecksumMismatch).with_detail("it is no base64"));
    };
    let found = content.len() as u64;
    if decoded.size != found {
        return Verdict::Wrong(wrong(ProblemKind::SizeMismatch { stored: decoded.size, found }));
    }
    if decoded.sha1 != Sha1Digest::of(&content) {
        return Verdict::Wrong(wrong(ProblemKind::ChecksumMismatch));
    }
    Verdict::Whole(Metadata::of_facts(path.clone(), &decoded, record.mod_revision))
}
