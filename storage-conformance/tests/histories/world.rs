//! A file tree that is right, one call at a time.

use std::collections::BTreeMap;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use storage_conformance::history::{Call, Loaded, Log, Outcome, PlaceChange, PlaceKind, Transaction};
use storage_core::kv::Revision;
use storage_core::{EntryKind, ErrorKind, Version};

#[derive(Default)]
pub(crate) struct World {
    pub(crate) log: Log,
    revision: Revision,
    files: BTreeMap<String, Loaded>,
    /// The tokens in the queue of each lock.
    queues: BTreeMap<String, Vec<Revision>>,
}

impl World {
    /// Carries a call out, at once.
    pub(crate) fn execute(&mut self, call: &Call, fence: Option<Revision>) -> Outcome {
        if let Some(token) = fence
            && !self.queues.values().any(|queue| queue.first() == Some(&token))
        {
            return refused(ErrorKind::LockLost, "");
        }
        match call {
            Call::Store { files } => {
                if let Some(refusal) = files.iter().find_map(|(path, _)| self.refusal(path)) {
                    return refusal;
                }
                self.put(files.clone())
            }
            Call::Create { path, content } => match (self.refusal(path), self.files.get(path)) {
                (Some(refusal), _) => refusal,
                (None, Some(_)) => refused(ErrorKind::AlreadyExists, path),
                (None, None) => self.put(vec![(path.clone(), content.clone())]),
            },
            Call::LoadOrStore { path, content } => match (self.refusal(path), self.files.get(path)) {
                (Some(refusal), _) => refusal,
                (None, Some(found)) => Outcome::Loaded(found.clone()),
                (None, None) => self.put(vec![(path.clone(), content.clone())]),
            },
            Call::StoreIf { path, content, version } => match self.files.get(path) {
                None => refused(ErrorKind::NotFound, path),
                Some(found) if found.version != *version => refused(ErrorKind::Conflict, path),
                Some(_) => self.put(vec![(path.clone(), content.clone())]),
            },
            Call::DeleteFile { path } if self.is_directory(path) => refused(ErrorKind::IsADirectory, path),
            Call::Delete { path } | Call::DeleteFile { path } => {
                let gone: Vec<_> = self.at_or_below(path).cloned().collect();
                self.delete(gone)
            }
            Call::Rename { from, to } => self.rename(from, to),
            Call::Load { path } => match self.files.get(path) {
                Some(found) => Outcome::Loaded(found.clone()),
                None => self.no_file(path),
            },
            Call::LoadMany { paths } => {
                Outcome::LoadedMany(paths.iter().map(|path| self.files.get(path).cloned()).collect())
            }
            Call::Stat { path } => match self.files.get(path) {
                Some(found) => Outcome::Stat(EntryKind::File, found.version),
                None if self.is_directory(path) => {
                    let newest = self.at_or_below(path).map(|path| self.files[path].version).max();
                    Outcome::Stat(EntryKind::Directory, newest.unwrap())
                }
                None => refused(ErrorKind::NotFound, path),
            },
            Call::Exists { path } => Outcome::Exists(self.at_or_below(path).next().is_some()),
            Call::List { path } => {
                if self.files.contains_key(path) {
                    return refused(ErrorKind::NotADirectory, path);
                }
                let files: Vec<_> =
                    self.at_or_below(path).map(|path| (path.clone(), self.files[path].version)).collect();
                if files.is_empty() { refused(ErrorKind::NotFound, path) } else { Outcome::Listed(files) }
            }
            Call::Unlock { name, token } => {
                if self.leave(name, *token) {
                    Outcome::Released
                } else {
                    refused(ErrorKind::LockLost, name)
                }
            }
            other => panic!("{other:?} is not carried out at once"),
        }
    }

    fn rename(&mut self, from: &str, to: &str) -> Outcome {
        let Some(found) = self.files.get(from) else { return self.no_file(from) };
        if self.files.contains_key(to) {
            return refused(ErrorKind::AlreadyExists, to);
        }
        if let Some(refusal) = self.refusal(to) {
            return refusal;
        }
        let content = found.content.clone();
        self.files.remove(from);
        let outcome = self.put(vec![(to.to_owned(), content)]);
        let transaction = self.log.transactions.last_mut().unwrap();
        transaction.files.push((from.to_owned(), None));
        transaction.files.sort();
        outcome
    }

