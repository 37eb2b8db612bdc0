//! Walks over the contents and the records of files at the same time: both come in the order of paths.

use std::cmp::Ordering;
use std::collections::VecDeque;

use super::super::check::ONE;
use super::judge::{Verdict, judge};
use super::{Snapshot, Step, StepError, Storage};
use crate::error::Result;
use crate::kv::{Cursor, Entry, Get, Key, KeyRange, KvBackend, Op, Projection, Txn};
use crate::layout::{Half, Layout};
use crate::path::FilePath;
use crate::problem::{Halves, Problem, ProblemKind, VerifyItem};

/// How many records are read at once.
const RECORDS: u32 = 500;
/// The most contents that are read at once, however small they are.
const CONTENTS: u32 = 500;
/// So many are read at first, and at most twice as many as fitted the time before: records may lie about the sizes.
const FIRST_CONTENTS: u32 = 16;

/// The files of one or two ranges of paths.
pub(super) struct Files {
    /// For each range the side of the contents and that of the records.
    ranges: VecDeque<(Side, Side)>,
    buffer_bytes: usize,
    /// What a content counts for whose size nobody knows.
    largest: usize,
    contents_at_once: u32,
    above: FilesAbove,
}

/// One half of the files of a range, read in pages.
struct Side {
    half: Half,
    /// All that it covers, and what of that is still to be read, in the order of keys.
    ranges: Vec<KeyRange>,
    left: VecDeque<KeyRange>,
    /// Where the first of those goes on.
    cursor: Option<Cursor>,
    page: VecDeque<Entry>,
    /// All before this key was dealt with.
    position: Option<Key>,
}

impl Files {
    pub(super) fn new(buffer_bytes: usize, largest: usize) -> Self {
        let contents_at_once = FIRST_CONTENTS;
        let above = FilesAbove::default();
        Self { ranges: VecDeque::new(), buffer_bytes, largest, contents_at_once, above }
    }

    /// Also looks at the file at this path.
    pub(super) fn look_at(&mut self, layout: &Layout, path: &FilePath) {
        let side = |half| Side::new(half, vec![KeyRange::single(layout.half(half, path))]);
        self.ranges.push_back((side(Half::Data), side(Half::Meta)));
    }

    /// Also looks at the files below this path.
    pub(super) fn look_below(&mut self, layout: &Layout, path: &FilePath) {
        let side = |half| Side::new(half, layout.below(half, path));
        self.ranges.push_back((side(Half::Data), side(Half::Meta)));
    }

    /// Gives up what was read ahead, which is of a revision that is gone.
    pub(super) fn forget_pages(&mut self, layout: &Layout) {
        if let Some((data, meta)) = self.ranges.front_mut() {
            let rest = [&*data, &*meta].into_iter().filter_map(|side| {
                let position = side.position.as_ref()?;
                layout.rest(side.half, position).map(<[u8]>::to_vec)
            });
            let rest = rest.max();
            data.start_at(layout, rest.as_deref());
            meta.start_at(layout, rest.as_deref());
        }
    }

