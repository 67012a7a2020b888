//! Backups and restores from outside: while the server serves and when it is stopped, to a folder and through a pipe, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use common::client::Client;
use common::{ADMIN, Installation, PASSWORD, SUFFIX};
use ldap3_proto::proto::{LdapModifyType, LdapResultCode};

fn administrator(address: &str) -> Client {
    let mut client = Client::connect(address).unwrap();
    assert_eq!(client.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    client
}

fn add_person(client: &mut Client, uid: &str) -> LdapResultCode {
    let attributes: &[(&str, &[&str])] = &[
        ("objectClass", &["inetOrgPerson", "wardMember"]),
        ("cn", &[uid]),
        ("sn", &["Person"]),
        ("ward", &["Seven"]),
        ("userPassword", &["a pass phrase in clear"]),
    ];
    client.add(&format!("uid={uid},{SUFFIX}"), attributes).unwrap()
}

fn define_online(client: &mut Client) {
    let add = || LdapModifyType::Add;
    let attribute: &[&str] = &["( 1.3.6.1.4.1.99999.7.1 NAME 'ward' SUP name )"];
    let class: &[&str] = &["( 1.3.6.1.4.1.99999.7.2 NAME 'wardMember' SUP top AUXILIARY MAY ward )"];
    let changes = [(add(), "attributeTypes", attribute), (add(), "objectClasses", class)];
    assert_eq!(client.modify("cn=Subschema", &changes).unwrap(), LdapResultCode::Success);
}

/// Records of the whole journal.
fn journal(installation: &Installation) -> Vec<serde_json::Value> {
    installation.succeed(&["journal", "export"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn last_sequence(installation: &Installation) -> u64 {
    journal(installation).last().unwrap()["seq"].as_u64().unwrap()
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Everything but the lines that reading itself changes: login times are left out of exports, so nothing is.
fn content(installation: &Installation) -> String {
    installation.succeed(&["export", "--secrets"])
}

#[test]
fn a_backup_taken_while_serving_brings_every_instant_back() {
    let installation = Installation::new();
    let backup = installation.folder.path().join("backup");
    let server = installation.serve();
    let mut client = administrator(&server.ldap());
    define_online(&mut client);
    assert_eq!(add_person(&mut client, "anna"), LdapResultCode::Success);
    assert_eq!(client.delete(&format!("uid=anna,{SUFFIX}")).unwrap(), LdapResultCode::Success);
    assert_eq!(add_person(&mut client, "bert"), LdapResultCode::Success);
    let output = installation.run(&["backup", "--out", backup.to_str().unwrap()]);
    let told = message(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("read back") && told.contains("the key is not part of it"), "{told}");
    assert!(backup.join("manifest").exists());
    // The server serves on.
    assert_eq!(add_person(&mut client, "carl"), LdapResultCode::Success);
    let again = installation.run(&["backup", "--out", backup.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(2), "{}", message(&again));
    assert_eq!(server.stop(), Some(0));
    let records = journal(&installation);
    let recorded =
        records.iter().find(|record| record["type"] == "backup" && record["result"] == 0).expect("a backup is recorded");
    assert_eq!(recorded["actor"]["dn"], ADMIN);
    assert!(records.iter().any(|record| record["type"] == "snapshot" && record["result"] == 0));

    let (before, sequence) = (content(&installation), last_sequence(&installation));
    assert!(before.contains("uid: carl") && before.contains("ward: Seven"), "{before}");
    let server = installation.serve();
    let mut client = administrator(&server.ldap());
    assert_eq!(client.delete(&format!("uid=bert,{SUFFIX}")).unwrap(), LdapResultCode::Success);
    assert_eq!(server.stop(), Some(0));
    let end = last_sequence(&installation);

    // To an instant behind the backup: the data folder there was has the records.
    let to = sequence.to_string();
    let output = installation.run(&["restore", backup.to_str().unwrap(), "--to", &to]);
    assert_eq!(output.status.code(), Some(0), "{}", message(&output));
    assert!(message(&output).contains("taken over") && installation.path().join("data.aside-1").exists(), "{}", message(&output));
    assert_eq!(content(&installation), before);
    let check = installation.run(&["check"]);
    assert_eq!(check.status.code(), Some(0), "{}", String::from_utf8_lossy(&check.stdout));
    let records = journal(&installation);
    let restore = records.iter().find(|record| record["type"] == "restore").expect("a restore is recorded");
    assert_eq!(restore["details"]["to"], to);
    assert_eq!(restore["details"]["leftOut"], format!("{}-{end}", sequence + 1));
    assert_eq!(restore["seq"].as_u64(), Some(end + 1));

    // A deleted person's uid is given to nobody else, and those who are there log in.
    let server = installation.serve();
    let mut client = administrator(&server.ldap());
    assert_eq!(add_person(&mut client, "anna"), LdapResultCode::ConstraintViolation);
    assert_eq!(client.bind(&format!("uid=bert,{SUFFIX}"), "a pass phrase in clear").unwrap(), LdapResultCode::Success);
    let output = installation.run(&["restore", backup.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3), "{}", message(&output));
    assert!(message(&output).contains("the server runs"), "{}", message(&output));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_backup_through_a_pipe_makes_a_lost_data_folder_anew() {
    let installation = Installation::new();
    let server = installation.serve();
    let mut client = administrator(&server.ldap());
    define_online(&mut client);
    assert_eq!(add_person(&mut client, "anna"), LdapResultCode::Success);
    assert_eq!(server.stop(), Some(0));
    let before = content(&installation);
    let output = installation.run(&["backup", "--out", "-"]);
    assert_eq!(output.status.code(), Some(0), "{}", message(&output));
    let archive = installation.folder.path().join("backup.tar");
    fs::write(&archive, &output.stdout).unwrap();
    let data = installation.path().join("data");
    fs::remove_dir_all(&data).unwrap();

    let path = archive.to_str().unwrap();
    refused(&installation, path, &output.stdout[..output.stdout.len() / 2], "");
    let mut damaged = output.stdout.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    refused(&installation, path, &damaged, "damaged");
    refused(&installation, path, b"no archive at all", "");
    let late = ["restore", path, "--to", "2999-01-01T00:00:00Z"];
    refused_with(&installation, &late, &output.stdout, "beyond the end");
    let key = installation.path().join("keys/seal.key");
    let own = fs::read(&key).unwrap();
    fs::copy(Installation::new().path().join("keys/seal.key"), &key).unwrap();
    refused(&installation, path, &output.stdout, "sealed under the seal key");
    fs::write(&key, own).unwrap();
    assert!(!data.exists() && !installation.path().join("data.restoring").exists(), "nothing half made is left");

    fs::write(&archive, &output.stdout).unwrap();
    let restored = installation.run(&["restore", path]);
    assert_eq!(restored.status.code(), Some(0), "{}", message(&restored));
    assert_eq!(content(&installation), before);
    let check = installation.run(&["check"]);
    assert_eq!(check.status.code(), Some(0), "{}", String::from_utf8_lossy(&check.stdout));
    let server = installation.serve();
    let mut client = Client::connect(&server.ldap()).unwrap();
    assert_eq!(client.bind(&format!("uid=anna,{SUFFIX}"), "a pass phrase in clear").unwrap(), LdapResultCode::Success);
}

fn refused(installation: &Installation, path: &str, archive: &[u8], expected: &str) {
    refused_with(installation, &["restore", path], archive, expected);
}

fn refused_with(installation: &Installation, arguments: &[&str], archive: &[u8], expected: &str) {
    fs::write(Path::new(arguments[1]), archive).unwrap();
    let output = installation.run(arguments);
    assert_eq!(output.status.code(), Some(3), "{}", message(&output));
    assert!(message(&output).contains(expected), "{}", message(&output));
}

#[test]
fn a_restored_folder_knows_how_far_collectors_are() {
    let installation = Installation::new();
    let position = |sequence: u64| format!("bindery.stream/position@v1\n{sequence}\n{}\n", "0".repeat(64));
    let streams = installation.path().join("data/streams");
    fs::create_dir(&streams).unwrap();
    fs::write(streams.join("siem.position"), position(2)).unwrap();
    fs::write(streams.join("ahead.position"), position(999_999)).unwrap();
    fs::write(streams.join("notes.txt"), "something else").unwrap();
    let backup = installation.folder.path().join("backup");
    installation.succeed(&["backup", "--out", backup.to_str().unwrap()]);
    assert!(!backup.join("streams/notes.txt").exists());
    let manifest = fs::read_to_string(backup.join("manifest")).unwrap();
    let end: u64 = manifest.lines().find_map(|line| line.strip_prefix("sequence ")).unwrap().parse().unwrap();
    assert!(manifest.contains("\nformat 2\n"));
    let sequence = |name: &str| -> u64 {
        let text = fs::read_to_string(streams.join(format!("{name}.position"))).unwrap();
        text.lines().nth(1).unwrap().parse().unwrap()
    };
    // The journal of the folder that was there goes on behind the backup: its positions count, and they went on.
    installation.succeed(&["export"]);
    fs::write(streams.join("siem.position"), position(3)).unwrap();
    installation.succeed(&["restore", backup.to_str().unwrap()]);
    assert_eq!((sequence("siem"), sequence("ahead")), (3, 999_999));
    // There is no folder any more: those of the backup count, and none is ahead of its journal.
    fs::remove_dir_all(installation.path().join("data")).unwrap();
    installation.succeed(&["restore", backup.to_str().unwrap()]);
    assert_eq!((sequence("siem"), sequence("ahead")), (2, end));
}

#[test]
fn a_journal_on_a_disk_of_its_own_is_backed_up_and_restored_there() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let (journal, restored) = (disk.join("journal"), disk.join("journal.restored-1"));
    let installation = Installation::of(folder, &["--journal-folder", journal.to_str().unwrap()]);
    let files = |folder: &Path| fs::read_dir(folder).unwrap().map(|item| item.unwrap().file_name()).collect::<Vec<_>>();
    let server = installation.serve();
    let mut client = administrator(&server.ldap());
    define_online(&mut client);
    assert_eq!(add_person(&mut client, "anna"), LdapResultCode::Success);
    let backup = installation.folder.path().join("backup");
    installation.succeed(&["backup", "--out", backup.to_str().unwrap()]);
    assert_eq!(server.stop(), Some(0));
    assert!(!files(&journal).is_empty());
    let before = content(&installation);
    let data = installation.path().join("data");
    assert!(!files(&backup.join("journal")).is_empty() && data.join("journal").is_symlink());

    for turn in 0..2 {
        let output = installation.run(&["restore", backup.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", message(&output));
        assert_eq!(fs::read_link(data.join("journal")).unwrap(), disk.join(format!("journal.restored-{}", turn + 1)));
    }
    assert_eq!(content(&installation), before);
    assert!(!files(&journal).is_empty() && !files(&restored).is_empty(), "what was there stays there");
    let damaged = folder_of_backup_without_manifest(&backup);
    let output = installation.run(&["restore", damaged.to_str().unwrap()]);
    assert_ne!(output.status.code(), Some(0));
    assert_eq!(files(&disk).len(), 3, "nothing half made is left");
    assert_eq!(installation.serve().stop(), Some(0));
}

fn folder_of_backup_without_manifest(backup: &Path) -> std::path::PathBuf {
    let folder = backup.with_file_name("damaged");
    fs::create_dir(&folder).unwrap();
    folder
}
