//! Rotation of the seal key from outside: under load, killed in the middle, without a server, and what the old key still opens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::client::Client;
use common::{ADMIN, Installation, PASSWORD, SUFFIX};
use ldap3_proto::proto::LdapResultCode;
use serde_json::Value;

fn administrator(address: &str) -> Client {
    let mut client = Client::connect(address).unwrap();
    assert_eq!(client.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    client
}

fn add_person(client: &mut Client, uid: &str) -> std::io::Result<LdapResultCode> {
    let attributes: &[(&str, &[&str])] = &[("objectClass", &["inetOrgPerson"]), ("cn", &[uid]), ("sn", &["Person"])];
    client.add(&format!("uid={uid},{SUFFIX}"), attributes)
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn key_file(installation: &Installation) -> PathBuf {
    installation.path().join("keys/seal.key")
}

fn key_files(installation: &Installation) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(installation.path().join("keys"))
        .unwrap()
        .map(|item| item.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("seal.key"))
        .collect();
    names.sort();
    names
}

fn digits(text: &str) -> &str {
    text.lines().find(|line| !line.starts_with('#')).unwrap()
}

fn journal(installation: &Installation) -> Vec<Value> {
    installation.succeed(&["journal", "export"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn rotations(records: &[Value]) -> Vec<(&str, &str, &str)> {
    let records = records.iter().filter(|record| record["type"] == "keyRotation");
    records
        .map(|record| {
            let details = &record["details"];
            let text = |name: &str| details[name].as_str().unwrap_or_default();
            (text("stage"), text("old"), text("new"))
        })
        .collect()
}

/// An installation whose journal has several segments, and a snapshot.
fn with_history() -> Installation {
    let installation = Installation::new();
    for round in 0..5 {
        let server = installation.serve();
        let mut client = administrator(&server.ldap());
        for number in 0..20 {
            assert_eq!(add_person(&mut client, &format!("old{round}-{number}")).unwrap(), LdapResultCode::Success);
        }
        assert_eq!(server.stop(), Some(0));
    }
    installation
}

/// Waits until the running server says that nothing is left to seal anew.
fn wait_until_done(installation: &Installation) {
    for _ in 0..1200 {
        let status = installation.run(&["status"]);
        let text = String::from_utf8_lossy(&status.stdout).into_owned();
        if text.lines().any(|line| line.split_whitespace().eq(["files", "to", "reseal", "0"])) {
            return;
        }
        assert!(text.contains("files to reseal"), "{text}{}", message(&status));
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the rotation does not come to its end");
}

/// Adds people until told to stop or the server is gone; who was acknowledged.
fn add_until(mut client: Client, name: &str, stop: &AtomicBool, acknowledged: &Mutex<BTreeSet<String>>) {
    for number in 0.. {
        let uid = format!("{name}-{number}");
        match add_person(&mut client, &uid) {
            Ok(LdapResultCode::Success) => acknowledged.lock().unwrap().insert(uid),
            Ok(other) => panic!("{uid}: {other:?}"),
            Err(_) => return,
        };
        if stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

#[test]
fn a_rotation_under_load_killed_anywhere_goes_on_and_loses_nothing() {
    let installation = with_history();
    let backup = installation.folder.path().join("backup");
    installation.succeed(&["backup", "--out", backup.to_str().unwrap()]);
    let first_key = fs::read_to_string(key_file(&installation)).unwrap();
    let acknowledged = Mutex::new(BTreeSet::new());
    let mut keys = vec![digits(&first_key).to_owned()];
    for (trial, delay) in [0, 15, 60, 150, 400].into_iter().enumerate() {
        let server = installation.serve();
        let stop = AtomicBool::new(false);
        let rotated = std::thread::scope(|scope| {
            for connection in 0..4 {
                let (client, stop, acknowledged) = (administrator(&server.ldap()), &stop, &acknowledged);
                scope.spawn(move || add_until(client, &format!("t{trial}c{connection}"), stop, acknowledged));
            }
            let configuration = installation.configuration();
            let rotating = Command::new(env!("CARGO_BIN_EXE_bindery"))
                .args(["key", "rotate", "--config", configuration.to_str().unwrap()])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(delay));
            server.signal("KILL");
            let output = rotating.wait_with_output().unwrap();
            stop.store(true, Ordering::Relaxed);
            output
        });
        drop(server);
        assert!(matches!(rotated.status.code(), Some(0 | 3)), "{}", message(&rotated));
        // It starts, goes on by itself, and serves meanwhile.
        let server = installation.serve();
        let mut client = administrator(&server.ldap());
        let uid = format!("after{trial}");
        assert_eq!(add_person(&mut client, &uid).unwrap(), LdapResultCode::Success);
        acknowledged.lock().unwrap().insert(uid);
        wait_until_done(&installation);
        assert_eq!(server.stop(), Some(0));
        assert!(!key_files(&installation).contains(&"seal.key.next".to_owned()));
        let check = installation.run(&["check"]);
        assert_eq!(check.status.code(), Some(0), "trial {trial}: {}{}", String::from_utf8_lossy(&check.stdout), message(&check));
        keys.push(digits(&fs::read_to_string(key_file(&installation)).unwrap()).to_owned());
    }
    // The last one is not killed: what was begun is ended.
    let server = installation.serve();
    let output = installation.run(&["key", "rotate"]);
    assert_eq!(output.status.code(), Some(0), "{}", message(&output));
    assert!(message(&output).contains("everything is sealed under the new key"), "{}", message(&output));
    assert_eq!(server.stop(), Some(0));

    let export = installation.succeed(&["export"]);
    for uid in acknowledged.lock().unwrap().iter() {
        assert!(export.contains(&format!("uid: {uid}\n")), "{uid} is lost");
    }
    let records = journal(&installation);
    for (record, expected) in records.iter().zip(1_u64..) {
        assert_eq!(record["seq"].as_u64(), Some(expected), "the journal is whole");
    }
    let text = installation.succeed(&["journal", "export"]);
    keys.iter().for_each(|key| assert!(!text.contains(key), "a key in the journal"));
    let told = rotations(&records);
    let begun = told.iter().filter(|(stage, ..)| *stage == "begun").count();
    let done: Vec<_> = told.iter().filter(|(stage, ..)| *stage == "done").collect();
    assert!(begun >= 1 && !done.is_empty(), "{told:?}");
    for pair in done.windows(2) {
        assert_eq!(pair[0].2, pair[1].1, "each begins where the one before ended: {told:?}");
    }
    let last = records.iter().rfind(|record| record["type"] == "keyRotation" && record["details"]["stage"] == "begun").unwrap();
    assert_eq!(last["actor"]["dn"], ADMIN);

    // The first key opens nothing of it any more, and the refusal says which is needed.
    let current = fs::read_to_string(key_file(&installation)).unwrap();
    let kept = installation.folder.path().join("kept");
    fs::rename(installation.path().join("keys"), &kept).unwrap();
    fs::create_dir(installation.path().join("keys")).unwrap();
    let put = |text: &str| {
        fs::write(key_file(&installation), text).unwrap();
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(key_file(&installation), fs::Permissions::from_mode(0o600)).unwrap();
    };
    put(&first_key);
    let refused = installation.run(&["check"]);
    let (needed, first) = (&done.last().unwrap().2[..16], &done[0].1[..16]);
    assert_eq!(refused.status.code(), Some(3), "{}", message(&refused));
    assert!(message(&refused).contains(&format!("sealed under the seal key {needed}")), "{}", message(&refused));
    assert!(message(&refused).contains(first), "{}", message(&refused));
    // The newest alone opens everything, but not the backup of before.
    put(&current);
    assert_eq!(installation.run(&["check"]).status.code(), Some(0));
    let refused = installation.run(&["restore", backup.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(3), "{}", message(&refused));
    assert!(message(&refused).contains(&format!("sealed under the seal key {first}")), "{}", message(&refused));
    // With the keys of before beside it, it does, and what it brings is sealed anew.
    fs::remove_dir_all(installation.path().join("keys")).unwrap();
    fs::rename(&kept, installation.path().join("keys")).unwrap();
    let restored = installation.run(&["restore", backup.to_str().unwrap()]);
    assert_eq!(restored.status.code(), Some(0), "{}", message(&restored));
    let server = installation.serve();
    wait_until_done(&installation);
    assert_eq!(server.stop(), Some(0));
    assert!(installation.succeed(&["export"]).contains("uid: old4-19\n"));
    fs::remove_dir_all(installation.path().join("keys")).unwrap();
    fs::create_dir(installation.path().join("keys")).unwrap();
    put(&current);
    let check = installation.run(&["check"]);
    assert_eq!(check.status.code(), Some(0), "{}{}", String::from_utf8_lossy(&check.stdout), message(&check));
}

#[test]
fn a_stopped_installation_is_rotated_by_the_command_alone() {
    let installation = with_history();
    let (before, old) = (installation.succeed(&["export", "--secrets"]), fs::read_to_string(key_file(&installation)).unwrap());
    let records = journal(&installation).len();
    let output = installation.run(&["key", "rotate"]);
    assert_eq!(output.status.code(), Some(0), "{}", message(&output));
    assert_eq!(installation.succeed(&["export", "--secrets"]), before);
    let files = key_files(&installation);
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(files[1].starts_with("seal.key.retired-"), "{files:?}");
    let read = |name: &str| fs::read_to_string(installation.path().join("keys").join(name)).unwrap();
    assert_eq!(digits(&read(&files[1])), digits(&old));
    assert_ne!(digits(&read("seal.key")), digits(&old));
    let check = installation.run(&["check"]);
    assert_eq!(check.status.code(), Some(0), "{}", String::from_utf8_lossy(&check.stdout));
    let after = journal(&installation);
    let stages: Vec<&str> = rotations(&after[records..]).into_iter().map(|(stage, ..)| stage).collect();
    assert_eq!(stages, ["begun", "done"]);

    // A key in the environment is not the program's to change.
    let configuration = fs::read_to_string(installation.configuration()).unwrap();
    let with_environment = match configuration.contains("[keys]") {
        true => configuration
            .lines()
            .map(
                |line| {
                    if line.trim_start().starts_with("seal =") { "seal-environment = \"BINDERY_TEST_SEAL_KEY\"" } else { line }
                },
            )
            .collect::<Vec<_>>()
            .join("\n"),
        false => format!("{configuration}\n[keys]\nseal-environment = \"BINDERY_TEST_SEAL_KEY\"\n"),
    };
    fs::write(installation.configuration(), with_environment).unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_bindery"))
        .args(["key", "rotate", "--config", installation.configuration().to_str().unwrap()])
        .env("BINDERY_TEST_SEAL_KEY", digits(&read("seal.key")))
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(3), "{}", message(&refused));
    assert!(message(&refused).contains("in the environment"), "{}", message(&refused));
}
