//! `kvfs diff A B`
//!
//! Two surveys are compared as two sorted lists. Sizes tell most differences; where they are equal the SHA-1s decide, of
//! the records where there are any, else of the contents.

use serde::Serialize;
use storage_core::{FilePath, Sha1Digest};

use super::budget::{Budget, MOST};
use super::side::Side;
use super::source::Source;
use super::{Hidden, Item, OfOneFile, Shape, Survey, Verb};
use crate::commands::concurrent::for_each;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::location::{Location, TarFile};
use crate::output::Format;
use crate::session::Session;

const VERB: Verb = Verb::Diff;

/// How two files of the same path differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Difference {
    OnlyInA,
    OnlyInB,
    Differs,
}

struct Found {
    path: FilePath,
    difference: Difference,
    sizes: (Option<u64>, Option<u64>),
}

#[derive(Serialize)]
struct FoundJson<'a> {
    path: &'a str,
    difference: Difference,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_a: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_b: Option<u64>,
}

#[derive(Serialize)]
struct SummaryJson {
    equal: bool,
    only_in_a: usize,
    only_in_b: usize,
    differing: usize,
    same: usize,
}

/// One end.
struct End {
    name: String,
    source: Source,
    survey: Survey,
}

/// What was found when two ends were compared.
#[derive(Default)]
struct Comparison {
    found: Vec<Found>,
    same: usize,
    problems: Vec<Failure>,
}

pub(in super::super) async fn run(
    one: &Location,
    other: &Location,
    hidden: Hidden,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let standard = Location::Tar(TarFile::Standard);
    if *one == standard && *other == standard {
        let message = "diff: standard input can be one of the two only; name a file or a store";
        return Err(Failure::usage(message));
    }
    let about = format!("diff {:?} {:?}", one.name(), other.name());
    Interrupt::over(about.clone(), async |interrupt| {
        let compared = async {
            Side::check_source(VERB, one)?;
            Side::check_source(VERB, other)?;
            let one = End::open(one, hidden, session, &interrupt).await?;
            let other = End::open(other, hidden, session, &interrupt).await?;
            compare(one, other, hidden).await
        };
        let compared = interrupt.unless(&about, compared).await?;
        report(&compared, &about, session)
    })
    .await
}

impl End {
    async fn open(
        location: &Location,
        hidden: Hidden,
        session: &Session,
        interrupt: &Interrupt,
    ) -> Result<Self, Failure> {
        let opened = async {
            let side = Side::open(VERB, location, session).await?;
            Source::survey(VERB, side, hidden, interrupt).await
        };
        // The code of what is not found is that of a difference.
        let (source, survey) = opened.await.map_err(|failure| match failure {
            Failure::Told { exit: Exit::NotFound, kind, message } => Failure::new(Exit::Usage, kind, message),
            failure => failure,
        })?;
        for skipped in &survey.skipped {
            session.output.warn(skipped);
        }
        for problem in &survey.problems {
            session.output.warn(problem);
        }
        if let Some(worst) = survey.problems.iter().max_by_key(|problem| problem.exit()) {
            let message = "not all of it can be compared, see above";
            return Err(worst.retold(format!("{}: {message}", VERB.about(&location.name()))));
        }
        Ok(Self { name: location.name(), source, survey })
    }
}

/// Compares two ends. Two files are compared whatever they are called.
async fn compare(one: End, other: End, hidden: Hidden) -> Result<Comparison, Failure> {
    if one.survey.shape != other.survey.shape {
        let (file, tree) = if one.survey.shape == Shape::File { (&one, &other) } else { (&other, &one) };
        let message = format!("{:?} is a file and {:?} is a directory", file.name, tree.name);
        return Err(Failure::usage(format!("diff: {message}")));
    }
    let mut comparison = Comparison::default();
    let mut undecided = Vec::new();
    for (path, left, right) in pairs(&one.survey, &other.survey) {
        let is_damaged = |end: &End| end.survey.damaged.iter().any(|(damaged, _)| *damaged == path);
        if is_damaged(&one) || is_damaged(&other) {
            continue;
        }
        let left = match left {
            None => one.source.find_left_out(&path, hidden).await,
            left => left.cloned(),
        };
        let right = match right {
            None => other.source.find_left_out(&path, hidden).await,
            right => right.cloned(),
        };
        let difference = match (&left, &right) {
            (Some(left), Some(right)) if left.size == right.size => {
                undecided.push((path, left.clone(), right.clone()));
                continue;
            }
            (Some(_), Some(_)) => Difference::Differs,
            (Some(_), None) => Difference::OnlyInA,
            (None, _) => Difference::OnlyInB,
        };
        let sizes = (left.map(|item| item.size), right.map(|item| item.size));
        comparison.found.push(Found { path, difference, sizes });
    }
    decide(&one, &other, undecided, &mut comparison).await?;
    comparison.found.sort_by(|a, b| a.path.cmp(&b.path));
    for end in [one, other] {
        comparison.problems.extend(end.survey.damaged.into_iter().map(|(_, damage)| damage));
    }
    Ok(comparison)
}

