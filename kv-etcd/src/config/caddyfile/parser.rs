use super::Fault;
use super::lexer::{Token, TokenKind, Word};

/// The words of a line, with the block that they open.
#[derive(Clone)]
pub(super) struct Statement<'t> {
    pub(super) line: usize,
    /// Whether nothing stands before it in its line.
    pub(super) starts_line: bool,
    pub(super) words: Vec<&'t Word>,
    pub(super) block: Option<Block<'t>>,
}

/// What stands between braces. It is not read before it is asked for: most blocks are not for us.
#[derive(Clone, Copy)]
pub(super) struct Block<'t> {
    pub(super) tokens: &'t [Token],
    pub(super) close: &'t Token,
}

impl<'t> Statement<'t> {
    /// The words after the first.
    pub(super) fn arguments(&self) -> &[&'t Word] {
        self.words.get(1..).unwrap_or_default()
    }
}

/// Reads the statements of a file or of a block.
pub(super) fn statements(mut tokens: &[Token]) -> Result<Vec<Statement<'_>>, Fault> {
    let mut statements = Vec::new();
    while let [first, ..] = tokens {
        let (statement, rest) = statement(first, tokens)?;
        statements.push(statement);
        tokens = rest;
    }
    Ok(statements)
}

fn statement<'t>(first: &Token, tokens: &'t [Token]) -> Result<(Statement<'t>, &'t [Token]), Fault> {
    let (line, starts_line) = (first.line, first.starts_line);
    let mut words = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let rest = &tokens[index..];
        match &token.kind {
            _ if index > 0 && token.starts_line => {
                return Ok((Statement { line, starts_line, words, block: None }, rest));
            }
            TokenKind::Word(word) => words.push(word),
            TokenKind::Open => {
                let (block, rest) = block(token, &rest[1..])?;
                return Ok((Statement { line, starts_line, words, block: Some(block) }, rest));
            }
            TokenKind::Close => {
                let message = "this closing brace closes nothing; braces stand between spaces";
                return Err(Fault::new(token.line, message));
            }
        }
    }
    Ok((Statement { line, starts_line, words, block: None }, &[]))
}

/// Reads a block of which the brace was read, up to the one that matches.
fn block<'t>(open: &Token, tokens: &'t [Token]) -> Result<(Block<'t>, &'t [Token]), Fault> {
    let mut depth = 1_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth -= 1,
            TokenKind::Word(_) => {}
        }
        if depth == 0 {
            return Ok((Block { tokens: &tokens[..index], close: token }, &tokens[index + 1..]));
        }
    }
    Err(Fault::new(open.line, "this opening brace is never closed; braces stand between spaces"))
}
