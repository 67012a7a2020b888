//! `bindery reconcile` from outside: files of a personnel department against a directory whose server runs, and one whose server is stopped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::client::{Client, values};
use common::{ADMIN, Installation, PASSWORD, write};
use ldap3_proto::proto::{LdapModifyType, LdapResultCode};

const HEAD: &str = "Employee ID,First,Last,Login,Mail,Department,Title,Manager ID,Status,Last day\n";
const BRANCH: &str = "ou=people,dc=mercy,dc=example";

/// An installation with a branch for people and the sample's mapping.
fn hospital() -> Installation {
    let installation = Installation::new();
    let branch = format!("dn: {BRANCH}\nobjectClass: organizationalUnit\nou: people\n");
    installation.succeed(&["import", write(&installation, "branch.ldif", &branch).to_str().unwrap()]);
    let sample = common::bindery(&["reconcile", "--sample"]).stdout;
    std::fs::write(installation.path().join("reconcile.toml"), sample).unwrap();
    installation
}

fn people(count: u32) -> String {
    let row = |number| format!("{},First{number},Last{number},LOGIN{number},,ICU,Nurse,1000,active,\n", 1000 + number);
    (0..count).map(row).collect()
}

/// Exit code, standard output, standard error.
fn reconcile(installation: &Installation, rows: &str, more: &[&str]) -> (i32, String, String) {
    let file = write(installation, "hr.csv", &format!("{HEAD}{rows}"));
    let output = installation.run(&[&["reconcile", file.to_str().unwrap()], more].concat());
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// What both ways have in common: with the server and without.
fn joins_moves_and_leaves(installation: &Installation) {
    let rows = people(20);
    let (code, plan, _) = reconcile(installation, &rows, &[]);
    assert_eq!(code, 1, "a plan that is not applied is something that was found: {plan}");
    assert!(plan.contains("20 join, 0 move, 0 leave, of 0 accounts; 0 to look at; file sha256:"), "{plan}");
    assert!(!installation.succeed(&["export"]).contains("uid=login1,"), "a plan changes nothing");
    let (code, _, remarks) = reconcile(installation, &rows, &["--apply"]);
    assert_eq!((code, remarks.contains("20 applied, 0 refused")), (0, true), "{remarks}");
    let (code, plan, _) = reconcile(installation, &rows, &["--apply"]);
    assert!(code == 0 && plan.starts_with("0 join, 0 move, 0 leave, of 20 accounts"), "{plan}");

    let moved = rows.replace("1003,First3,Last3,LOGIN3,,ICU,Nurse,1000", "1003,First3,Married,OTHER,,ER,,1001");
    let moved = moved.replace("1019,First19,Last19,LOGIN19,,ICU,Nurse,1000,active,\n", "");
    let (_, plan, _) = reconcile(installation, &moved, &["--format", "csv"]);
    assert!(plan.contains("departmentNumber,ICU,ER\r\n") && plan.contains("leave,,1019,"), "{plan}");
    let (_, plan, _) = reconcile(installation, &moved, &["--format", "jsonl"]);
    let lines: Vec<serde_json::Value> = plan.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["action"].as_str(), lines[1]["action"].as_str()), (Some("move"), Some("leave")), "{plan}");
    let (code, _, remarks) = reconcile(installation, &moved, &["--apply"]);
    assert!(code == 0 && remarks.contains("2 applied, 0 refused"), "{remarks}");
    let (code, plan, _) = reconcile(installation, &moved, &["--apply"]);
    assert!(code == 0 && plan.starts_with("0 join, 0 move, 0 leave, of 19 accounts"), "{plan}");
    let export = installation.succeed(&["export", "--base", BRANCH]);
    let of = |name: &str| {
        let entry = export.split("\n\n").find(|entry| entry.starts_with(&format!("dn: uid={name},"))).unwrap();
        entry.to_owned()
    };
    assert!(
        of("login3").contains("\nsn: Married") && of("login3").contains(&format!("\nmanager: uid=login1,{BRANCH}")),
        "{export}"
    );
    assert!(!of("login3").contains("\ntitle:") && of("login19").contains("\naccountDisabled: TRUE"), "{export}");

    // Of the records, each has the digest of its file and the line.
    let hash = std::process::Command::new("sha256sum").arg(installation.folder.path().join("hr.csv")).output().unwrap();
    let digest = String::from_utf8(hash.stdout).unwrap()[..64].to_owned();
    let records = installation.succeed(&["journal", "query", "--format", "jsonl"]);
    let named: Vec<&str> = records.lines().filter(|line| line.contains(&digest)).collect();
    assert_eq!(named.len(), 2, "{records}");
    assert!(named.iter().any(|line| line.contains(&format!("sha256:{digest} line 5 of hr.csv"))), "{named:?}");
    assert!(named.iter().any(|line| line.contains(&format!("sha256:{digest} absent of hr.csv"))), "{named:?}");
}