    /// Comes to the end of a queue; answers the token.
    pub(crate) fn queue(&mut self, name: &str) -> Revision {
        self.revision.0 += 1;
        let token = self.revision;
        self.queues.entry(name.to_owned()).or_default().push(token);
        self.place(name, token, PlaceKind::Came);
        token
    }

    /// Whether it is the turn of a token; `None` if it is not in the queue any more.
    pub(crate) fn turn(&self, name: &str, token: Revision) -> Option<bool> {
        let position = self.queues[name].iter().position(|other| *other == token)?;
        Some(position == 0)
    }

    /// Leaves a queue; answers whether it was there.
    pub(crate) fn leave(&mut self, name: &str, token: Revision) -> bool {
        let Some(queue) = self.queues.get_mut(name) else { return false };
        let Some(position) = queue.iter().position(|other| *other == token) else { return false };
        queue.remove(position);
        self.revision.0 += 1;
        self.place(name, token, PlaceKind::Went);
        true
    }

    /// Somebody's lease runs out.
    pub(crate) fn end_a_session(&mut self, random: &mut StdRng) {
        let places =
            self.queues.iter().flat_map(|(name, queue)| queue.iter().map(move |token| (name, token)));
        if let Some((name, token)) = places.choose(random) {
            let (name, token) = (name.clone(), *token);
            self.leave(&name, token);
        }
    }

    fn place(&mut self, name: &str, token: Revision, kind: PlaceKind) {
        let change = PlaceChange { queue: name.to_owned(), token, kind };
        let mut transaction = Transaction::at(self.revision);
        transaction.places.push(change);
        self.log.transactions.push(transaction);
    }

    fn put(&mut self, mut files: Vec<(String, Bytes)>) -> Outcome {
        self.revision.0 += 1;
        let version = Version::new(self.revision);
        files.sort();
        let mut transaction = Transaction::at(self.revision);
        for (path, content) in files {
            self.files.insert(path.clone(), Loaded { version, content: content.clone() });
            transaction.files.push((path, Some(content)));
        }
        self.log.transactions.push(transaction);
        Outcome::Wrote(version)
    }

    fn delete(&mut self, paths: Vec<String>) -> Outcome {
        let count = paths.len() as u64;
        if count > 0 {
            self.revision.0 += 1;
            let mut transaction = Transaction::at(self.revision);
            for path in paths {
                self.files.remove(&path);
                transaction.files.push((path, None));
            }
            self.log.transactions.push(transaction);
        }
        Outcome::Deleted(count)
    }

    fn at_or_below<'w>(&'w self, path: &str) -> impl Iterator<Item = &'w String> {
        let below = format!("{path}/");
        let file = self.files.get_key_value(path).map(|(path, _)| path);
        let behind = self.files.range(below.clone()..).map(|(path, _)| path);
        file.into_iter().chain(behind.take_while(move |path| path.starts_with(&below)))
    }

    fn is_directory(&self, path: &str) -> bool {
        self.at_or_below(path).any(|file| file != path)
    }

    fn no_file(&self, path: &str) -> Outcome {
        let kind = if self.is_directory(path) { ErrorKind::IsADirectory } else { ErrorKind::NotFound };
        refused(kind, path)
    }

    /// Why the path cannot be a file's.
    fn refusal(&self, path: &str) -> Option<Outcome> {
        let above = path.match_indices('/').map(|(slash, _)| &path[..slash]);
        if let Some(file) = above.into_iter().find(|above| self.files.contains_key(*above)) {
            return Some(refused(ErrorKind::NotADirectory, file));
        }
        self.is_directory(path).then(|| refused(ErrorKind::IsADirectory, path))
    }
}

fn refused(kind: ErrorKind, path: &str) -> Outcome {
    Outcome::Refused { kind, path: path.to_owned() }
}
