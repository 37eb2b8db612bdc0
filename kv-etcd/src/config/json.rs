//! JSON, in and out.

mod node;

use serde_json::{Map, Value as Json, json};

use super::draft::{Draft, Value};
use super::error::quoted;
use super::setting::Setting;
use super::{CaddyfileLoading, ConfigError, EtcdConfig, OldClusters, Secret, ServerVerification, duration};
use node::Node;

pub(super) fn read(text: &str) -> Result<EtcdConfig, ConfigError> {
    let mut draft = Draft::new(Setting::path);
    match serde_json::from_str(text) {
        Ok(Node::Object(fields)) => object(&mut draft, None, fields),
        Ok(_) => draft.refuse_other("JSON", "it is no object"),
        // It says what it expected and where, and quotes nothing: a node is made of anything that is JSON.
        Err(error) => draft.refuse_other("JSON", error.to_string()),
    }
    draft.build()
}

fn object(draft: &mut Draft, group: Option<&str>, fields: Vec<(String, Node)>) {
    let mut seen: Vec<String> = Vec::new();
    for (name, node) in fields {
        let path = group.map_or_else(|| name.clone(), |group| format!("{group}.{name}"));
        if seen.contains(&name) {
            draft.refuse_other(path, "it is given twice");
            continue;
        }
        if let Some(setting) = Setting::find(group, &name) {
            match value(node) {
                Ok(value) => draft.set(setting, path, value),
                Err(problem) => draft.refuse(setting, path, problem),
            }
            seen.push(name);
        } else if group.is_none() && Setting::GROUPS.contains(&name.as_str()) {
            match node {
                Node::Object(fields) => object(draft, Some(&name), fields),
                _ => draft.refuse_other(path, "it is no object"),
            }
            seen.push(name);
        } else {
            let origin = group.unwrap_or("JSON");
            let names = Setting::names_in(group);
            draft.refuse_other(origin, format!("unknown field {}; known are {names}", quoted(&name)));
        }
    }
}

fn value(node: Node) -> Result<Value, &'static str> {
    match node {
        Node::Text(text) => Ok(Value::Text(text)),
        Node::Integer(integer) => Ok(Value::Integer(integer)),
        Node::Flag(flag) => Ok(Value::Flag(flag)),
        Node::List(nodes) => {
            let texts = nodes.into_iter().map(|node| match node {
                Node::Text(text) => Ok(text),
                _ => Err("its list holds something else than texts"),
            });
            texts.collect::<Result<_, _>>().map(Value::Texts)
        }
        Node::Fraction => Err("it is a number with a fraction"),
        Node::Null => Err("it is null"),
        Node::Object(_) => Err("it is an object"),
    }
}

pub(super) fn write(config: &EtcdConfig) -> String {
    format!("{:#}", values(config))
}

/// All settings in their groups, but for the password, with those that are not given left out.
pub(super) fn values(config: &EtcdConfig) -> Json {
    let tls = config.tls();
    let file = |file: Option<&std::path::Path>| file.map(|file| file.to_string_lossy().into_owned());
    let object = json!({
        "endpoints": config.endpoints(),
        "key_prefix": config.prefix(),
        "lock_timeout": duration::format(config.lock_timeout()),
        "caddyfile": file(config.caddyfile()),
        "disable_caddyfile_load": config.caddyfile_loading() == CaddyfileLoading::Disabled,
        "tls": {
            "cert": file(tls.cert()),
            "key": file(tls.key()),
            "ca": file(tls.ca()),
            "server_name": tls.server_name(),
            "skip_verify": tls.verification() == ServerVerification::Skipped,
        },
        "auth": {
            "username": config.username(),
            "password": config.password().map(|_| Secret::REDACTED),
        },
        "connection": {
            "dial_timeout": duration::format(config.dial_timeout()),
            "keepalive_time": duration::format(config.keepalive_time()),
            "keepalive_timeout": duration::format(config.keepalive_timeout()),
            "auto_sync_interval": duration::format(config.auto_sync_interval()),
            "request_timeout": duration::format(config.request_timeout()),
            "reject_old_cluster": config.old_clusters() == OldClusters::Rejected,
            "max_request_bytes": config.max_request_bytes(),
            "max_txn_ops": config.max_txn_ops(),
            "max_requests_per_second": config.max_requests_per_second(),
            "request_burst": config.request_burst(),
        },
    });
    without_nulls(object)
}

fn without_nulls(json: Json) -> Json {
    match json {
        Json::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            Json::Object(fields.map(|(name, value)| (name, without_nulls(value))).collect::<Map<_, _>>())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
