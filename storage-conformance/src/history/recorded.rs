use bytes::Bytes;
use storage_core::kv::{KvBackend, Revision};
use storage_core::{
    DirEntry, EntryKind, File, ListOptions, LoadOrStore, LockGuard, LockOptions, Metadata, Result,
    Sha1Digest, Storage, Version,
};

use super::operation::{Call, Loaded, Outcome};
use super::recorder::Recorder;

/// A storage whose calls are written down. Its methods are those of [`Storage`]: they do and answer the same, and may be
/// dropped alike, which leaves a call without an answer in the history.
#[derive(Debug)]
pub struct RecordedStorage<B> {
    storage: Storage<B>,
    by: By,
}

/// A guard whose calls are written down, as fenced ones. Dropping it releases the lock without a word in the history.
#[derive(Debug)]
#[must_use = "dropping the guard releases the lock"]
pub struct RecordedGuard<B: KvBackend> {
    guard: LockGuard<B>,
    by: By,
}

#[allow(clippy::missing_errors_doc, reason = "the errors are those of the methods of the same names")]
impl<B: KvBackend> RecordedStorage<B> {
    /// Writes down what this client does through this storage. A client may make several calls at once.
    pub fn new(storage: Storage<B>, recorder: Recorder, client: usize) -> Self {
        Self { storage, by: By { recorder, client, fence: None } }
    }

    /// The storage, for calls that nobody is to write down. What they change nobody has done, in the history's eyes.
    pub fn storage(&self) -> &Storage<B> {
        &self.storage
    }

    /// The number of the client.
    pub fn client(&self) -> usize {
        self.by.client
    }

    /// [`Storage::store`].
    pub async fn store(&self, path: &str, content: impl Into<Bytes> + Send) -> Result<Metadata> {
        let content = content.into();
        let call = Call::Store { files: vec![(spelled(path), content.clone())] };
        self.by.record(call, self.storage.store(path, content.clone()), |file| wrote(file, &content)).await
    }

    /// [`Storage::store_many`].
    pub async fn store_many(&self, files: Vec<(String, Bytes)>) -> Result<Vec<Metadata>> {
        let made = self.storage.store_many(files.clone());
        self.by.record(group(&files), made, |stored| wrote_group(stored, &files)).await
    }

    /// [`Storage::create`].
    pub async fn create(&self, path: &str, content: impl Into<Bytes> + Send) -> Result<Metadata> {
        let content = content.into();
        let call = Call::Create { path: spelled(path), content: content.clone() };
        self.by.record(call, self.storage.create(path, content.clone()), |file| wrote(file, &content)).await
    }

    /// [`Storage::store_if`].
    pub async fn store_if(
        &self,
        path: &str,
        content: impl Into<Bytes> + Send,
        version: Version,
    ) -> Result<Metadata> {
        let content = content.into();
        let call = Call::StoreIf { path: spelled(path), content: content.clone(), version };
        let made = self.storage.store_if(path, content.clone(), version);
        self.by.record(call, made, |file| wrote(file, &content)).await
    }

    /// [`Storage::load_or_store`].
    pub async fn load_or_store(&self, path: &str, content: impl Into<Bytes> + Send) -> Result<LoadOrStore> {
        let content = content.into();
        let call = Call::LoadOrStore { path: spelled(path), content: content.clone() };
        let answer = |done: &LoadOrStore| match done {
            LoadOrStore::Loaded(file) => loaded(file).map_or_else(Outcome::Wrong, Outcome::Loaded),
            LoadOrStore::Stored(file) => wrote(&file.metadata, &content),
        };
        self.by.record(call, self.storage.load_or_store(path, content.clone()), answer).await
    }

    /// [`Storage::delete`].
    pub async fn delete(&self, path: &str) -> Result<u64> {
        let call = Call::Delete { path: spelled(path) };
        self.by.record(call, self.storage.delete(path), |count| Outcome::Deleted(*count)).await
    }

    /// [`Storage::delete_file`].
    pub async fn delete_file(&self, path: &str) -> Result<u64> {
        let call = Call::DeleteFile { path: spelled(path) };
        self.by.record(call, self.storage.delete_file(path), |count| Outcome::Deleted(*count)).await
    }

    /// [`Storage::delete_all`].
    pub async fn delete_all(&self) -> Result<u64> {
        let call = Call::Delete { path: String::new() };
        self.by.record(call, self.storage.delete_all(), |count| Outcome::Deleted(*count)).await
    }

