use super::{Variable, quoted};

/// Placeholders of Caddy that are not known here. Taking them for their own text would be worse than refusing them.
const UNKNOWN: [&str; 5] = ["file.", "system.", "time.", "http.", "vars."];

/// Reads the placeholder that a text starts with, if it does: its length, and its value or why it has none.
pub(super) fn read(text: &str, variable: Variable<'_>) -> Option<(usize, Result<String, String>)> {
    let body = text.strip_prefix('{')?;
    // Only up to the next brace, so that a text full of them takes no quadratic time.
    let end = body.find(['{', '}', '\n']).filter(|end| body[*end..].starts_with('}'))?;
    let body = &body[..end];
    let length = "{".len() + end + "}".len();
    if let Some(body) = body.strip_prefix('$') {
        let (name, default) = match body.split_once(':') {
            Some((name, default)) => (name, Some(default)),
            None => (body, None),
        };
        return is_name(name).then(|| (length, value(name, default, variable)));
    }
    if let Some(name) = body.strip_prefix("env.") {
        return is_name(name).then(|| (length, value(name, None, variable)));
    }
    let unknown = UNKNOWN.iter().find(|prefix| body.starts_with(**prefix))?;
    Some((length, Err(format!("{{{unknown}*}} is not supported here, only {{$NAME}} and {{env.NAME}} are"))))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(char::is_whitespace)
}

fn value(name: &str, default: Option<&str>, variable: Variable<'_>) -> Result<String, String> {
    match variable(name) {
        // Not quoted: it may be the password.
        Some(value) => {
            value.into_string().map_err(|_| format!("the variable {} is not valid UTF-8", quoted(name)))
        }
        None => default.map(str::to_owned).ok_or_else(|| format!("the variable {} is not set", quoted(name))),
    }
}
