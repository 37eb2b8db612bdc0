use super::{Fault, Variable, placeholder};

/// A part of a Caddyfile.
pub(super) struct Token {
    pub(super) line: usize,
    /// Whether it is the first of its line; lines joined by a backslash are one.
    pub(super) starts_line: bool,
    pub(super) kind: TokenKind,
}

pub(super) enum TokenKind {
    /// `{`
    Open,
    /// `}`
    Close,
    Word(Word),
}

/// A word, without its quotes and with its placeholders replaced.
#[derive(Default)]
pub(super) struct Word {
    pub(super) text: String,
    /// Why the word has no value. It matters only where the word is used: most of a file is not for us.
    pub(super) defect: Option<String>,
}

/// Reads all tokens. Comments are none.
pub(super) fn tokens(text: &str, variable: Variable<'_>) -> Result<Vec<Token>, Fault> {
    let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lexer = Lexer { rest, line: 1, starts_line: true, variable };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    starts_line: bool,
    variable: Variable<'a>,
}

impl Lexer<'_> {
    fn token(&mut self) -> Result<Option<Token>, Fault> {
        self.skip_to_token();
        let Some(first) = self.rest.chars().next() else {
            return Ok(None);
        };
        let (line, starts_line) = (self.line, std::mem::take(&mut self.starts_line));
        let kind = match first {
            '"' | '`' => TokenKind::Word(self.quoted(first)?),
            _ => match self.heredoc_marker() {
                Some(marker) => TokenKind::Word(self.heredoc(marker)?),
                None => self.bare(),
            },
        };
        Ok(Some(Token { line, starts_line, kind }))
    }

    /// Skips spaces, comments and the ends of lines.
    fn skip_to_token(&mut self) {
        while let Some(next) = self.rest.chars().next() {
            match next {
                '\n' => {
                    self.bump();
                    self.starts_line = true;
                }
                '#' => self.advance(self.rest.find('\n').unwrap_or(self.rest.len())),
                next if next.is_whitespace() => {
                    self.bump();
                }
                _ => match self.continuation() {
                    Some(length) => self.advance(length),
                    None => return,
                },
            }
        }
    }

    /// A word in double quotes, where `\"` is a quote and every other backslash itself, or in backquotes.
    fn quoted(&mut self, quote: char) -> Result<Word, Fault> {
        let opened = self.line;
        let mut word = Word::default();
        self.bump();
        while let Some(next) = self.rest.chars().next() {
            match next {
                next if next == quote => {
                    self.bump();
                    return Ok(word);
                }
                // Both at once, so that the second of two backslashes escapes nothing.
                '\\' if quote == '"' => {
                    self.bump();
                    match self.bump() {
                        Some('"') => word.text.push('"'),
                        escaped => word.text.extend(std::iter::once('\\').chain(escaped)),
                    }
                }
                _ => self.push_next(&mut word),
            }
        }
        Err(Fault::new(opened, format!("the quote {quote} is never closed")))
    }

    fn bare(&mut self) -> TokenKind {
        let begin = self.rest;
        let mut word = Word::default();
        while let Some(next) = self.rest.chars().next() {
            if next.is_whitespace() || self.continuation().is_some() {
                break;
            }
            self.push_next(&mut word);
        }
        // What is written decides, not what a placeholder becomes.
        match &begin[..begin.len() - self.rest.len()] {
            "{" => TokenKind::Open,
            "}" => TokenKind::Close,
            _ => TokenKind::Word(word),
        }
    }

    /// The marker of a text over several lines, as in `<<END`, if one begins here.
    fn heredoc_marker(&self) -> Option<String> {
        let line = self.rest.strip_prefix("<<")?.lines().next()?.trim_end();
        let is_marker = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        (!line.is_empty() && line.chars().all(is_marker)).then(|| line.to_owned())
    }

    /// Skips such a text: it may hold braces that mean nothing. No option of ours takes one.
    fn heredoc(&mut self, marker: String) -> Result<Word, Fault> {
        let opened = self.line;
        loop {
            self.advance(self.rest.find('\n').map_or(self.rest.len(), |end| end + 1));
            let line = self.rest.trim_start_matches([' ', '\t']);
            if line.starts_with(&marker) {
                self.advance(self.rest.len() - line.len() + marker.len());
                let defect = Some("a text over several lines is not supported here".to_owned());
                return Ok(Word { text: marker, defect });
            }
            if self.rest.is_empty() {
                return Err(Fault::new(opened, format!("the text <<{marker} is never closed")));
            }
        }
    }

    /// The length of a backslash that joins this line with the next.
    fn continuation(&self) -> Option<usize> {
        let end = self.rest.strip_prefix('\\')?;
        let line_end = end.trim_start_matches('\r');
        line_end.starts_with('\n').then(|| self.rest.len() - line_end.len() + 1)
    }

    /// Moves a character, or a placeholder, into a word.
    fn push_next(&mut self, word: &mut Word) {
        if let Some((length, value)) = placeholder::read(self.rest, self.variable) {
            self.advance(length);
            match value {
                Ok(value) => word.text += &value,
                Err(defect) => {
                    word.defect.get_or_insert(defect);
                }
            }
        } else {
            word.text.extend(self.bump());
        }
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.advance(next.len_utf8());
        Some(next)
    }

    fn advance(&mut self, length: usize) {
        let (passed, rest) = self.rest.split_at(length);
        self.line += passed.matches('\n').count();
        self.rest = rest;
    }
}
