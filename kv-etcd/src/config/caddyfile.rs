//! The `storage etcd` block of a Caddyfile.
//!
//! The language is read as Caddy reads it, with two differences. The value of a variable never adds arguments, quotes
//! or braces: a password may hold any character. And a variable that is not set, and has no default, is an error where
//! it is used.

mod lexer;
mod options;
mod parser;
mod placeholder;

use std::ffi::OsString;

use super::draft::Draft;
use super::error::quoted;
use super::setting::Setting;
use super::{ConfigError, EtcdConfig};
use lexer::Word;
use parser::Statement;

type Variable<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// What is wrong, and in which line, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    line: usize,
    message: String,
}

impl Fault {
    fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

pub(super) fn read(text: &str, file: &str, variable: Variable<'_>) -> Result<EtcdConfig, ConfigError> {
    let mut draft = Draft::new(Setting::path);
    if let Err(fault) = read_into(&mut draft, text, file, variable) {
        draft.refuse_other(format!("{file}:{}", fault.line), fault.message);
    }
    draft.build()
}

fn read_into(draft: &mut Draft, text: &str, file: &str, variable: Variable<'_>) -> Result<(), Fault> {
    let tokens = lexer::tokens(text, variable)?;
    let storages = storages(&parser::statements(&tokens)?)?;
    let mut storages = storages.iter();
    let Some(storage) = storages.next() else {
        let message = "no storage etcd block, neither in the global options at the top nor on its own; \
                       blocks that are imported are not seen";
        return Err(Fault::new(1, message));
    };
    if let Some(second) = storages.next() {
        return Err(Fault::new(
            second.line,
            format!("a second storage; the first is in line {}", storage.line),
        ));
    }
    match storage.arguments() {
        [] => return Err(Fault::new(storage.line, "storage needs the name of a module")),
        [Word { defect: Some(defect), .. }, ..] => return Err(Fault::new(storage.line, defect)),
        [module, ..] if module.text != "etcd" => {
            let message = format!("the storage is {}, not etcd", quoted(&module.text));
            return Err(Fault::new(storage.line, message));
        }
        [_, superfluous, ..] => {
            let message = format!("storage has a superfluous argument: {}", quoted(&superfluous.text));
            return Err(Fault::new(storage.line, message));
        }
        [_] => {}
    }
    options::read(draft, file, storage)
}

/// The statements that say which storage to use: those in the global options, and those on their own.
fn storages<'t>(top: &[Statement<'t>]) -> Result<Vec<Statement<'t>>, Fault> {
    // A block without a name can only come first, as Caddy says too: it holds the global options.
    let (options, rest) = match top {
        [Statement { words, block: Some(options), .. }, rest @ ..] if words.is_empty() => {
            (parser::statements(options.tokens)?, rest)
        }
        _ => (Vec::new(), top),
    };
    if let Some(nameless) = options.iter().chain(rest).find(|statement| statement.words.is_empty()) {
        let message = "a block without a name can only be the first, with the global options; \
                       the brace that opens a block stands in the line of its name";
        return Err(Fault::new(nameless.line, message));
    }
    // At the top a word alone is the address of a site.
    let alone = rest.iter().filter(|statement| statement.words.len() > 1).cloned();
    let is_storage =
        |statement: &Statement<'_>| statement.words.first().is_some_and(|word| word.text == "storage");
    Ok(options.into_iter().chain(alone).filter(is_storage).collect())
}

#[cfg(test)]
mod tests;
