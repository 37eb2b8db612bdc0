//! What the Go module has stored is read, and what is written is what it would have written.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use storage_core::kv::{Key, KvBackendExt, Op, Txn};
use storage_core::{EntryKind, ErrorKind, FindingKind, LayoutKind, ListOptions};

use super::member::{Clock, GoMember, open_at, parse};
use crate::files::support::{everything, options, paths, refused, tree_prefix};
use crate::tree::Tree;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-CADDY-1"], what_the_go_module_has_stored_is_read),
    case!(["FS-CADDY-1"], damage_is_told_from_files),
    case!(["FS-CADDY-2"], what_is_written_is_what_the_go_module_writes),
    case!(["FS-CADDY-2"], the_go_module_reads_what_is_written_and_lists_nothing_else),
    case!(["FS-CADDY-9"], a_survey_finds_what_no_listing_shows),
];

const LOCK_TIMEOUT: Duration = Duration::from_secs(300);

/// What calls of the Go module have left in an etcd with the prefix `/caddy`, moved to the case's tree.
async fn load_golden(context: &Context) -> BTreeMap<String, Value> {
    let client = context.client().await;
    for line in include_str!("golden/stored.jsonl").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let [key, value] =
            ["key", "value"].map(|field| BASE64_STANDARD.decode(line[field].as_str().unwrap()).unwrap());
        let rest = String::from_utf8(key).unwrap().strip_prefix("/caddy").unwrap().to_owned();
        client.put(Key::new(format!("{}{rest}", tree_prefix(context))), value.into()).await.unwrap();
    }
    serde_json::from_str(include_str!("golden/expected.json")).unwrap()
}