    pub(super) async fn step<B: KvBackend>(&mut self, snapshot: &mut Snapshot<B>) -> Result<Step, StepError> {
        let mut step = Step { items: Vec::new(), found_keys: false, is_last: self.ranges.is_empty() };
        let Some((data, meta)) = self.ranges.front_mut() else { return Ok(step) };
        meta.fill(snapshot, RECORDS).await?;
        if data.wants_more() {
            let wanted = contents(snapshot.storage.keyspace(), meta, self.buffer_bytes, self.largest)
                .min(self.contents_at_once);
            data.fill(snapshot, wanted).await?;
            let bytes: usize = data.page.iter().map(|entry| entry.value.len()).sum();
            self.contents_at_once = if bytes > self.buffer_bytes {
                (self.contents_at_once / 2).max(1)
            } else {
                (self.contents_at_once * 2).min(CONTENTS)
            };
        }
        while let Some((rest, content, record)) = next_pair(snapshot.storage.keyspace(), data, meta) {
            step.found_keys = true;
            let file = snapshot.storage.keyspace().file_of_rest(&rest);
            let Some(path) = file else {
                let keys = [content, record].into_iter().flatten().map(|entry| entry.key);
                step.items.extend(
                    keys.map(|key| VerifyItem::Problem(Problem::of_key(ProblemKind::UnknownKey, key))),
                );
                continue;
            };
            if record.is_some() {
                for above in self.above.visit(&path) {
                    if let Some(problem) = both(&snapshot.storage, above).await? {
                        step.items.push(VerifyItem::Problem(problem));
                    }
                }
            }
            let mut verdict = judge(snapshot.storage.keyspace(), &path, record.as_ref(), content.as_ref());
            if matches!(verdict, Verdict::Wrong(_)) {
                verdict = judge_now(&snapshot.storage, &path).await?;
            }
            match verdict {
                Verdict::Whole(metadata) => step.items.push(VerifyItem::Whole(metadata)),
                Verdict::Wrong(problem) => step.items.push(VerifyItem::Problem(problem)),
                Verdict::Nothing => {}
            }
        }
        if data.is_over() && meta.is_over() {
            self.ranges.pop_front();
            step.is_last = self.ranges.is_empty();
        }
        Ok(step)
    }
}

impl Side {
    fn new(half: Half, ranges: Vec<KeyRange>) -> Self {
        let left = ranges.iter().cloned().collect();
        Self { half, ranges, left, cursor: None, page: VecDeque::new(), position: None }
    }

    fn wants_more(&self) -> bool {
        self.page.is_empty() && !self.left.is_empty()
    }

    fn is_over(&self) -> bool {
        self.page.is_empty() && self.left.is_empty()
    }

    fn start_at(&mut self, layout: &Layout, rest: Option<&[u8]>) {
        self.page.clear();
        self.cursor = None;
        self.position = rest.map(|rest| layout.with_rest(self.half, rest));
        let from = |range: &KeyRange| match &self.position {
            Some(position) => range.starting_at(position),
            None => range.clone(),
        };
        // Where all files of a range were dealt with before a compaction nothing is left to be read.
        self.left = self.ranges.iter().map(from).filter(|range| !range.is_empty()).collect();
    }

