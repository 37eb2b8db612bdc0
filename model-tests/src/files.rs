//! A file tree as the contract describes it: which files there are, and what every operation makes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use bytes::Bytes;
use storage_core::kv::Revision;
use storage_core::{ErrorKind, Sha1Digest, Version};

/// What an operation answers: or the kinds of errors of which it must have one.
pub(crate) type Expected<T> = Result<T, Vec<ErrorKind>>;

/// The files, by path. Content and metadata are apart, since damage can part them; a file is where its metadata is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tree {
    pub(crate) meta: BTreeMap<String, Meta>,
    pub(crate) data: BTreeMap<String, Bytes>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Meta {
    pub(crate) record: Record,
    pub(crate) version: Version,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Record {
    Good {
        size: u64,
        sha1: Sha1Digest,
        /// `None` until somebody has told.
        modified: Option<SystemTime>,
    },
    /// It cannot be read.
    Broken,
    /// It is of a later version.
    Later,
}

/// A file or directory as `stat` shows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stat {
    pub(crate) is_dir: bool,
    pub(crate) size: u64,
    pub(crate) sha1: Option<Sha1Digest>,
    pub(crate) modified: SystemTime,
    pub(crate) version: Version,
}

/// What a write changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    /// Files that are put. With a time if it is that of before.
    pub(crate) puts: Vec<(String, Bytes, Option<SystemTime>)>,
    /// A path below which all is deleted, itself included; the root for everything.
    pub(crate) deletes: Option<String>,
    /// A file that is moved away.
    pub(crate) moves: Option<String>,
}

/// Reads a path of a file or a directory.
pub(crate) fn any_path(path: &str) -> Expected<String> {
    let path = path.trim_matches('/');
    let is_irregular = |component: &str| matches!(component, "" | "." | "..") || component.len() > 255;
    let is_refused = path.len() > 1024
        || path.chars().any(|c| c.is_control() || c == '\\')
        || path.split('/').count() > 64
        || (!path.is_empty() && path.split('/').any(is_irregular));
    if is_refused { Err(vec![ErrorKind::InvalidPath]) } else { Ok(path.to_owned()) }
}

/// Reads a path of a file.
pub(crate) fn file_path(path: &str) -> Expected<String> {
    any_path(path).and_then(|path| if path.is_empty() { Err(vec![ErrorKind::InvalidPath]) } else { Ok(path) })
}

/// Whether `path` lies below `above`.
pub(crate) fn is_below(above: &str, path: &str) -> bool {
    !path.is_empty()
        && (above.is_empty() || path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/')))
}

/// The directories above a path, from the top, without the root.
pub(crate) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}

impl Tree {
    pub(crate) fn is_dir(&self, path: &str) -> bool {
        path.is_empty() || self.meta.keys().any(|file| is_below(path, file))
    }

    /// What stands in the way of a file.
    fn may_be_file(&self, path: &str) -> Expected<()> {
        if ancestors(path).any(|above| self.meta.contains_key(above)) {
            return Err(vec![ErrorKind::NotADirectory]);
        }
        if self.is_dir(path) { Err(vec![ErrorKind::IsADirectory]) } else { Ok(()) }
    }

    pub(crate) fn store(&self, path: &str, content: &Bytes) -> Expected<Plan> {
        let path = file_path(path)?;
        self.may_be_file(&path)?;
        Ok(Plan { puts: vec![(path, content.clone(), None)], ..Plan::default() })
    }

    pub(crate) fn create(&self, path: &str, content: &Bytes) -> Expected<Plan> {
        let plan = self.store(path, content)?;
        if self.meta.contains_key(&plan.puts[0].0) { Err(vec![ErrorKind::AlreadyExists]) } else { Ok(plan) }
    }

    pub(crate) fn store_if(&self, path: &str, content: &Bytes, version: Version) -> Expected<Plan> {
        let path = file_path(path)?;
        match self.meta.get(&path) {
            None => Err(vec![ErrorKind::NotFound]),
            Some(meta) if meta.version != version => Err(vec![ErrorKind::Conflict]),
            Some(_) => Ok(Plan { puts: vec![(path, content.clone(), None)], ..Plan::default() }),
        }
    }