async fn what_the_go_module_has_stored_is_read(context: Context) {
    let expected = load_golden(&context).await;
    // The layout is that of what is there.
    let tree = Tree::open(&context, options(&context)).await.unwrap();
    assert_eq!(tree.layout(), LayoutKind::CaddyEtcd);
    let names: Vec<String> = expected.keys().map(|name| name.trim_start_matches('/').to_owned()).collect();
    let listed = tree.list("", ListOptions::descendants().with_metadata()).await.unwrap();
    let files: Vec<_> = listed.iter().filter(|entry| entry.kind == EntryKind::File).collect();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), sorted);
    for (name, about) in &expected {
        let file = tree.load_file(name).await.unwrap();
        let plain = BASE64_STANDARD.decode(about["plaintext_base64"].as_str().unwrap()).unwrap();
        assert_eq!(file.content, plain, "{name}");
        assert_eq!(file.metadata.size, about["size"].as_u64().unwrap(), "{name}");
        assert_eq!(file.metadata.sha1.unwrap().to_string(), about["sha1"].as_str().unwrap(), "{name}");
        assert_eq!(file.metadata.modified, parse(about["timestamp"].as_str().unwrap()), "{name}");
        let stat = files.iter().find(|entry| entry.path == file.metadata.path).unwrap();
        assert_eq!(stat.metadata.as_ref().unwrap().as_ref().unwrap(), &file.metadata, "{name}");
    }
    let size = expected.values().map(|about| about["size"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(tree.stat("").await.unwrap().size, size);
    assert_eq!(tree.delete("certificates").await.unwrap(), 6);
    assert_eq!(tree.delete_all().await.unwrap(), expected.len() as u64 - 6);
}

async fn damage_is_told_from_files(context: Context) {
    let clock = Clock::new();
    let go = GoMember::new(&context, &clock, LOCK_TIMEOUT).await;
    for name in ["record", "content", "hash", "whole"] {
        go.store(name, name.as_bytes()).await;
    }
    let tree = open_at(&context, &clock, LOCK_TIMEOUT).await;
    go.put_raw("md/record", "no base64!").await;
    go.put_raw("content", "no base64!").await;
    go.put_raw("hash", "aGFzIQ==").await;
    refused(tree.load("record").await, ErrorKind::Corrupt, "record");
    refused(tree.load("content").await, ErrorKind::ChecksumMismatch, "content");
    refused(tree.load("hash").await, ErrorKind::ChecksumMismatch, "hash");
    assert_eq!(tree.load("whole").await.unwrap(), "whole");
    assert_eq!(everything(&tree).await, ["content", "hash", "record", "whole"]);
}

async fn what_is_written_is_what_the_go_module_writes(context: Context) {
    let clock = Clock::new();
    let (go, tree) =
        (GoMember::new(&context, &clock, LOCK_TIMEOUT).await, open_at(&context, &clock, LOCK_TIMEOUT).await);
    let bytes = b"\xff\0 bytes <&>";
    for path in ["a", "dir/<b> & 'c'\u{2028}\u{2029}", "ä/\"日本\"", "empty"] {
        let bytes = if path == "empty" { &b""[..] } else { bytes };
        let stored = tree.store(path, bytes.to_vec()).await.unwrap();
        // What Go writes beside what JSON demands.
        let escaped =
            path.replace('"', "\\\"").replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
        let escaped = escaped.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
        let hash: Vec<String> = stored.sha1.unwrap().as_bytes().iter().map(u8::to_string).collect();
        let record = format!(
            "{{\"Path\":\"{escaped}\",\"Size\":{},\"Timestamp\":\"{}\",\"Hash\":[{}],\"IsDir\":false}}",
            bytes.len(),
            super::member::format(stored.modified),
            hash.join(",")
        );
        let raw = go.get_raw(&format!("md/{path}")).await.unwrap();
        assert_eq!(String::from_utf8(BASE64_STANDARD.decode(&raw).unwrap()).unwrap(), record);
        assert_eq!(raw, BASE64_STANDARD.encode(&record));
        assert_eq!(go.get_raw(path).await.unwrap(), BASE64_STANDARD.encode(bytes));
    }
}

async fn the_go_module_reads_what_is_written_and_lists_nothing_else(context: Context) {
    let clock = Clock::new();
    let (go, tree) =
        (GoMember::new(&context, &clock, LOCK_TIMEOUT).await, open_at(&context, &clock, LOCK_TIMEOUT).await);
    tree.store_many([("a/b", "1"), ("c", "2")]).await.unwrap();
    tree.store("gone", "3").await.unwrap();
    tree.delete("gone").await.unwrap();
    let guard = tree.lock("held").await.unwrap();
    assert_eq!(go.load("a/b").await.unwrap(), b"1");
    assert_eq!(go.metadata("c").await.unwrap()["Size"], 1);
    assert_eq!(go.load("gone").await, None);
    assert_eq!(go.list().await, ["/a/b", "/c", "/lock/held"]);
    guard.unlock().await.unwrap();
    assert_eq!(go.list().await, ["/a/b", "/c"]);
    // And the other way round, also over what was there.
    go.store("a/b", b"theirs").await;
    assert_eq!(tree.load("a/b").await.unwrap(), "theirs");
}

async fn a_survey_finds_what_no_listing_shows(context: Context) {
    let clock = Clock::new();
    let go = GoMember::new(&context, &clock, LOCK_TIMEOUT).await;
    for name in
        ["whole", "/slash", "a//b", "trailing/", "both", "both/x", "lock/x", "bad", "half", "back\\slash"]
    {
        go.store(name, name.as_bytes()).await;
    }
    go.store("md/y", b"not the metadata of y").await;
    go.put_raw("md/bad", "no base64!").await;
    go.put_raw("caddyfile", "Zm9v").await;
    let client = context.client().await;
    client
        .txn(Txn::new().then(Op::Delete(Key::new(format!("{}/half", tree_prefix(&context))))))
        .await
        .unwrap();
    let tree = open_at(&context, &clock, LOCK_TIMEOUT).await;
    let survey = tree.survey().await.unwrap();
    let files: Vec<_> = survey.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(files, ["a/b", "both", "both/x", "slash", "trailing", "whole"]);
    let findings: Vec<_> = survey
        .findings
        .iter()
        .map(|finding| {
            let kind = match &finding.kind {
                FindingKind::NoPath(error) => {
                    assert_eq!(error.kind(), ErrorKind::InvalidPath);
                    "no path"
                }
                FindingKind::FileAndDirectory => "both",
                FindingKind::StoredAs(name) => name,
                FindingKind::Damaged(_) => "damaged",
                FindingKind::NoContent => "no content",
                FindingKind::NoMetadata => "no metadata",
                _ => "another kind",
            };
            (finding.name.as_str(), kind)
        })
        .collect();
    let expected = [
        ("a/b", "a//b"),
        ("back\\slash", "no path"),
        ("bad", "damaged"),
        ("both", "both"),
        ("caddyfile", "no metadata"),
        ("half", "no content"),
        ("lock/x", "no path"),
        ("md/y", "no path"),
        ("trailing", "trailing/"),
    ];
    assert_eq!(findings, expected);
    for finding in survey.findings.iter().filter(|finding| matches!(finding.kind, FindingKind::NoPath(_))) {
        let (loaded, _) = tree.load_finding(finding).await.unwrap();
        let expected = if finding.name == "md/y" { "not the metadata of y" } else { &finding.name };
        assert_eq!(loaded, expected.as_bytes(), "{}", finding.name);
    }
    let listed = tree.list("both", ListOptions::children()).await.unwrap();
    assert_eq!(paths(&listed), ["both/x"]);
    assert_eq!(tree.load("both").await.unwrap(), "both");
}