    /// [`Storage::rename`].
    pub async fn rename(&self, from: &str, to: &str) -> Result<Metadata> {
        self.by.record(moving(from, to), self.storage.rename(from, to), moved).await
    }

    /// [`Storage::load`].
    pub async fn load(&self, path: &str) -> Result<Bytes> {
        Ok(self.load_file(path).await?.content)
    }

    /// [`Storage::load_file`].
    pub async fn load_file(&self, path: &str) -> Result<File> {
        let call = Call::Load { path: spelled(path) };
        let answer = |file: &File| loaded(file).map_or_else(Outcome::Wrong, Outcome::Loaded);
        self.by.record(call, self.storage.load_file(path), answer).await
    }

    /// [`Storage::load_many`].
    pub async fn load_many(&self, paths: &[&str]) -> Result<Vec<Result<File>>> {
        let call = Call::LoadMany { paths: paths.iter().copied().map(spelled).collect() };
        self.by.record(call, self.storage.load_many(paths), |files| loaded_many(files)).await
    }

    /// [`Storage::stat`].
    pub async fn stat(&self, path: &str) -> Result<Metadata> {
        let call = Call::Stat { path: spelled(path) };
        let made = self.storage.stat(path);
        self.by.record(call, made, |found| Outcome::Stat(found.kind, found.version)).await
    }

    /// [`Storage::exists`].
    pub async fn exists(&self, path: &str) -> Result<bool> {
        let call = Call::Exists { path: spelled(path) };
        self.by.record(call, self.storage.exists(path), |is_there| Outcome::Exists(*is_there)).await
    }

    /// [`Storage::list`] of all descendants, with metadata.
    pub async fn list(&self, path: &str) -> Result<Vec<DirEntry>> {
        let call = Call::List { path: spelled(path) };
        let made = self.storage.list(path, ListOptions::descendants().with_metadata());
        self.by.record(call, made, |entries| listed(entries)).await
    }

    /// [`Storage::lock_with`].
    pub async fn lock(&self, name: &str, options: LockOptions) -> Result<RecordedGuard<B>> {
        let call = Call::Lock { name: name.to_owned() };
        let made = self.storage.lock_with(name, options);
        let guard = self.by.record(call, made, |guard| Outcome::Acquired(token(guard))).await?;
        Ok(self.recorded(guard))
    }

    /// [`Storage::try_lock_with`].
    pub async fn try_lock(&self, name: &str, options: LockOptions) -> Result<Option<RecordedGuard<B>>> {
        let call = Call::Lock { name: name.to_owned() };
        let made = self.storage.try_lock_with(name, options);
        let answer = |guard: &Option<LockGuard<B>>| match guard {
            Some(guard) => Outcome::Acquired(token(guard)),
            None => Outcome::NotFree,
        };
        let guard = self.by.record(call, made, answer).await?;
        Ok(guard.map(|guard| self.recorded(guard)))
    }

    fn recorded(&self, guard: LockGuard<B>) -> RecordedGuard<B> {
        let fence = Some(token(&guard));
        RecordedGuard { guard, by: By { fence, ..self.by.clone() } }
    }
}

impl<B> Clone for RecordedStorage<B> {
    fn clone(&self) -> Self {
        Self { storage: self.storage.clone(), by: self.by.clone() }
    }
}

#[allow(clippy::missing_errors_doc, reason = "the errors are those of the methods of the same names")]
impl<B: KvBackend> RecordedGuard<B> {
    /// The guard, for calls that change no files.
    pub fn guard(&self) -> &LockGuard<B> {
        &self.guard
    }

    /// [`LockGuard::store`].
    pub async fn store(&self, path: &str, content: impl Into<Bytes> + Send) -> Result<Metadata> {
        let content = content.into();
        let call = Call::Store { files: vec![(spelled(path), content.clone())] };
        self.by.record(call, self.guard.store(path, content.clone()), |file| wrote(file, &content)).await
    }

    /// [`LockGuard::store_many`].
    pub async fn store_many(&self, files: Vec<(String, Bytes)>) -> Result<Vec<Metadata>> {
        let made = self.guard.store_many(files.clone());
        self.by.record(group(&files), made, |stored| wrote_group(stored, &files)).await
    }

    /// [`LockGuard::delete`].
    pub async fn delete(&self, path: &str) -> Result<u64> {
        let call = Call::Delete { path: spelled(path) };
        self.by.record(call, self.guard.delete(path), |count| Outcome::Deleted(*count)).await
    }

