use std::fmt;

use super::setting::Setting;

/// Everything that is wrong with a configuration. No secret is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid configuration: {}", join(problems))]
pub struct ConfigError {
    problems: Vec<ConfigProblem>,
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    setting: Option<Setting>,
    origin: String,
    message: String,
}

impl ConfigError {
    /// What is wrong; at least one thing.
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.problems
    }
}

impl ConfigProblem {
    /// The setting that is wrong, by its name in JSON: `connection.dial_timeout`. None when what is wrong is not the
    /// value of a setting.
    pub fn setting(&self) -> Option<&str> {
        self.setting.map(Setting::path)
    }

    /// Where it was given: the environment variable, the path in the JSON text, file and line of the Caddyfile with
    /// the option, or the name of the setting when it was given to the builder.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What is wrong with it, and the rule.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

fn join(problems: &[ConfigProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Collects what is wrong.
#[derive(Default)]
pub(super) struct Problems(Vec<ConfigProblem>);

impl Problems {
    /// Notes that a setting is wrong.
    pub(super) fn add(&mut self, setting: Setting, origin: impl Into<String>, message: impl Into<String>) {
        let problem =
            ConfigProblem { setting: Some(setting), origin: origin.into(), message: message.into() };
        self.0.push(problem);
    }

    /// Notes that something is wrong that is not the value of a setting.
    pub(super) fn add_other(&mut self, origin: impl Into<String>, message: impl Into<String>) {
        self.0.push(ConfigProblem { setting: None, origin: origin.into(), message: message.into() });
    }

    pub(super) fn into_result(self) -> Result<(), ConfigError> {
        if self.0.is_empty() { Ok(()) } else { Err(ConfigError { problems: self.0 }) }
    }
}

/// A text in quotes, shortened: what is wrong may be a whole file.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}
