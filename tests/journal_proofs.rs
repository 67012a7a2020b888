//! What an auditor can find out about a journal without trusting the machine it is on: every way to change it is found and named.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use common::client::Client;
use common::{ADMIN, Installation, PASSWORD, SUFFIX, bindery};
use ldap3_proto::proto::LdapResultCode;

const GROUP_HEADER: usize = 128;

fn work(installation: &Installation, names: &[&str]) {
    let server = installation.serve();
    let mut client = Client::connect(&server.ldap()).unwrap();
    assert_eq!(client.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    for name in names {
        let attributes: &[(&str, &[&str])] = &[("objectClass", &["inetOrgPerson"]), ("cn", &[name]), ("sn", &["Person"])];
        assert_eq!(client.add(&format!("uid={name},{SUFFIX}"), attributes).unwrap(), LdapResultCode::Success);
    }
    drop(client);
    assert_eq!(server.stop(), Some(0));
}

fn with_anchors(installation: &Installation) -> PathBuf {
    let folder = installation.folder.path().join("worm");
    fs::create_dir(&folder).unwrap();
    let mut text = fs::read_to_string(installation.configuration()).unwrap();
    text.push_str(&format!("\n[journal.anchors]\nfolder = {:?}\n", folder.to_str().unwrap()));
    fs::write(installation.configuration(), text).unwrap();
    folder
}

fn segments(installation: &Installation) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(installation.path().join("data/journal")).unwrap().map(|item| item.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Where the groups of a segment stand.
fn groups(octets: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut at = octets.windows(8).position(|window| window == b"BNDgroup").unwrap();
    while octets.get(at..at + 8) == Some(b"BNDgroup") {
        let length = GROUP_HEADER + u64::from_le_bytes(octets[at + 8..at + 16].try_into().unwrap()) as usize;
        found.push(at..at + length);
        at += length;
    }
    found
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Has the data folder changed, verified, and put back.
fn after(installation: &Installation, change: impl FnOnce(&Path), extra: &[&str]) -> (Option<i32>, String) {
    let (data, aside) = (installation.path().join("data"), installation.folder.path().join("aside"));
    copy(&data, &aside);
    change(&data);
    let output = installation.run(&[&["journal", "verify"], extra].concat());
    fs::remove_dir_all(&data).unwrap();
    fs::rename(&aside, &data).unwrap();
    (output.status.code(), said(&output))
}

fn rewrite(path: &Path, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    fs::write(path, change(fs::read(path).unwrap())).unwrap();
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn every_change_to_the_files_is_found_and_named() {
    let installation = Installation::new();
    work(&installation, &["anna", "bert", "carl"]);
    work(&installation, &["dora", "emil", "fritz"]);
    let whole = installation.run(&["journal", "verify"]);
    assert_eq!(whole.status.code(), Some(0), "{}", said(&whole));
    assert!(said(&whole).contains("are as they were written"), "{}", said(&whole));
    let files = segments(&installation);
    assert!(files.len() >= 3, "init's and one of each server: {files:?}");
    let (first, second, last) = (files[0].clone(), files[1].clone(), files[files.len() - 1].clone());
    let places = groups(&fs::read(&second).unwrap());
    assert!(places.len() > 4);
    let named = |code: i32, (found, text): (Option<i32>, String), words: &[&str]| {
        assert_eq!(found, Some(code), "{text}");
        words.iter().for_each(|word| assert!(text.contains(word), "{word} in {text}"));
    };
    let in_second = name(&second);
    let altered = ["altered: sequence", in_second.as_str()];

    let flip = |_: &Path| {
        rewrite(&second, |mut octets| {
            octets[places[2].end - 1] ^= 1;
            octets
        })
    };
    named(1, after(&installation, flip, &[]), &altered);
    let delete = |_: &Path| {
        rewrite(&second, |mut octets| {
            octets.drain(places[2].clone());
            octets
        })
    };
    named(1, after(&installation, delete, &[]), &altered);
    let insert = |_: &Path| {
        rewrite(&second, |mut octets| {
            let group = octets[places[1].clone()].to_vec();
            octets.splice(places[2].start..places[2].start, group);
            octets
        })
    };
    named(1, after(&installation, insert, &[]), &altered);
    let reorder = |_: &Path| {
        rewrite(&second, |mut octets| {
            let (one, other) = (octets[places[1].clone()].to_vec(), octets[places[2].clone()].to_vec());
            octets.splice(places[1].start..places[2].end, [other, one].concat());
            octets
        })
    };
    named(1, after(&installation, reorder, &[]), &altered);
    let truncate = |_: &Path| {
        rewrite(&second, |mut octets| {
            octets.truncate(places[3].start);
            octets
        })
    };
    named(2, after(&installation, truncate, &[]), &["missing: sequence", &in_second]);
    let remove = |_: &Path| fs::remove_file(&second).unwrap();
    named(2, after(&installation, remove, &[]), &["missing: sequence", &in_second]);
    let remove_first = |_: &Path| fs::remove_file(&first).unwrap();
    named(2, after(&installation, remove_first, &[]), &["missing: sequences 1 to"]);
    // The last segment, and what would miss it beside the checkpoints.
    let roll_back = |data: &Path| {
        fs::remove_file(&last).unwrap();
        let _ = fs::remove_file(data.join("mark"));
    };
    named(2, after(&installation, roll_back, &[]), &["missing: sequences", "the checkpoint of", "signed for more"]);
    let cut = |data: &Path| {
        let places = groups(&fs::read(&last).unwrap());
        rewrite(&last, |mut octets| {
            octets.truncate(places[places.len() - 2].start);
            octets
        });
        let _ = fs::remove_file(data.join("mark"));
    };
    named(2, after(&installation, cut, &[]), &["missing: sequence", "signed for more"]);
    // What is derived is not trusted either.
    let tree = |data: &Path| rewrite(&data.join("tree/row-0"), |octets| vec![0; octets.len()]);
    named(0, after(&installation, tree, &[]), &["are as they were written"]);
    let unsigned = |data: &Path| fs::remove_file(data.join("tree/checkpoints")).unwrap();
    named(2, after(&installation, unsigned, &[]), &["no checkpoint is there that anybody signed"]);
    let forged = |data: &Path| {
        rewrite(&data.join("tree/checkpoints"), |octets| {
            String::from_utf8(octets).unwrap().replace("\ntime 20", "\ntime 19").into_bytes()
        })
    };
    let (code, text) = after(&installation, forged, &[]);
    assert!(code == Some(1) && text.contains("its signature does not fit"), "{text}");
}

#[test]
fn who_holds_the_machine_cannot_rewrite_what_was_anchored() {
    let installation = Installation::new();
    let anchors = with_anchors(&installation);
    work(&installation, &["anna"]);
    let public = installation.folder.path().join("kept.pub");
    fs::copy(installation.path().join("keys/journal.pub"), &public).unwrap();
    let old = installation.folder.path().join("old");
    copy(&installation.path().join("data"), &old);
    work(&installation, &["bert", "carl"]);
    let key = ["--key", public.to_str().unwrap()];
    let verify = |extra: &[&str]| {
        let output = installation.run(&[&["journal", "verify"], extra].concat());
        (output.status.code(), said(&output))
    };
    let (code, text) = verify(&key);
    assert!(code == Some(0) && text.contains("anchored up to"), "{text}");
    assert!(fs::read_dir(&anchors).unwrap().count() >= 2);

    // The data folder of before, with its own checkpoints, key and mark: whole in itself.
    let data = installation.path().join("data");
    let new = installation.folder.path().join("new");
    fs::rename(&data, &new).unwrap();
    copy(&old, &data);
    let (code, text) = verify(&key);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("missing: sequences") && text.contains("the anchor "), "{text}");
    let without = ["--anchors", old.to_str().unwrap(), "--stale", "1000000"];
    assert_eq!(verify(&without).0, Some(3), "no anchor in there");
    // Told also by the server, which goes on in it: from then on the journal has another content, and the machine's key signs for it.
    let server = installation.serve();
    let told = (0..600).find_map(|_| {
        let status = installation.run(&["status"]);
        std::thread::sleep(Duration::from_millis(100));
        said(&status).contains("the anchor ").then_some(status)
    });
    let status = told.expect("the server notices");
    assert_eq!(status.status.code(), Some(1), "{}", said(&status));
    assert!(said(&status).contains("an older data folder was put in its place"), "{}", said(&status));
    assert_eq!(server.stop(), Some(0));
    work(&installation, &["xaver", "yves", "zita"]);
    let (code, text) = verify(&key);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("altered: sequences") && text.contains("the anchor ") && text.contains(".segment"), "{text}");
    // Both are signed: with the other one in its place again the anchors of this one give it away.
    fs::remove_dir_all(&data).unwrap();
    fs::rename(&new, &data).unwrap();
    assert_eq!(verify(&key).0, Some(1));
}

#[test]
fn a_changed_key_is_found() {
    let installation = Installation::new();
    work(&installation, &["anna"]);
    let (kept, keys) = (installation.folder.path().join("kept.pub"), installation.path().join("keys"));
    fs::copy(keys.join("journal.pub"), &kept).unwrap();
    let verify = |keys: &[&Path]| {
        let mut arguments = vec!["journal", "verify"];
        keys.iter().for_each(|key| arguments.extend(["--key", key.to_str().unwrap()]));
        let output = installation.run(&arguments);
        (output.status.code(), said(&output))
    };
    assert_eq!(verify(&[&kept]).0, Some(0));
    // Everything is signed anew with another key.
    fs::remove_file(keys.join("journal.key")).unwrap();
    fs::remove_file(keys.join("journal.pub")).unwrap();
    let checkpoints = installation.path().join("data/tree/checkpoints");
    let before = fs::read(&checkpoints).unwrap();
    fs::remove_dir_all(installation.path().join("data/tree")).unwrap();
    work(&installation, &[]);
    let (code, text) = verify(&[&kept]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("not signed with the key given"), "{text}");
    assert!(installation.succeed(&["journal", "export"]).contains("\"type\":\"journalKey\""), "a new key is journaled");
    let new = keys.join("journal.pub");
    rewrite(&checkpoints, |after| [before, after].concat());
    assert_eq!(verify(&[&new]).0, Some(1));
    assert_eq!(verify(&[&kept, &new]).0, Some(0), "{}", verify(&[&kept, &new]).1);
}

#[test]
fn what_is_handed_out_verifies_elsewhere_with_the_public_key_alone() {
    let installation = Installation::new();
    work(&installation, &["anna", "bert"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let at = |name: &str| elsewhere.path().join(name);
    fs::copy(installation.path().join("keys/journal.pub"), at("key")).unwrap();
    let verify = |file: &str| {
        let output = bindery(&["journal", "verify", at(file).to_str().unwrap(), "--key", at("key").to_str().unwrap()]);
        (output.status.code(), said(&output))
    };
    let change = |file: &str, change: &dyn Fn(String) -> String| {
        fs::write(at("changed"), change(fs::read_to_string(at(file)).unwrap())).unwrap();
        if at(&format!("{file}.proof")).exists() {
            fs::copy(at(&format!("{file}.proof")), at("changed.proof")).unwrap();
        }
        let outcome = verify("changed");
        let _ = fs::remove_file(at("changed.proof"));
        outcome
    };
    let without = |text: String, line: usize| {
        let kept: Vec<&str> = text.lines().enumerate().filter(|(index, _)| *index != line).map(|(_, line)| line).collect();
        kept.join("\n") + "\n"
    };

    let checkpoint = installation.succeed(&["journal", "checkpoint"]);
    let signed: usize = checkpoint.lines().nth(1).unwrap().parse().unwrap();
    for (file, from) in [("all", "1"), ("some", "7")] {
        let export = installation.succeed(&["journal", "export", "--from", from]);
        // That the journal was read is recorded too, and nobody signed for that yet.
        let lines: Vec<&str> = export.lines().take(signed + 1 - from.parse::<usize>().unwrap()).collect();
        fs::write(at(file), lines.join("\n") + "\n").unwrap();
        installation.succeed(&["journal", "checkpoint", at(file).to_str().unwrap()]);
        let (code, text) = verify(file);
        assert!(code == Some(0) && text.contains("all of them"), "{text}");
        let (code, text) = change(file, &|text| text.replacen("\"result\":0", "\"result\":1", 3));
        assert!(code == Some(1) && text.contains("altered: sequence"), "{text}");
        let (code, text) = change(file, &|text| without(text, 3));
        assert!(code == Some(2) && text.contains("missing: sequence"), "{text}");
        let (code, text) = change(file, &|text| without(text, 0));
        assert!(code == Some(2) && text.contains(&format!("missing: sequence {from}")), "{text}");
        let last = fs::read_to_string(at(file)).unwrap().lines().count() - 1;
        assert_eq!(change(file, &|text| without(text, last)).0, Some(2));
        // The last record is continued by none.
        let (code, text) = change(file, &|text| {
            let at = text.rfind("\"result\":0").unwrap();
            format!("{}\"result\":5{}", &text[..at], &text[at + 10..])
        });
        assert!(code == Some(1) && text.contains("not those that the checkpoint was signed for"), "{text}");
    }

    // The whole export goes further than what was signed; one that begins earlier than its proof has others in front.
    let export = installation.succeed(&["journal", "export"]);
    fs::write(at("further"), &export).unwrap();
    fs::copy(at("all.proof"), at("further.proof")).unwrap();
    let (code, text) = verify("further");
    assert!(code == Some(3) && text.contains(&format!("records 1 to {signed} are as they were written")), "{text}");
    assert!(text.contains(&format!("unproven: sequences {} to {}", signed + 1, export.lines().count())), "{text}");
    let (code, text) = change("further", &|text| without(text, 3));
    assert!(code == Some(2) && text.contains("missing: sequence"), "{text}");
    fs::copy(at("some.proof"), at("all.proof")).unwrap();
    let (code, text) = verify("all");
    assert!(code == Some(3) && text.contains("unproven: sequences 1 to 6"), "{text}");
    fs::remove_file(at("all.proof")).unwrap();
    assert_eq!(verify("all").0, Some(4), "without its proof");
    assert_eq!(verify("nowhere").0, Some(4));

    fs::write(at("proof"), installation.succeed(&["journal", "prove", "9"])).unwrap();
    let (code, text) = verify("proof");
    assert!(code == Some(0) && text.contains("\"seq\":9") && text.contains("record 9 is in the journal"), "{text}");
    assert_eq!(change("proof", &|text| text.replace("index 8", "index 7")).0, Some(1));
    assert_eq!(installation.run(&["journal", "prove", "100000"]).status.code(), Some(3));

    let (out, about) = (at("bundle"), format!("uid=anna,{SUFFIX}"));
    let arguments = ["journal", "evidence", "--from", "3", "--to", "2099-01-01T00:00:00Z", "--for", "the court, case 7"];
    let server = installation.serve();
    let rest = ["--about", &about, "--out", out.to_str().unwrap()];
    installation.succeed(&[&arguments[..], &rest].concat());
    assert_eq!(server.stop(), Some(0));
    let (code, text) = verify("bundle");
    assert_eq!(code, Some(0), "{text}");
    for words in ["for: the court, case 7", "1 are shown", "add by cn=admin", "all of them"] {
        assert!(text.contains(words), "{words} in {text}");
    }
    let bundle = fs::read_to_string(at("bundle")).unwrap();
    assert!(!bundle.contains("uid=bert") && bundle.contains("rule {\"dn\":\"ou=binds,ou=policies"), "{bundle}");
    assert_eq!(change("bundle", &|text| text.replace("case 7", "case 8")).0, Some(1));
    assert_eq!(change("bundle", &|text| text.replacen("\"result\":0", "\"result\":1", 1)).0, Some(1));
    assert_eq!(change("bundle", &|text| text[..text.len() / 2].to_owned()).0, Some(4));
}