    /// Reads the next page that holds something, if none is left.
    async fn fill<B: KvBackend>(&mut self, snapshot: &mut Snapshot<B>, limit: u32) -> Result<(), StepError> {
        while self.page.is_empty()
            && let Some(range) = self.left.front()
        {
            let cursor = self.cursor.as_ref();
            let page = snapshot.page(range, cursor, limit, Projection::KeysAndValues).await?;
            self.page = page.entries.into();
            self.cursor = page.next;
            if self.cursor.is_none() {
                self.left.pop_front();
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Option<Entry> {
        let entry = self.page.pop_front()?;
        self.position = Some(entry.key.successor());
        Some(entry)
    }

    fn next_rest<'s>(&'s self, layout: &Layout) -> Option<&'s [u8]> {
        layout.rest(self.half, &self.page.front()?.key)
    }
}

/// The halves of the next file, or the one half that there is. `None` until a side that has more is filled again.
fn next_pair(
    layout: &Layout,
    data: &mut Side,
    meta: &mut Side,
) -> Option<(Vec<u8>, Option<Entry>, Option<Entry>)> {
    if data.wants_more() || meta.wants_more() {
        return None;
    }
    let (rest, order) = match (data.next_rest(layout), meta.next_rest(layout)) {
        (None, None) => return None,
        (Some(rest), None) => (rest.to_vec(), Ordering::Less),
        (None, Some(rest)) => (rest.to_vec(), Ordering::Greater),
        (Some(of_data), Some(of_meta)) => (of_data.min(of_meta).to_vec(), of_data.cmp(of_meta)),
    };
    let content = if order.is_le() { data.take() } else { None };
    let record = if order.is_ge() { meta.take() } else { None };
    Some((rest, content, record))
}

/// How many contents may be read at once, by what the records say of their sizes.
fn contents(layout: &Layout, meta: &Side, buffer_bytes: usize, largest: usize) -> u32 {
    let sizes = meta.page.iter().map(|entry| {
        let facts = layout.decode_record(&entry.value).ok();
        let size = facts.and_then(|facts| usize::try_from(facts.size).ok());
        size.unwrap_or(largest)
    });
    // Behind the last record that is known there may be contents of any size.
    let sizes = sizes.chain(std::iter::repeat(largest)).take(CONTENTS as usize);
    let mut sum = 0_usize;
    let fitting = sizes.take_while(|size| {
        sum = sum.saturating_add(*size);
        sum <= buffer_bytes
    });
    u32::try_from(fitting.count()).unwrap_or(CONTENTS).max(1)
}

/// Judges a file by what is there now.
async fn judge_now<B: KvBackend>(storage: &Storage<B>, path: &FilePath) -> Result<Verdict> {
    let layout = storage.keyspace();
    let get = |half| Op::Get(Get::key(layout.half(half, path)));
    let [data, meta] = storage.read(Txn::new().then(get(Half::Data)).then(get(Half::Meta))).await?;
    Ok(judge(layout, path, meta.first(), data.first()))
}

/// Whether a path is both file and directory now.
async fn both<B: KvBackend>(storage: &Storage<B>, path: FilePath) -> Result<Option<Problem>> {
    let layout = storage.keyspace();
    let key = layout.meta(&path);
    let file = Get::key(key.clone()).with_projection(Projection::KeysOnly);
    let below = Get::range(layout.meta_below(&path)).with_limit(ONE).with_projection(Projection::KeysOnly);
    let [file, below] = storage.read(Txn::new().then(Op::Get(file)).then(Op::Get(below))).await?;
    let halves = Halves { data: None, meta: file.first().map(|entry| entry.mod_revision) };
    let Some(first) = below.first().filter(|_| halves.meta.is_some()) else { return Ok(None) };
    let problem = Problem::of_file(ProblemKind::FileAndDirectory, path, key, halves);
    let first = layout.spelling(&first.key).unwrap_or("another key");
    Ok(Some(problem.with_detail(format!("{first:?} lies below it"))))
}

/// The files whose paths the current one begins with. What lies below a file comes behind it, and only what begins with
/// its path stands in between; so no more are kept than a path has bytes.
#[derive(Debug, Default)]
struct FilesAbove(Vec<(FilePath, bool)>);

impl FilesAbove {
    /// Goes on to the next file; the files above it that were not told of before.
    fn visit(&mut self, path: &FilePath) -> Vec<FilePath> {
        while self.0.last().is_some_and(|(above, _)| !path.as_str().starts_with(above.as_str())) {
            self.0.pop();
        }
        let mut new = Vec::new();
        for (above, is_told) in &mut self.0 {
            if !*is_told && above.is_above(path) {
                *is_told = true;
                new.push(above.clone());
            }
        }
        self.0.push((path.clone(), false));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_above_others_is_found_once_though_others_stand_in_between() {
        let mut above = FilesAbove::default();
        let told: Vec<Vec<String>> = ["a", "a-x", "a-x/y", "a.b", "a/b", "a/b/c", "a/d", "a0", "b"]
            .into_iter()
            .map(|path| {
                let found = above.visit(&FilePath::parse(path).unwrap());
                found.iter().map(ToString::to_string).collect()
            })
            .collect();
        let none = Vec::<&str>::new;
        let expected = [none(), none(), vec!["a-x"], none(), vec!["a"], vec!["a/b"], none(), none(), none()];
        assert_eq!(told, expected);
    }
}
