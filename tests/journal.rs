//! Reading the journal from outside: questions, forms, exit codes, and that each reading is recorded itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use common::client::Client;
use common::{ADMIN, Installation, PASSWORD, SUFFIX};
use ldap3_proto::proto::LdapResultCode;
use serde_json::Value;

const ANNA: &str = "uid=anna,dc=mercy,dc=example";

fn jsonl(installation: &Installation, arguments: &[&str]) -> Vec<Value> {
    let all: Vec<&str> = ["journal"].into_iter().chain(arguments.iter().copied()).chain(["--format", "jsonl"]).collect();
    installation.succeed(&all).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn administrator(address: &str) -> Client {
    let mut client = Client::connect(address).unwrap();
    assert_eq!(client.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    client
}

/// Somebody comes, logs in rightly and wrongly, and goes.
fn some_life(address: &str) {
    let mut client = administrator(address);
    let attributes: &[(&str, &[&str])] = &[
        ("objectClass", &["inetOrgPerson"]),
        ("cn", &["Anna"]),
        ("sn", &["Andersen"]),
        ("userPassword", &["a pass phrase in clear"]),
    ];
    assert_eq!(client.add(ANNA, attributes).unwrap(), LdapResultCode::Success);
    let mut other = Client::connect(address).unwrap();
    assert_eq!(other.bind(ANNA, "not that").unwrap(), LdapResultCode::InvalidCredentials);
    assert_eq!(other.bind(ANNA, "a pass phrase in clear").unwrap(), LdapResultCode::Success);
    assert_eq!(other.delete(ANNA).unwrap(), LdapResultCode::InsufficentAccessRights);
    assert_eq!(client.delete(ANNA).unwrap(), LdapResultCode::Success);
}

fn answers(installation: &Installation) {
    let kinds = |records: &[Value]| -> Vec<(String, u64)> {
        records.iter().map(|record| (record["type"].as_str().unwrap().to_owned(), record["result"].as_u64().unwrap())).collect()
    };
    let of = |kind: &str, result| (kind.to_owned(), result);
    assert_eq!(kinds(&jsonl(installation, &["logins", "anna"])), [of("bind", 49), of("bind", 0)]);
    assert_eq!(kinds(&jsonl(installation, &["changes", ANNA])), [of("add", 0), of("delete", 50), of("delete", 0)]);
    assert_eq!(kinds(&jsonl(installation, &["failed", "--newest-first"])), [of("bind", 49)]);
    assert_eq!(kinds(&jsonl(installation, &["query", "--actor", "anna", "--result", "failed"])), [of("delete", 50)]);
    assert_eq!(jsonl(installation, &["query", "--type", "bind", "--peer", "127.0.0.0/8", "--since", "1h"]).len(), 3);
    assert_eq!(jsonl(installation, &["query", "--type", "bind", "--until", "1h"]), [] as [Value; 0]);
    assert_eq!(jsonl(installation, &["query", "--limit", "2"]).len(), 2);
    let first_last = jsonl(installation, &["first-last", "anna"]);
    assert_eq!(first_last.iter().map(|row| row["seq"].clone()).collect::<Vec<_>>().len(), 2);
    assert_eq!(first_last[0]["seq"], first_last[1]["seq"]);
    let clients = jsonl(installation, &["clients"]);
    let anna = clients.iter().find(|row| row["who"] == ANNA).unwrap();
    assert_eq!(
        (anna["peer"].as_str(), anna["logins"].as_str(), anna["failed"].as_str()),
        (Some("127.0.0.1"), Some("1"), Some("1"))
    );
}

#[test]
fn questions_are_answered_beside_the_server_and_without_it_and_each_is_recorded() {
    let installation = Installation::new();
    let server = installation.serve();
    some_life(&server.ldap());
    answers(&installation);
    let asked = jsonl(&installation, &["query", "--type", "journalRead"]);
    let last = asked.last().unwrap();
    assert_eq!(last["details"]["question"], "type journalRead", "the question itself is recorded before it is answered");
    assert_eq!((last["actor"]["dn"].as_str(), last["result"].as_u64()), (Some(ADMIN), Some(0)));
    let before = asked.len();
    installation.succeed(&["journal", "export"]);
    assert_eq!(jsonl(&installation, &["query", "--type", "journalRead"]).len(), before + 2);

    let table = installation.succeed(&["journal", "logins", "anna"]);
    assert!(table.starts_with("time ") && table.lines().count() == 3 && table.contains("wrong password"), "{table}");
    let csv = installation.succeed(&["journal", "logins", "anna", "--format", "csv"]);
    assert!(csv.starts_with("sequence,time,type,") && csv.matches("\r\n").count() == 3, "{csv}");
    let cef = installation.succeed(&["journal", "logins", "anna", "--format", "cef"]);
    assert!(cef.lines().all(|line| line.starts_with("CEF:0|Bindery|Bindery|") && line.contains(" src=127.0.0.1 ")), "{cef}");
    let syslog = installation.succeed(&["journal", "failed", "--format", "syslog"]);
    assert!(syslog.starts_with("<108>1 20") && syslog.contains(" bindery ") && syslog.contains(" bind - {\""), "{syslog}");
    for wrong in [&["query", "--since", "yesterday"][..], &["query", "--result", "bad"], &["query", "--follow", "--until", "1h"]]
    {
        let all: Vec<&str> = ["journal"].iter().chain(wrong).copied().collect();
        assert_eq!(installation.run(&all).status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(server.stop(), Some(0));

    answers(&installation);
    let offline = jsonl(&installation, &["query", "--type", "journalRead", "--newest-first", "--limit", "1"]);
    assert!(offline[0]["actor"].get("uuid").is_none() && offline[0]["details"]["question"] == "type journalRead", "{offline:?}");
    assert_eq!(installation.run(&["journal", "query", "--follow"]).status.code(), Some(2));
    let stats = jsonl(&installation, &["stats"]);
    assert!(
        !stats.is_empty() && stats.iter().all(|row| row["records"].as_str().unwrap().parse::<u64>().unwrap() > 0),
        "{stats:?}"
    );
    assert_eq!(stats.last().unwrap()["keptUntil"], "-", "the newest is still written: {stats:?}");
    stats_by_type_and_day(&installation);
}

/// What is counted is what is found, day by day and all in all.
fn stats_by_type_and_day(installation: &Installation) {
    let number = |row: &Value, name: &str| row[name].as_str().unwrap().parse::<u64>().unwrap();
    let binds = jsonl(installation, &["query", "--type", "bind"]);
    let octets = |records: &[Value]| records.iter().map(|record| record.to_string().len() as u64).sum::<u64>();
    let by_type = jsonl(installation, &["stats", "--by", "type"]);
    let row = by_type.iter().find(|row| row["type"] == "bind").unwrap();
    assert_eq!((number(row, "records"), number(row, "octets")), (binds.len() as u64, octets(&binds)), "{row}");
    assert_eq!(number(row, "average"), number(row, "octets") / number(row, "records"));
    let by_both = jsonl(installation, &["stats", "--by", "day-type"]);
    let of_days: u64 = by_both.iter().filter(|row| row["type"] == "bind").map(|row| number(row, "records")).sum();
    assert_eq!(of_days, binds.len() as u64);
    let before = jsonl(installation, &["stats", "--by", "day", "--until", "2000-01-01"]);
    assert!(before.is_empty(), "{before:?}");
    let asked = jsonl(installation, &["query", "--type", "journalRead", "--newest-first", "--limit", "2"]);
    assert_eq!(asked[1]["details"]["question"], "stats: until 2000-01-01T00:00:00.000000Z", "{asked:?}");
    assert_eq!(installation.run(&["journal", "stats", "--since", "7d"]).status.code(), Some(2), "of segments there is no part");
}

#[test]
fn sessions_open_at_a_moment() {
    let installation = Installation::new();
    let server = installation.serve();
    let mut client = administrator(&server.ldap());
    let moment = jsonl(&installation, &["query", "--type", "journalRead"]).pop().unwrap()["time"].as_i64().unwrap();
    let text = |micros: i64| jiff::Timestamp::from_microsecond(micros).unwrap().to_string();
    let open = jsonl(&installation, &["sessions", "--at", &text(moment)]);
    // That of the command which asked for the moment is one of them.
    assert!(open.iter().any(|row| row["peer"].as_str().unwrap().starts_with("127.0.0.1:") && row["who"] == ADMIN), "{open:?}");
    assert_eq!(client.bind("", "").unwrap(), LdapResultCode::Success);
    let later = jsonl(&installation, &["query", "--type", "journalRead"]).pop().unwrap()["time"].as_i64().unwrap();
    let open = jsonl(&installation, &["sessions", "--at", &text(later)]);
    assert!(!open.iter().any(|row| row["peer"].as_str().unwrap().starts_with("127.0.0.1:")), "{open:?}");
    assert!(client.read(&format!("cn=admin,{SUFFIX}"), &["cn"]).is_ok());
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn follow_shows_what_is_recorded_from_now_on() {
    let installation = Installation::new();
    let server = installation.serve();
    let mut child = Command::new(env!("CARGO_BIN_EXE_bindery"))
        .args(["journal", "query", "--type", "bind", "--result", "49", "--follow", "--format", "jsonl", "--config"])
        .arg(installation.configuration())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Begun when its reading is recorded.
    let has_begun = |record: &Value| record["details"]["question"] == "type bind, result 49";
    let begun = (0..100).any(|_| jsonl(&installation, &["query", "--type", "journalRead"]).iter().any(has_begun));
    assert!(begun);
    let mut client = Client::connect(&server.ldap()).unwrap();
    assert_eq!(client.bind(ADMIN, "wrong").unwrap(), LdapResultCode::InvalidCredentials);
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let record: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((record["target"]["dn"].as_str(), record["result"].as_u64()), (Some(ADMIN), Some(49)));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(server.stop(), Some(0));
}
