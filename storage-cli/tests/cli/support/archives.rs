//! Tars, put together and taken apart by hand: what is tested is not what tests.

use std::collections::BTreeMap;

const BLOCK: usize = 512;

/// A regular file's type.
pub(crate) const FILE: u8 = b'0';

/// A tar under construction.
#[derive(Default)]
pub(crate) struct Tar(Vec<u8>);

/// A file in a tar.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) content: Vec<u8>,
    /// The fields of its extended header.
    pub(crate) extended: BTreeMap<String, String>,
    pub(crate) header: [u8; BLOCK],
}

impl Tar {
    /// These files, as `caddy storage export` writes them: no times, no owners.
    pub(crate) fn of<N: AsRef<str>, C: AsRef<[u8]>>(files: impl IntoIterator<Item = (N, C)>) -> Vec<u8> {
        let tar = files.into_iter().fold(Self::default(), |tar, (name, content)| {
            tar.with(FILE, name.as_ref().as_bytes(), content.as_ref(), 0)
        });
        tar.end()
    }

    /// This tar with another member.
    pub(crate) fn with(mut self, kind: u8, name: &[u8], content: &[u8], modified: u64) -> Self {
        let mut header = [0; BLOCK];
        let mut set = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        set(0, name);
        set(100, b"0000600\0");
        set(108, b"0000000\0");
        set(116, b"0000000\0");
        set(124, format!("{:011o}\0", content.len()).as_bytes());
        set(136, format!("{modified:011o}\0").as_bytes());
        set(148, b"        ");
        set(156, &[kind]);
        set(257, b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend(header);
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
        self
    }

    /// This tar with an extended header for the next member.
    pub(crate) fn with_extended(self, fields: &[(&str, &str)]) -> Self {
        let record = |(key, value): &(&str, &str)| {
            let rest = format!(" {key}={value}\n");
            // The length counts its own digits.
            let length =
                (rest.len()..rest.len() + 9).find(|length| length.to_string().len() + rest.len() == *length);
            format!("{}{rest}", length.unwrap())
        };
        let content: String = fields.iter().map(record).collect();
        self.with(b'x', b"PaxHeaders/x", content.as_bytes(), 0)
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 2 * BLOCK]);
        self.0
    }

    /// Without what ends a tar.
    pub(crate) fn cut_off(self) -> Vec<u8> {
        self.0
    }
}

/// The files of a tar, each header of which is checked.
#[track_caller]
pub(crate) fn members(tar: &[u8]) -> Vec<Member> {
    assert_eq!(tar.len() % BLOCK, 0, "a tar is of whole blocks");
    let (mut members, mut extended, mut at) = (Vec::new(), BTreeMap::new(), 0);
    loop {
        let header: [u8; BLOCK] = tar[at..at + BLOCK].try_into().unwrap();
        if header == [0; BLOCK] {
            assert_eq!(tar.len() - at, 2 * BLOCK, "two blocks of zeros end it");
            assert!(tar[at..].iter().all(|byte| *byte == 0) && extended.is_empty());
            return members;
        }
        assert_eq!(&header[257..265], b"ustar\x0000");
        let mut blank = header;
        blank[148..156].fill(b' ');
        let sum: u32 = blank.iter().map(|byte| u32::from(*byte)).sum();
        assert_eq!(octal(&header[148..156]), u64::from(sum), "the checksum");
        let size = usize::try_from(octal(&header[124..136])).unwrap();
        let content = tar[at + BLOCK..at + BLOCK + size].to_vec();
        at += BLOCK + size.next_multiple_of(BLOCK);
        match header[156] {
            b'x' => extended = fields(std::str::from_utf8(&content).unwrap()),
            kind => {
                assert_eq!(kind, FILE, "nothing but files");
                let (name, prefix) = (text(&header[..100]), text(&header[345..500]));
                let in_header = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
                let extended = std::mem::take(&mut extended);
                let name = extended.get("path").cloned().unwrap_or(in_header);
                members.push(Member { name, content, extended, header });
            }
        }
    }
}

impl Member {
    pub(crate) fn mode(&self) -> u64 {
        octal(&self.header[100..108])
    }

    pub(crate) fn modified(&self) -> u64 {
        octal(&self.header[136..148])
    }
}

fn fields(mut text: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    while !text.is_empty() {
        let (length, _) = text.split_once(' ').unwrap();
        let record = &text[length.len() + 1..length.parse().unwrap()];
        let (key, value) = record.strip_suffix('\n').unwrap().split_once('=').unwrap();
        fields.insert(key.to_owned(), value.to_owned());
        text = &text[length.parse().unwrap()..];
    }
    fields
}

fn octal(field: &[u8]) -> u64 {
    u64::from_str_radix(text(field).trim(), 8).unwrap()
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8(field[..end].to_vec()).unwrap()
}