/// Compares the SHA-1s of files of the same size.
async fn decide(
    one: &End,
    other: &End,
    undecided: Vec<(FilePath, Item, Item)>,
    comparison: &mut Comparison,
) -> Result<(), Failure> {
    let budget = &Budget::new();
    let compare = async |(path, left, right): (FilePath, Item, Item)| {
        let _room = budget.room_for(left.size.saturating_mul(2)).await;
        let left_sha1 = match one.source.sha1(VERB, &left, MOST).await? {
            Ok(sha1) => sha1,
            Err(problem) => return Ok(Err(problem)),
        };
        let right_sha1: OfOneFile<Sha1Digest> = other.source.sha1(VERB, &right, MOST).await;
        let right_sha1 = right_sha1?;
        Ok(right_sha1.map(|right_sha1| (path, left.size, left_sha1 == right_sha1)))
    };
    for_each(undecided, compare, |compared| match compared {
        Ok((_, _, true)) => comparison.same += 1,
        Ok((path, size, false)) => {
            let sizes = (Some(size), Some(size));
            comparison.found.push(Found { path, difference: Difference::Differs, sizes });
        }
        Err(problem) => comparison.problems.push(problem),
    })
    .await
}

/// Every path of the two, in order, with the file that each has there.
fn pairs<'s>(
    one: &'s Survey,
    other: &'s Survey,
) -> impl Iterator<Item = (FilePath, Option<&'s Item>, Option<&'s Item>)> {
    let are_files = one.shape == Shape::File;
    let (mut left, mut right) = (one.items.iter().peekable(), other.items.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (left.peek(), right.peek()) {
            (Some(_), Some(_)) if are_files => std::cmp::Ordering::Equal,
            (Some(one), Some(other)) => one.path.cmp(&other.path),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => return None,
        };
        let left = if order.is_le() { left.next() } else { None };
        let right = if order.is_ge() { right.next() } else { None };
        let path = left.or(right)?.path.clone();
        Some((path, left, right))
    })
}

fn report(comparison: &Comparison, about: &str, session: &mut Session) -> Result<Exit, Failure> {
    let count = |difference| comparison.found.iter().filter(|found| found.difference == difference).count();
    let summary = SummaryJson {
        equal: comparison.found.is_empty() && comparison.problems.is_empty(),
        only_in_a: count(Difference::OnlyInA),
        only_in_b: count(Difference::OnlyInB),
        differing: count(Difference::Differs),
        same: comparison.same,
    };
    for found in &comparison.found {
        match session.output.format() {
            Format::Text => session.output.line(text(found))?,
            Format::Json => {
                let (size_a, size_b) = found.sizes;
                let (path, difference) = (found.path.as_str(), found.difference);
                session.output.object(&FoundJson { path, difference, size_a, size_b })?;
            }
        }
    }
    if session.output.format() == Format::Json {
        session.output.object(&summary)?;
    }
    session.output.finish()?;
    for problem in &comparison.problems {
        session.output.warn(problem);
    }
    match comparison.problems.iter().max_by_key(|problem| problem.exit()) {
        Some(worst) => {
            let count = comparison.problems.len();
            Err(worst.retold(format!("{about}: {count} files cannot be compared, see above")))
        }
        None if summary.equal => Ok(Exit::Ok),
        None => Ok(Exit::NotFound),
    }
}

fn text(found: &Found) -> String {
    let path = &found.path;
    match (found.difference, found.sizes) {
        (Difference::OnlyInA, _) => format!("only in A: {path}"),
        (Difference::OnlyInB, _) => format!("only in B: {path}"),
        (Difference::Differs, (Some(one), Some(other))) if one != other => {
            format!("differs: {path} (size {one} in A, {other} in B)")
        }
        (Difference::Differs, (size, _)) => {
            format!("differs: {path} (size {} in both, other content)", size.unwrap_or_default())
        }
    }
}
