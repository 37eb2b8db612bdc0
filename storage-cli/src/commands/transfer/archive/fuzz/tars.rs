use std::collections::BTreeMap;
use std::io::{Read, Seek, Write};
use std::time::{Duration, SystemTime};

use bad_input::bolero::{Driver, ValueGenerator};
use bad_input::{Choice, Texts, Verdict, fuzz, one_line};
use storage_core::FilePath;

use super::super::super::{Survey, Verb};
use super::super::{Archive, Writer};
use crate::failure::Failure;
use crate::interrupt::Interrupt;

#[test]
fn a_tar_is_read_as_it_was_written_or_refused() {
    fuzz!(Tars, |input: &Input| {
        let files = files(input);
        let mut tar = written(&files);
        let whole = tar.len();
        match input.harm {
            Harm::None => {}
            Harm::CutOff(at) => tar.truncate(at % whole),
            Harm::Byte(at, byte) => tar[at % whole] = byte,
            Harm::Text => tar = input.files.iter().flat_map(|(name, ..)| name.bytes()).collect(),
        }
        let length = tar.len();
        let (archive, survey) = read(&tar);
        match (&survey, input.harm) {
            (Ok(survey), Harm::None) => check_same(&archive, survey, &files),
            (Err(failure), Harm::None) => panic!("it was written by ourselves: {failure:?}"),
            // The first of the two blocks at the end is there.
            (Ok(_), Harm::CutOff(_)) => {
                assert!(whole - length <= 512, "{length} of {whole} bytes are no tar");
            }
            (Ok(survey), _) => check_sound(&archive, survey, length),
            (Err(failure), _) => assert!(one_line(&format!("{failure:?}")), "{failure:?}"),
        }
        Verdict::of(&survey)
    });
}

/// Files, and what is done to their tar.
#[derive(Debug)]
struct Input {
    /// Name, size, and nanoseconds since or before 1970.
    files: Vec<(String, usize, Option<i64>)>,
    harm: Harm,
}

#[derive(Clone, Copy, Debug)]
enum Harm {
    None,
    CutOff(usize),
    Byte(usize, u8),
    /// It is no tar at all.
    Text,
}

/// The files that can be in a tree together.
type Files = BTreeMap<FilePath, (usize, Option<SystemTime>)>;

struct Tars;

impl ValueGenerator for Tars {
    type Output = Input;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Input> {
        let mut files = Vec::new();
        for _ in 0..driver.number(0..=4)? {
            let name = Texts.generate(driver)?;
            let size = *driver.pick(&[0, 1, 511, 512, 513, 2_000])?;
            let exact = i64::try_from(driver.number(1..=usize::MAX >> 1)?).ok();
            let time = *driver.pick(&[None, Some(1), Some(-1), Some(1_700_000_000_000_000_000), exact])?;
            files.push((name, size, time));
        }
        let at = driver.number(0..=20_000)?;
        let byte = u8::try_from(driver.number(0..=255)?).ok()?;
        let harms =
            [Harm::None, Harm::CutOff(at), Harm::Byte(at, byte), Harm::Byte(at % 600, byte), Harm::Text];
        Some(Input { files, harm: *driver.pick(&harms)? })
    }
}

fn files(input: &Input) -> Files {
    let mut files = Files::new();
    for (name, size, nanos) in &input.files {
        let Ok(path) = FilePath::parse(name) else { continue };
        let is_free = !files.keys().any(|there| there.is_above(&path) || path.is_above(there));
        if is_free && !path.is_root() {
            let time = nanos.map(|nanos| {
                let distance = Duration::from_nanos(nanos.unsigned_abs());
                let epoch = SystemTime::UNIX_EPOCH;
                if nanos < 0 { epoch - distance } else { epoch + distance }
            });
            files.insert(path, (*size, time));
        }
    }
    files
}

fn content(path: &FilePath, size: usize) -> Vec<u8> {
    path.as_str().bytes().cycle().take(size).collect()
}

fn written(files: &Files) -> Vec<u8> {
    let mut writer = Writer::create(None).unwrap();
    for (path, (size, time)) in files {
        writer.append(path, &content(path, *size), *time).unwrap();
    }
    let mut file = writer.finish().unwrap().file;
    let mut tar = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut tar).unwrap();
    tar
}

fn read(tar: &[u8]) -> (Archive, Result<Survey, Failure>) {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(tar).unwrap();
    let archive = Archive::of(file, "tar".to_owned());
    let survey = archive.survey(Verb::Import, &Interrupt::never());
    (archive, survey)
}

fn check_same(archive: &Archive, survey: &Survey, files: &Files) {
    assert!(survey.problems.is_empty() && survey.skipped.is_empty(), "{survey:?}");
    assert_eq!(survey.items.len(), files.len());
    for (item, (path, (size, time))) in survey.items.iter().zip(files) {
        assert_eq!((&item.path, item.modified), (path, *time));
        assert_eq!(archive.load(Verb::Import, item).unwrap().content, content(path, *size));
    }
}

/// Whatever is in it: paths in order, each once, and contents that are there.
fn check_sound(archive: &Archive, survey: &Survey, length: usize) {
    assert!(survey.items.is_sorted_by(|a, b| a.path < b.path), "{survey:?}");
    for item in &survey.items {
        assert!(item.at + item.size <= length as u64, "{item:?}");
        assert_eq!(archive.load(Verb::Import, item).unwrap().content.len() as u64, item.size);
    }
}