#[test]
fn a_running_server_follows_a_file() {
    let installation = hospital();
    let server = installation.serve();
    joins_moves_and_leaves(&installation);
    let mut admin = Client::connect(&server.ldap()).unwrap();
    assert_eq!(admin.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    let left = format!("uid=login19,{BRANCH}");
    let entry = admin.read(&left, &["accountDisabled", "manager"]).unwrap().unwrap();
    assert_eq!(values(&entry, "manager"), [format!("uid=login0,{BRANCH}")]);

    // Somebody who comes back, and somebody whom the server refuses, are told.
    let (code, plan, _) = reconcile(&installation, &people(20), &["--apply"]);
    assert!(code == 1 && plan.contains("look   1019") && plan.contains("is disabled or ended"), "{plan}");
    let numbered = [(LdapModifyType::Replace, "employeeNumber", &["77"][..])];
    assert_eq!(admin.modify(&left, &numbered).unwrap(), LdapResultCode::Success);
    let taken = "2000,Tom,Same,tom,,ICU,,,active,\n2001,Tim,,tim,,ICU,,,active,\n";
    let (code, _, remarks) = reconcile(&installation, &format!("{}{taken}", people(19)), &["--apply"]);
    assert!(code == 1 && remarks.contains("refused: join uid=tim,") && remarks.contains("1 applied, 1 refused"), "{remarks}");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_stopped_installation_follows_a_file() {
    joins_moves_and_leaves(&hospital());
}

#[test]
fn a_file_that_would_end_too_many_is_refused_whole() {
    let installation = hospital();
    assert_eq!(reconcile(&installation, &people(20), &["--apply"]).0, 0);
    let _server = installation.serve();
    let half = format!("{}3000,New,Person,new,,ICU,,,active,\n", people(10));
    let (code, _, remarks) = reconcile(&installation, &half, &[]);
    assert!(code == 1 && remarks.contains("--apply would refuse: 10 of 20 accounts would end, more than 10 %"), "{remarks}");
    let (code, _, remarks) = reconcile(&installation, &half, &["--apply"]);
    assert!(code == 3 && remarks.contains("nothing is done: 10 of 20"), "{remarks}");
    let export = installation.succeed(&["export"]);
    assert!(!export.contains("uid=new,") && !export.contains("accountDisabled"), "nothing is done");
    let (code, _, remarks) = reconcile(&installation, &half, &["--apply", "--most-leavers", "50"]);
    assert!(code == 0 && remarks.contains("11 applied"), "{remarks}");

    let (code, _, remarks) = reconcile(&installation, "1001,Anna\n", &["--apply"]);
    assert!(code == 3 && remarks.contains("hr.csv: CSV error"), "{remarks}");
    assert_eq!(reconcile(&installation, "", &["--most-leavers", "101"]).0, 2);
    std::fs::remove_file(installation.path().join("reconcile.toml")).unwrap();
    let (code, _, remarks) = reconcile(&installation, "", &[]);
    assert!(code == 3 && remarks.contains("bindery reconcile --sample"), "{remarks}");
}