    /// [`LockGuard::rename`].
    pub async fn rename(&self, from: &str, to: &str) -> Result<Metadata> {
        self.by.record(moving(from, to), self.guard.rename(from, to), moved).await
    }

    /// [`LockGuard::unlock`].
    pub async fn unlock(self) -> Result<()> {
        let Self { guard, by } = self;
        let call = Call::Unlock { name: guard.name().to_owned(), token: token(&guard) };
        by.record(call, guard.unlock(), |()| Outcome::Released).await
    }
}

/// Who makes a call, and who writes it down.
#[derive(Clone, Debug)]
struct By {
    recorder: Recorder,
    client: usize,
    fence: Option<Revision>,
}

impl By {
    async fn record<T>(
        &self,
        call: Call,
        made: impl Future<Output = Result<T>>,
        answer: impl FnOnce(&T) -> Outcome,
    ) -> Result<T> {
        let path = call.paths().first().map_or_else(String::new, |path| (*path).to_owned());
        let begun = self.recorder.begin(self.client, self.fence, call);
        let made = made.await;
        begun.end(made.as_ref().map_or_else(|error| Outcome::of_error(error, &path), answer));
        made
    }
}

fn spelled(path: &str) -> String {
    path.trim_matches('/').to_owned()
}

fn token<B: KvBackend>(guard: &LockGuard<B>) -> Revision {
    Revision(guard.token().get())
}

fn moving(from: &str, to: &str) -> Call {
    Call::Rename { from: spelled(from), to: spelled(to) }
}

fn moved(file: &Metadata) -> Outcome {
    Outcome::Wrote(file.version)
}

fn group(files: &[(String, Bytes)]) -> Call {
    Call::Store { files: files.iter().map(|(path, content)| (spelled(path), content.clone())).collect() }
}

fn wrote(file: &Metadata, content: &Bytes) -> Outcome {
    match contradiction(file, content) {
        Some(why) => Outcome::Wrong(why),
        None => Outcome::Wrote(file.version),
    }
}

fn wrote_group(stored: &[Metadata], files: &[(String, Bytes)]) -> Outcome {
    let contradictions = stored.iter().zip(files).find_map(|(stored, (path, content))| {
        let is_other =
            (stored.path.as_str() != path.trim_matches('/')).then(|| format!("{path}: {stored:?}"));
        is_other.or_else(|| contradiction(stored, content))
    });
    match (stored.first(), contradictions) {
        (_, Some(why)) => Outcome::Wrong(why),
        _ if stored.len() != files.len() => Outcome::Wrong(format!("{} answers", stored.len())),
        // An empty group changes nothing.
        (None, None) => Outcome::Deleted(0),
        (Some(first), None) if stored.iter().all(|file| file.version == first.version) => {
            Outcome::Wrote(first.version)
        }
        (Some(_), None) => Outcome::Wrong(format!("a group of several versions: {stored:?}")),
    }
}

/// Why metadata are not those of this content.
fn contradiction(file: &Metadata, content: &Bytes) -> Option<String> {
    let is_right = file.kind == EntryKind::File
        && file.size == content.len() as u64
        && file.sha1 == Some(Sha1Digest::of(content));
    (!is_right).then(|| format!("{file:?} is of another content"))
}

fn loaded(file: &File) -> Result<Loaded, String> {
    match contradiction(&file.metadata, &file.content) {
        Some(why) => Err(why),
        None => Ok(Loaded { version: file.metadata.version, content: file.content.clone() }),
    }
}

fn loaded_many(files: &[Result<File>]) -> Outcome {
    let mut found = Vec::with_capacity(files.len());
    for file in files {
        match file {
            Ok(file) => match loaded(file) {
                Ok(loaded) => found.push(Some(loaded)),
                Err(why) => return Outcome::Wrong(why),
            },
            Err(error) => match Outcome::of_error(error, "") {
                Outcome::Refused { .. } => found.push(None),
                other => return other,
            },
        }
    }
    Outcome::LoadedMany(found)
}

fn listed(entries: &[DirEntry]) -> Outcome {
    let mut files = Vec::new();
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::File) {
        match &entry.metadata {
            Some(Ok(metadata)) => files.push((entry.path.to_string(), metadata.version)),
            other => return Outcome::Wrong(format!("{}: {other:?}", entry.path)),
        }
    }
    Outcome::Listed(files)
}