    /// Which of the errors is answered is open when several files cannot be stored.
    pub(crate) fn store_many(&self, files: &[(String, Bytes)]) -> Expected<Plan> {
        let mut seen = BTreeSet::new();
        for (path, _) in files {
            if !seen.insert(file_path(path)?) {
                return Err(vec![ErrorKind::InvalidPath]);
            }
        }
        if seen.iter().any(|path| seen.iter().any(|other| is_below(path, other))) {
            return Err(vec![ErrorKind::NotADirectory]);
        }
        let refusals: Vec<_> =
            seen.iter().filter_map(|path| self.may_be_file(path).err()).flatten().collect();
        if !refusals.is_empty() {
            return Err(refusals);
        }
        let puts = files.iter().map(|(path, content)| Ok((file_path(path)?, content.clone(), None)));
        Ok(Plan { puts: puts.collect::<Expected<_>>()?, ..Plan::default() })
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> Expected<Plan> {
        let (source, target) = (file_path(from)?, file_path(to)?);
        let (content, meta) = self.load(from)?;
        if self.meta.contains_key(&target) {
            return Err(vec![ErrorKind::AlreadyExists]);
        }
        self.may_be_file(&target)?;
        let modified = match &meta.record {
            Record::Good { modified, .. } => *modified,
            Record::Broken | Record::Later => None,
        };
        Ok(Plan { puts: vec![(target, content, modified)], moves: Some(source), ..Plan::default() })
    }

    pub(crate) fn delete(&self, path: &str) -> Expected<(u64, Plan)> {
        let path = file_path(path)?;
        Ok(self.deleting(path))
    }

    pub(crate) fn delete_file(&self, path: &str) -> Expected<(u64, Plan)> {
        let path = file_path(path)?;
        if self.is_dir(&path) { Err(vec![ErrorKind::IsADirectory]) } else { Ok(self.deleting_file(path)) }
    }

    pub(crate) fn delete_all(&self) -> (u64, Plan) {
        self.deleting(String::new())
    }

    fn deleting(&self, path: String) -> (u64, Plan) {
        let count = self.meta.keys().filter(|file| **file == path || is_below(&path, file)).count();
        (count as u64, Plan { deletes: Some(path), ..Plan::default() })
    }

    fn deleting_file(&self, path: String) -> (u64, Plan) {
        let count = u64::from(self.meta.contains_key(&path));
        (count, Plan { moves: Some(path), ..Plan::default() })
    }

    pub(crate) fn load(&self, path: &str) -> Expected<(Bytes, Meta)> {
        let path = any_path(path)?;
        if path.is_empty() {
            return Err(vec![ErrorKind::IsADirectory]);
        }
        match (self.meta.get(&path), self.data.get(&path)) {
            (Some(meta), data) => match (&meta.record, data) {
                (Record::Later, _) => Err(vec![ErrorKind::Unsupported]),
                (Record::Broken, _) | (Record::Good { .. }, None) => Err(vec![ErrorKind::Corrupt]),
                (Record::Good { sha1, .. }, Some(data)) if Sha1Digest::of(data) == *sha1 => {
                    Ok((data.clone(), meta.clone()))
                }
                (Record::Good { .. }, Some(_)) => Err(vec![ErrorKind::ChecksumMismatch]),
            },
            (None, Some(_)) => Err(vec![ErrorKind::Corrupt]),
            (None, None) if self.is_dir(&path) => Err(vec![ErrorKind::IsADirectory]),
            (None, None) => Err(vec![ErrorKind::NotFound]),
        }
    }

    pub(crate) fn exists(&self, path: &str) -> Expected<bool> {
        let path = any_path(path)?;
        Ok(self.meta.contains_key(&path) || self.is_dir(&path))
    }

    pub(crate) fn stat(&self, path: &str) -> Expected<Stat> {
        let path = any_path(path)?;
        if let Some(meta) = self.meta.get(&path) {
            return meta.stat();
        }
        if !self.is_dir(&path) {
            return Err(vec![ErrorKind::NotFound]);
        }
        let mut sum = Stat {
            is_dir: true,
            size: 0,
            sha1: None,
            modified: SystemTime::UNIX_EPOCH,
            version: Version::new(Revision::ZERO),
        };
        let below = self.meta.iter().filter(|(file, _)| is_below(&path, file));
        for file in below.filter_map(|(_, meta)| meta.stat().ok()) {
            sum.size += file.size;
            sum.modified = sum.modified.max(file.modified);
            sum.version = sum.version.max(file.version);
        }
        Ok(sum)
    }

    /// Carries out a write at this version. Files whose time nobody has told yet have none.
    pub(crate) fn apply(&mut self, plan: &Plan, version: Version) {
        let goes = |path: &str| {
            let is_deleted = |below: &String| path == below || is_below(below, path);
            plan.deletes.as_ref().is_some_and(is_deleted) || plan.moves.as_deref() == Some(path)
        };
        self.meta.retain(|path, _| !goes(path));
        self.data.retain(|path, _| !goes(path));
        for (path, content, modified) in &plan.puts {
            let size = content.len() as u64;
            let record = Record::Good { size, sha1: Sha1Digest::of(content), modified: *modified };
            self.meta.insert(path.clone(), Meta { record, version });
            self.data.insert(path.clone(), content.clone());
        }
    }
}

impl Meta {
    /// Takes note of when the file was written.
    pub(crate) fn tell_time(&mut self, at: SystemTime) {
        if let Record::Good { modified, .. } = &mut self.record {
            *modified = Some(at);
        }
    }

    pub(crate) fn stat(&self) -> Expected<Stat> {
        match &self.record {
            Record::Good { size, sha1, modified } => Ok(Stat {
                is_dir: false,
                size: *size,
                sha1: Some(*sha1),
                modified: modified.expect("the time is asked for after each write"),
                version: self.version,
            }),
            Record::Broken => Err(vec![ErrorKind::Corrupt]),
            Record::Later => Err(vec![ErrorKind::Unsupported]),
        }
    }
}
