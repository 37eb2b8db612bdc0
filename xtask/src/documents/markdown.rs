//! What of a Markdown text is looked at.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
};

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// A document of the workspace.
#[derive(Debug)]
pub(super) struct Document {
    /// Below the root of the workspace.
    pub(super) path: PathBuf,
    text: String,
    pub(super) headings: Vec<Heading>,
    pub(super) links: Vec<Link>,
    pub(super) blocks: Vec<Block>,
}

#[derive(Debug)]
pub(super) struct Heading {
    level: HeadingLevel,
    /// As it is read: without marks.
    pub(super) text: String,
    /// What a link to it has behind the `#`.
    pub(super) anchor: String,
    at: Range<usize>,
}

#[derive(Debug)]
pub(super) struct Link {
    /// Where it leads, as it is written.
    pub(super) target: String,
    at: usize,
}

/// A fenced block of code.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) code: String,
    /// The file that it shows: it follows a paragraph that is a link to it and a colon.
    pub(super) shows: Option<String>,
    at: usize,
}

/// What was read last, if a block that follows it may be a file.
#[derive(Default)]
enum Before {
    #[default]
    Other,
    /// A paragraph, so far.
    Paragraph,
    /// One that is nothing but a link so far; to this.
    Link(String),
    /// That and a colon.
    Announced(String),
}

impl Document {
    pub(super) fn new(path: &Path, text: String) -> Self {
        let (mut headings, mut links, mut blocks) = (Vec::new(), Vec::new(), Vec::new());
        let mut heading: Option<Heading> = None;
        let mut block: Option<Block> = None;
        let mut before = Before::Other;
        let mut is_in_link = false;
        for (event, at) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
            match &event {
                Event::Start(Tag::Heading { level, .. }) => {
                    heading = Some(Heading {
                        level: *level,
                        text: String::new(),
                        anchor: String::new(),
                        at: at.clone(),
                    });
                }
                Event::End(TagEnd::Heading(_)) => headings.extend(heading.take()),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    links.push(Link { target: dest_url.to_string(), at: at.start });
                }
                Event::Start(Tag::CodeBlock(_)) => {
                    let shows = match std::mem::take(&mut before) {
                        Before::Announced(file) => Some(file),
                        _ => None,
                    };
                    block = Some(Block { code: String::new(), shows, at: at.start });
                }
                Event::End(TagEnd::CodeBlock) => blocks.extend(block.take()),
                Event::Text(part) | Event::Code(part) => {
                    if let Some(heading) = &mut heading {
                        heading.text.push_str(part);
                    }
                    if let Some(block) = &mut block {
                        block.code.push_str(part);
                    }
                }
                _ => {}
            }
            before = match (before, &event) {
                (_, Event::Start(Tag::Paragraph)) => Before::Paragraph,
                (Before::Paragraph, Event::Start(Tag::Link { dest_url, .. })) => {
                    is_in_link = true;
                    Before::Link(dest_url.to_string())
                }
                (Before::Link(file), Event::End(TagEnd::Link)) => {
                    is_in_link = false;
                    Before::Link(file)
                }
                (Before::Link(file), Event::Text(_) | Event::Code(_)) if is_in_link => Before::Link(file),
                (Before::Link(file), Event::Text(text)) if **text == *":" => Before::Announced(file),
                (Before::Announced(file), Event::End(TagEnd::Paragraph)) => Before::Announced(file),
                _ => Before::Other,
            };
        }
        name_anchors(&mut headings);
        Self { path: path.to_owned(), text, headings, links, blocks }
    }

    /// Where a link is, for people.
    pub(super) fn place(&self, link: &Link) -> String {
        self.place_at(link.at)
    }

    pub(super) fn place_of_block(&self, block: &Block) -> String {
        self.place_at(block.at)
    }

    fn place_at(&self, at: usize) -> String {
        let line = self.text[..at].matches('\n').count() + 1;
        format!("{}:{line}", self.path.display())
    }

    /// What is written below the first heading with this text, up to the next one of its level or above.
    pub(super) fn section(&self, heading: &str) -> Option<&str> {
        let number = self.headings.iter().position(|found| found.text == heading)?;
        let (this, later) = (&self.headings[number], &self.headings[number + 1..]);
        let end =
            later.iter().find(|next| next.level <= this.level).map_or(self.text.len(), |next| next.at.start);
        Some(&self.text[this.at.end..end])
    }
}

/// As they are made by those who show Markdown: of several that are the same the later ones get a number.
fn name_anchors(headings: &mut [Heading]) {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for heading in headings {
        let mut anchor: String = heading
            .text
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let times = seen.entry(anchor.clone()).or_default();
        if *times > 0 {
            anchor = format!("{anchor}-{times}");
        }
        *times += 1;
        heading.anchor = anchor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::new(Path::new("d.md"), text.to_owned())
    }

    #[test]
    fn links_are_found_wherever_they_stand_but_in_code() {
        let read = document(
            "a [b](c.md)\n\n| [`d`](e.md#f) |\n|---|\n| ![g](h.png) |\n\n```\n[i](j.md)\n```\n`[k](l.md)`\n[m]\n\n[m]: n.md\n",
        );
        let targets: Vec<_> = read.links.iter().map(|link| &*link.target).collect();
        assert_eq!(targets, ["c.md", "e.md#f", "h.png", "n.md"]);
        assert_eq!(read.place(&read.links[1]), "d.md:3");
    }

    #[test]
    fn anchors_are_those_of_the_headings() {
        let read = document("# A `b_c`, *d*!\n\n## x\n\n# x\n");
        let anchors: Vec<_> = read.headings.iter().map(|heading| &*heading.anchor).collect();
        assert_eq!(anchors, ["a-b_c-d", "x", "x-1"]);
        assert_eq!(read.headings[0].text, "A b_c, d!");
    }

    #[test]
    fn a_section_ends_with_the_next_heading_that_is_not_below_it() {
        let read = document("# a\n\none\n\n## b\n\ntwo\n\n# c\n\nthree\n");
        assert_eq!(read.section("a").unwrap().trim(), "one\n\n## b\n\ntwo");
        assert_eq!(read.section("b").unwrap().trim(), "two");
        assert_eq!(read.section("c").unwrap().trim(), "three");
        assert_eq!(read.section("d"), None);
    }

    #[test]
    fn a_block_shows_the_file_that_the_paragraph_before_it_is_a_link_to() {
        let shown = |text: &str| document(text).blocks.pop().unwrap().shows;
        assert_eq!(shown("x\n\n[`a.rs`](../a.rs):\n\n```rust\nlet a;\n```\n"), Some("../a.rs".to_owned()));
        for other in ["", "[a](a.rs)", "see [a](a.rs):", "[a](a.rs): or", "[a](a.rs):\n\nmore"] {
            assert_eq!(shown(&format!("{other}\n\n```rust\nlet a;\n```\n")), None, "{other}");
        }
        assert_eq!(document("[a](a.rs):\n\n```rust\na\n\nb\n```\n").blocks[0].code, "a\n\nb\n");
    }
}
