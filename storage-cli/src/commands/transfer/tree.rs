//! What is in a part of a store's tree.

use futures::TryStreamExt;
use storage_core::{DirEntry, EntryKind, ErrorKind, FilePath, Filter, ListItem, ListOptions, Metadata};

use super::side::TreeSide;
use super::{Item, Shape, Survey, Verb};
use crate::failure::Failure;

/// Lists everything, of one revision. The root of what is a file becomes the directory that it is in.
pub(super) async fn survey(verb: Verb, side: &mut TreeSide) -> Result<Survey, Failure> {
    let root = side.root.clone();
    let options = ListOptions::descendants().with_filter(Filter::FilesOnly).with_metadata();
    let mut entries = side.tree.list_stream(root.as_str(), options);
    let mut survey = Survey::default();
    loop {
        match entries.try_next().await {
            Ok(None) => return Ok(survey),
            Ok(Some(ListItem::StartOver)) => survey = Survey::default(),
            Ok(Some(ListItem::Entry(entry))) => add(verb, &root, entry, &mut survey),
            Err(error) if error.kind() == ErrorKind::NotADirectory => return file(verb, side).await,
            Err(error) => return Err(Failure::storage(verb.name(), root.as_str(), &error)),
        }
    }
}

/// As [`survey`], for where nothing needs to be.
pub(super) async fn survey_if_any(verb: Verb, side: &TreeSide) -> Result<Survey, Failure> {
    let mut side = side.clone();
    match survey(verb, &mut side).await {
        Err(Failure::Told { kind, .. }) if kind == ErrorKind::NotFound.name() => Ok(Survey::default()),
        // It is told when something is stored below the file.
        Ok(Survey { shape: Shape::File, .. }) => Ok(Survey::default()),
        found => found,
    }
}

async fn file(verb: Verb, side: &mut TreeSide) -> Result<Survey, Failure> {
    let stat = side.tree.stat(side.root.as_str()).await;
    let metadata = stat.map_err(|error| Failure::storage(verb.name(), side.root.as_str(), &error))?;
    let name = FilePath::parse(side.root.name()).expect("a component of a path is a path");
    side.root = side.root.parent().unwrap_or_else(FilePath::root);
    Ok(Survey { shape: Shape::File, items: vec![item(name, &metadata)], ..Survey::default() })
}

fn add(verb: Verb, root: &FilePath, entry: DirEntry, survey: &mut Survey) {
    let below = entry.path.as_str().strip_prefix(root.as_str()).unwrap_or(entry.path.as_str());
    let path = FilePath::parse(below).expect("a part of a path is a path");
    match entry.metadata {
        _ if entry.kind != EntryKind::File => {}
        Some(Ok(metadata)) => survey.items.push(item(path, &metadata)),
        Some(Err(error)) => {
            survey.damaged.push((path, Failure::storage(verb.name(), entry.path.as_str(), &error)));
        }
        None => survey.items.push(Item::new(path, 0)),
    }
}

fn item(path: FilePath, metadata: &Metadata) -> Item {
    Item {
        path,
        size: metadata.size,
        modified: Some(metadata.modified),
        sha1: metadata.sha1,
        version: Some(metadata.version),
        at: 0,
    }
}
