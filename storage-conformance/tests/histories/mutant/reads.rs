//! What calls have seen.

use bytes::Bytes;
use storage_conformance::history::{Call, Loaded, Outcome};
use storage_core::kv::Revision;
use storage_core::{ErrorKind, Version};

use super::Mutant;

impl Mutant {
    /// A load that has found a file.
    pub(crate) fn pick_read(&mut self) -> Option<(usize, String, Loaded)> {
        let index = self.pick(|operation| {
            matches!((&operation.call, &operation.outcome), (Call::Load { .. }, Outcome::Loaded(_)))
        })?;
        match (&self.history[index].call, &self.history[index].outcome) {
            (Call::Load { path }, Outcome::Loaded(found)) => Some((index, path.clone(), found.clone())),
            _ => None,
        }
    }

    pub(crate) fn read_another_content(&mut self) -> Option<()> {
        let (index, _, found) = self.pick_read()?;
        self.history[index].outcome = Outcome::Loaded(Loaded { content: "nobody's".into(), ..found });
        Some(())
    }

    pub(crate) fn read_another_version(&mut self) -> Option<()> {
        let (index, _, found) = self.pick_read()?;
        let version = Version::new(Revision(found.version.revision().0 + 1));
        self.history[index].outcome = Outcome::Loaded(Loaded { version, ..found });
        Some(())
    }

    /// Behind all others, when a later write was acknowledged.
    pub(crate) fn read_late(&mut self) -> Option<()> {
        let (index, path, found) = self.pick_read()?;
        let is_overwritten = self.writes().into_iter().any(|write| {
            let operation = &self.history[write.index];
            let is_store = matches!(operation.call, Call::Store { .. });
            is_store && write.revision > found.version.revision() && operation.call.paths().contains(&&*path)
        });
        is_overwritten.then(|| self.move_to_the_end(index))
    }

    /// Of a file that was stored before, and neither deleted nor moved at all.
    pub(crate) fn read_nothing(&mut self) -> Option<()> {
        let (index, path, _) = self.pick_read()?;
        let states = self.states(&path);
        let is_stable = states.iter().all(|(_, content)| content.is_some());
        let was_stored = self.writes().into_iter().any(|write| {
            let stored = &self.history[write.index];
            stored.call.paths().contains(&&*path) && stored.is_before(&self.history[index])
        });
        (is_stable && was_stored).then(|| {
            self.history[index].outcome = Outcome::Refused { kind: ErrorKind::NotFound, path };
        })
    }

    /// What a store writes that is asked for when the read has returned.
    pub(crate) fn read_early(&mut self) -> Option<()> {
        let (index, path, _) = self.pick_read()?;
        let later = self.writes().into_iter().find_map(|write| {
            let operation = &self.history[write.index];
            let Call::Store { files } = &operation.call else { return None };
            let (_, content) = files.iter().find(|(stored, _)| *stored == path)?;
            let version = Version::new(write.revision);
            self.history[index].is_before(operation).then(|| Loaded { version, content: content.clone() })
        })?;
        self.history[index].outcome = Outcome::Loaded(later);
        Some(())
    }

    pub(crate) fn read_failed_write(&mut self) -> Option<()> {
        let failed = self.pick(|operation| {
            matches!((&operation.call, &operation.outcome), (Call::Store { .. }, Outcome::Failed { .. }))
        })?;
        let Call::Store { files } = &self.history[failed].call else { return None };
        let (path, content) = files[0].clone();
        let (index, ..) = self.pick_read()?;
        let version = Version::new(Revision(self.last_revision().0 + 1));
        self.history[index].call = Call::Load { path };
        self.history[index].outcome = Outcome::Loaded(Loaded { version, content });
        Some(())
    }

    /// One file as it was before another one came.
    pub(crate) fn tear_snapshot(&mut self) -> Option<()> {
        let (index, path, found) = self.pick_read()?;
        let states = self.states(&path);
        let next = states.iter().find(|(since, _)| *since > found.version.revision())?.0;
        let other = self.pick_write(|mutant, write| {
            let call = &mutant.history[write.index].call;
            write.revision >= next && matches!(call, Call::Store { .. }) && !call.paths().contains(&&*path)
        })?;
        let Call::Store { files } = &self.history[other.index].call else { return None };
        let (other_path, content) = files[0].clone();
        let beside = Loaded { version: Version::new(other.revision), content };
        self.history[index].call = Call::LoadMany { paths: vec![path, other_path] };
        self.history[index].outcome = Outcome::LoadedMany(vec![Some(found), Some(beside)]);
        Some(())
    }

    pub(crate) fn pick_listing(&mut self) -> Option<usize> {
        self.pick(|operation| matches!(&operation.outcome, Outcome::Listed(files) if !files.is_empty()))
    }

    pub(crate) fn list_more(&mut self) -> Option<()> {
        let index = self.pick_listing()?;
        let Outcome::Listed(files) = &mut self.history[index].outcome else { return None };
        let version = files[0].1;
        files.push(("d/nobody's".to_owned(), version));
        Some(())
    }

    pub(crate) fn list_another_version(&mut self) -> Option<()> {
        let after = Version::new(Revision(self.last_revision().0 + 1));
        let index = self.pick_listing()?;
        let Outcome::Listed(files) = &mut self.history[index].outcome else { return None };
        files[0].1 = after;
        Some(())
    }

    pub(crate) fn refuse_without_reason(&mut self) -> Option<()> {
        let index = self.pick(|operation| matches!(operation.call, Call::Load { .. }))?;
        let path = "nobody's".to_owned();
        self.history[index].call = Call::Create { path: path.clone(), content: Bytes::new() };
        self.history[index].outcome = Outcome::Refused { kind: ErrorKind::AlreadyExists, path };
        Some(())
    }
}
