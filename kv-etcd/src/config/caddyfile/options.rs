//! The options inside the block, and in the blocks inside it.

use super::super::draft::{Draft, Value};
use super::super::error::quoted;
use super::super::setting::{Arity, Setting};
use super::Fault;
use super::lexer::Word;
use super::parser::{self, Statement};

/// Reads the block of a statement into the draft.
pub(super) fn read(draft: &mut Draft, file: &str, storage: &Statement<'_>) -> Result<(), Fault> {
    Reader { draft, file, groups: Vec::new() }.block(None, storage)
}

struct Reader<'a> {
    draft: &'a mut Draft,
    file: &'a str,
    groups: Vec<&'static str>,
}

impl Reader<'_> {
    fn block(&mut self, group: Option<&'static str>, statement: &Statement<'_>) -> Result<(), Fault> {
        if !statement.starts_line {
            self.refuse(statement.line, "an option and a closing brace start a line of their own");
        }
        let Some(block) = &statement.block else {
            return Ok(());
        };
        for option in parser::statements(block.tokens)? {
            self.option(group, &option)?;
        }
        if !block.close.starts_line {
            self.refuse(block.close.line, "a closing brace starts a line of its own");
        }
        Ok(())
    }

    fn option(&mut self, group: Option<&'static str>, option: &Statement<'_>) -> Result<(), Fault> {
        let Some(name) = option.words.first() else {
            self.refuse(option.line, "a block without the name of an option before it");
            return Ok(());
        };
        if let Some(defect) = &name.defect {
            self.refuse(option.line, defect);
        } else if let Some(setting) = Setting::find(group, &name.text) {
            self.setting(setting, option, secrecy(group));
        } else if let Some(group) = group_of(group, &name.text) {
            self.group(group, option)?;
        } else {
            let shown = match secrecy(group) {
                Secrecy::Public => format!(" {}", quoted(&name.text)),
                Secrecy::Secret => String::new(),
            };
            let place = group.unwrap_or("storage etcd");
            let names = Setting::names_in(group);
            self.refuse(option.line, format!("unknown option{shown} in {place}; known are {names}"));
        }
        Ok(())
    }

    fn group(&mut self, group: &'static str, option: &Statement<'_>) -> Result<(), Fault> {
        if !option.arguments().is_empty() || option.block.is_none() {
            self.refuse(option.line, format!("{group} takes a block and no arguments"));
        }
        if self.groups.contains(&group) {
            self.refuse(option.line, format!("{group} is given twice"));
        }
        self.groups.push(group);
        self.block(Some(group), option)
    }

    fn setting(&mut self, setting: Setting, option: &Statement<'_>, secrecy: Secrecy) {
        let origin = format!("{}:{}: {}", self.file, option.line, setting.path());
        let value = match self.draft.given(setting) {
            Some(first) => Err(format!("it is given twice, first in {first}")),
            None => value(setting, option, secrecy),
        };
        match value {
            Ok(value) => self.draft.set(setting, origin, value),
            Err(problem) => self.draft.refuse(setting, origin, problem),
        }
    }

    fn refuse(&mut self, line: usize, problem: impl Into<String>) {
        self.draft.refuse_other(format!("{}:{line}", self.file), problem);
    }
}

/// Whether the words of a block may be repeated in errors.
#[derive(Clone, Copy)]
enum Secrecy {
    Public,
    /// Any word there may be the password, wherever it has slipped to.
    Secret,
}

fn secrecy(group: Option<&str>) -> Secrecy {
    if group == Some(Setting::SECRET_GROUP) { Secrecy::Secret } else { Secrecy::Public }
}

/// Groups stand in the outermost block only.
fn group_of(group: Option<&str>, name: &str) -> Option<&'static str> {
    Setting::GROUPS.into_iter().find(|known| group.is_none() && *known == name)
}

fn value(setting: Setting, option: &Statement<'_>, secrecy: Secrecy) -> Result<Value, String> {
    if !option.starts_line {
        return Err("an option starts a line of its own".to_owned());
    }
    if option.block.is_some() {
        return Err("it takes no block".to_owned());
    }
    let arguments = option.arguments();
    if let Some(defect) = arguments.iter().find_map(|word| word.defect.as_ref()) {
        return Err(defect.clone());
    }
    let text = |word: &Word| Value::Text(word.text.clone());
    match (setting.arity(), arguments) {
        (Arity::Flag, []) => Ok(Value::Flag(true)),
        (_, []) => Err("an argument is missing".to_owned()),
        (Arity::OneOrMore, words) => Ok(Value::Texts(words.iter().map(|word| word.text.clone()).collect())),
        (_, [word]) => Ok(text(word)),
        (_, [_, superfluous, ..]) => Err(match secrecy {
            Secrecy::Public => format!("an argument is superfluous: {}", quoted(&superfluous.text)),
            Secrecy::Secret => "an argument is superfluous".to_owned(),
        }),
    }
}
