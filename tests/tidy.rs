//! The house rules that a compiler does not know: which room may use which, how long files and functions get, what is never written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The table of src/ARCHITECTURE.md. A room may always use itself and what lies inside it.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("model/schema", &["model"]),
    ("world", &["model"]),
    ("protocol", &["model"]),
    ("policy", &["model"]),
    ("directory", &["model"]),
    ("journal", &["model"]),
    ("operation", &["model", "protocol", "policy", "directory", "journal"]),
    ("session", &["model", "protocol", "policy", "operation", "directory", "journal"]),
    ("wire", &["model", "protocol"]),
    ("store", &["model", "directory", "journal", "world"]),
    ("config", &["model", "policy", "operation", "directory"]),
    ("server", &["*"]),
    ("command", &["*"]),
];

/// Crates that only some rooms may know.
const CLOSED: &[(&str, &[&str])] = &[
    ("ldap3_proto", &["wire"]),
    ("sled", &["store"]),
    ("tokio", &["server", "command"]),
    ("tokio_util", &["server", "command", "wire"]),
    ("tokio_rustls", &["server"]),
    ("rustls", &["server", "command"]),
    ("argon2", &["policy"]),
    ("clap", &["command", "config"]),
];

const LONGEST_FILE: usize = 600;
const LONGEST_FUNCTION: usize = 75;

#[test]
fn imports_go_one_way() {
    let mut wrong = Vec::new();
    for file in sources() {
        let Some(room) = room_of(&file) else { continue };
        let allowed =
            ROOMS.iter().find(|(name, _)| *name == room).map(|(_, allowed)| *allowed).expect("every room is in the table");
        let top = room.split('/').next().unwrap();
        for (number, line) in code_lines(&file) {
            for used in used_rooms(&line) {
                // Schema is published by the model and used by all who may use the model; the model's own files do not use it.
                let base = used.split('/').next().unwrap();
                let inside = used == room || (room == "model/schema" && base == "model");
                if !inside && !allowed.contains(&"*") && !allowed.contains(&base) {
                    wrong.push(format!("{}:{number}: {room} may not use {used}", file.display()));
                }
            }
            for (name, rooms) in CLOSED {
                let path = format!("{name}::");
                let named = line
                    .match_indices(&path)
                    .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'));
                if named && !rooms.contains(&top) {
                    wrong.push(format!("{}:{number}: {room} may not know the crate {name}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_and_functions_can_be_held_in_mind() {
    let mut wrong = Vec::new();
    for file in sources() {
        let text = fs::read_to_string(&file).unwrap();
        if !text.starts_with("//!") {
            wrong.push(format!("{}: the first line says what the file holds", file.display()));
        }
        if is_test_file(&file) {
            continue;
        }
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let length = product.lines().count();
        if length > LONGEST_FILE {
            wrong.push(format!("{}: {length} lines, at most {LONGEST_FILE}", file.display()));
        }
        wrong.extend(long_functions(&file, product));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_unfinished() {
    let marks = ["todo!(", "unimplemented!(", "FIXME", "XXX ", ": not there yet"];
    let mut wrong = Vec::new();
    for file in sources() {
        for (index, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                wrong.push(format!("{}:{}: {}", file.display(), index + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_is_the_one_in_the_architecture_chapter() {
    let chapter = fs::read_to_string(root().join("src/ARCHITECTURE.md")).unwrap();
    for (room, allowed) in ROOMS {
        let row = chapter
            .lines()
            .find(|line| line.starts_with(&format!("| `{room}` |")))
            .unwrap_or_else(|| panic!("src/ARCHITECTURE.md has no row for `{room}`"));
        let last = row.trim_end().trim_end_matches('|').rsplit('|').next().unwrap().trim();
        let expected = match *allowed {
            [] => "–".to_owned(),
            ["*"] => "all above".to_owned(),
            rooms => rooms.join(" "),
        };
        assert_eq!(last, expected, "row of `{room}` in src/ARCHITECTURE.md");
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&root().join("src"), &mut found);
    found.sort();
    assert!(found.len() > 30, "the sources were not found");
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn is_test_file(file: &Path) -> bool {
    let inside = file.strip_prefix(root()).unwrap();
    inside.components().any(|part| ["tests.rs", "tests"].iter().any(|name| part.as_os_str() == *name))
}

/// `src/model/schema/syntax.rs` is in `model/schema`; `src/lib.rs` and `src/main.rs` are in no room.
fn room_of(file: &Path) -> Option<String> {
    let path = file.strip_prefix(root().join("src")).unwrap().to_string_lossy().into_owned();
    let path = path.trim_end_matches(".rs");
    if path.starts_with("model/schema") {
        return Some("model/schema".to_owned());
    }
    let first = path.split('/').next().unwrap();
    (!["lib", "main"].contains(&first)).then(|| first.to_owned())
}

/// Lines of product code: comments and the tests at a file's end left out (tests may build what they need from any room).
fn code_lines(file: &Path) -> Vec<(usize, String)> {
    if is_test_file(file) {
        return Vec::new();
    }
    let text = fs::read_to_string(file).unwrap();
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, line.to_owned()))
        .collect()
}

fn used_rooms(line: &str) -> Vec<String> {
    let mut used = Vec::new();
    for rest in line.split("crate::").skip(1) {
        let path: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect();
        let mut parts = path.split("::");
        let room = parts.next().unwrap().to_owned();
        if room == "model" && parts.next() == Some("schema") {
            used.push("model/schema".to_owned());
        } else if ROOMS.iter().any(|(name, _)| *name == room) {
            used.push(room);
        }
    }
    used
}

fn long_functions(file: &Path, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut open: BTreeMap<usize, (usize, String)> = BTreeMap::new();
    let mut template = 0;
    let mut in_template = false;
    for (index, line) in text.lines().enumerate() {
        // A template is text, not steps to follow: its lines do not count.
        template += usize::from(in_template);
        let opened = line.split_once("r#\"").map(|(_, rest)| rest);
        in_template = if in_template { !line.starts_with("\"#") } else { opened.is_some_and(|rest| !rest.contains("\"#")) };
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        let head = ["pub ", "pub(super) ", "pub(crate) ", "const ", "async "]
            .iter()
            .fold(trimmed, |rest, word| rest.trim_start_matches(word));
        if head.starts_with("fn ") && !trimmed.ends_with(';') {
            open.insert(indent, (index - template, trimmed.to_owned()));
        } else if trimmed == "}"
            && let Some((start, name)) = open.remove(&indent)
        {
            let length = index - template - start + 1;
            if length > LONGEST_FUNCTION {
                wrong.push(format!("{}: {length} lines: {name}", file.display()));
            }
        }
    }
    wrong
}
