//! The journal is complete and keeps no secret: thousands of mixed operations of several clients against a real server leave exactly their
//! records, in order and with the codes that were sent; and what should be in no record, log line, error or file is in none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::path::Path;

use common::client::{Client, values};
use common::random::Random;
use common::{ADMIN, Installation, PASSWORD, SUFFIX};
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapBindCred, LdapBindRequest, LdapCompareRequest, LdapExtendedRequest, LdapFilter, LdapModifyDNRequest, LdapModifyType,
    LdapOp, LdapResultCode, LdapSearchScope, SaslCredentials,
};
use serde_json::Value;

const CLIENTS: u64 = 20;
const OPERATIONS: usize = 500;

/// Sends a random operation; what the journal must say of it, where it is recorded.
fn operate(client: &mut Client, random: &mut Random) -> Option<(&'static str, i64)> {
    let dn = |random: &mut Random| format!("uid=p{},{SUFFIX}", random.below(40));
    let (kind, code) = match random.below(200) {
        0 => ("bind", client.bind(ADMIN, "wrong").unwrap()),
        1 => ("bind", client.bind("uid=nobody,dc=mercy,dc=example", "wrong").unwrap()),
        2 => ("bind", client.bind("no name", "wrong").unwrap()),
        3..=5 => ("bind", client.bind("", "").unwrap()),
        6..=15 => ("bind", client.bind(ADMIN, PASSWORD).unwrap()),
        16..=60 => {
            let attributes: &[(&str, &[&str])] = &[("objectClass", &["inetOrgPerson"]), ("cn", &["P"]), ("sn", &["P"])];
            ("add", client.add(&dn(random), attributes).unwrap())
        }
        61..=70 => ("add", client.add(&dn(random), &[("noSuchAttribute", &["x"])]).unwrap()),
        71..=120 => {
            let change: &[(LdapModifyType, &str, &[&str])] = &[(LdapModifyType::Replace, "title", &["Nurse"])];
            ("modify", client.modify(&dn(random), change).unwrap())
        }
        121..=150 => ("delete", client.delete(&dn(random)).unwrap()),
        151..=180 => {
            let request = LdapModifyDNRequest {
                dn: dn(random),
                newrdn: format!("uid=p{}", random.below(40)),
                deleteoldrdn: true,
                new_superior: None,
            };
            ("modifyDn", client.result(LdapOp::ModifyDNRequest(request)).unwrap())
        }
        _ => {
            client.read(&dn(random), &["cn"]).unwrap();
            return None;
        }
    };
    Some((kind, code as i64))
}

#[test]
fn ten_thousand_mixed_operations_leave_exactly_their_records() {
    let installation = Installation::new();
    // All come from one address, and are not to be slowed down for what they do wrong.
    let file = installation.configuration();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("[limits]\n", "[limits]\nfailed-binds-per-second = 1000000\n")).unwrap();
    let server = installation.serve();
    let address = server.ldap();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let address = address.clone();
            std::thread::spawn(move || {
                let mut random = Random::new(number);
                let mut client = Client::connect(&address).unwrap();
                let mut sent = vec![("bind", client.bind(ADMIN, PASSWORD).unwrap() as i64)];
                sent.extend((0..OPERATIONS).filter_map(|_| operate(&mut client, &mut random)));
                (client.local(), sent)
            })
        })
        .collect();
    let sent: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    assert_eq!(server.stop(), Some(0));
    let journal: Vec<Value> =
        installation.succeed(&["journal", "export"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut recorded = 0;
    for (peer, sent) in &sent {
        let found: Vec<(&str, i64)> = journal
            .iter()
            .filter(|record| record["peer"] == *peer && record["type"] != "sessionEnd")
            .map(|record| (record["type"].as_str().unwrap(), record["result"].as_i64().unwrap()))
            .collect();
        assert_eq!(&found, sent, "{peer}");
        recorded += found.len();
    }
    assert!(recorded as u64 > CLIENTS * OPERATIONS as u64 * 4 / 5, "{recorded}");
    // And by the index: every bind is found that is there.
    let binds = journal.iter().filter(|record| record["type"] == "bind").count();
    let found = installation.succeed(&["journal", "query", "--type", "bind", "--format", "jsonl"]);
    assert_eq!(found.lines().count(), binds);
}

const SECRET: &str = "zephyrine-canary";

fn secret(number: &mut u32) -> String {
    *number += 1;
    format!("{SECRET}-{number} Qx7")
}

/// Secrets where clients send them, rightly and wrongly. The texts of all errors.
fn spill(address: &str) -> Vec<String> {
    let (mut n, mut texts) = (0, Vec::new());
    let mut client = Client::connect(address).unwrap();
    assert_eq!(client.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    let dn = format!("uid=carl,{SUFFIX}");
    let own = secret(&mut n);
    let person = |secret: &str| -> Vec<(String, Vec<String>)> {
        [("objectClass", "inetOrgPerson"), ("cn", "Carl"), ("sn", "Carlsen"), ("userPassword", secret)]
            .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]))
            .to_vec()
    };
    let add = |client: &mut Client, dn: &str, attributes: &[(String, Vec<String>)]| {
        let borrowed: Vec<(&str, Vec<&str>)> =
            attributes.iter().map(|(name, list)| (name.as_str(), list.iter().map(String::as_str).collect())).collect();
        let all: Vec<(&str, &[&str])> = borrowed.iter().map(|(name, list)| (*name, list.as_slice())).collect();
        client.add(dn, &all).unwrap()
    };
    assert_eq!(add(&mut client, &dn, &person(&own)), LdapResultCode::Success);
    assert_ne!(add(&mut client, &dn, &person(&secret(&mut n))), LdapResultCode::Success);
    for attribute in ["noSuchAttribute", "oathSecret", "userPassword;x-unknown", "unicodePwd"] {
        let mut attributes = person(&secret(&mut n));
        attributes.push((attribute.to_owned(), vec![secret(&mut n)]));
        assert_ne!(add(&mut client, &format!("uid=c{n},{SUFFIX}"), &attributes), LdapResultCode::Success, "{attribute}");
        for how in [LdapModifyType::Add, LdapModifyType::Delete, LdapModifyType::Replace] {
            let value = secret(&mut n);
            let change: &[(LdapModifyType, &str, &[&str])] = &[(how, attribute, &[&value])];
            client.modify(&dn, change).unwrap();
        }
    }
    let wrong_delete = secret(&mut n);
    let change: &[(LdapModifyType, &str, &[&str])] = &[(LdapModifyType::Delete, "userPassword", &[&wrong_delete])];
    assert_ne!(client.modify(&dn, change).unwrap(), LdapResultCode::Success);
    for attribute in ["userPassword", "oathSecret", "noSuchAttribute"] {
        let request = LdapCompareRequest { dn: dn.clone(), atype: attribute.to_owned(), val: secret(&mut n).into_bytes() };
        client.result(LdapOp::CompareRequest(request)).unwrap();
        for base in [SUFFIX, "cn=accesslog"] {
            let filter = LdapFilter::Equality(attribute.to_owned(), secret(&mut n));
            client.search(base, LdapSearchScope::Subtree, filter, &["cn"]).unwrap();
        }
    }
    for name in ["1.3.6.1.4.1.4203.1.11.1", "1.2.3.4.5", "1.3.6.1.1.8"] {
        let request = LdapExtendedRequest { name: name.to_owned(), value: Some(secret(&mut n).into_bytes()) };
        client.result(LdapOp::ExtendedRequest(request)).unwrap();
    }
    let control =
        LdapControl::Unknown { oid: "1.2.3.4.5".to_owned(), criticality: true, value: Some(secret(&mut n).into_bytes()) };
    client.send_with(LdapOp::DelRequest(dn.clone()), vec![control]).unwrap();
    texts.push(format!("{:?}", client.receive().unwrap()));
    let mut person = Client::connect(address).unwrap();
    for name in [dn.clone(), format!("uid={}", secret(&mut n)), secret(&mut n)] {
        let request = LdapBindRequest { version: 3, dn: name, cred: LdapBindCred::Simple(secret(&mut n)) };
        person.send(LdapOp::BindRequest(request)).unwrap();
        texts.push(format!("{:?}", person.receive().unwrap()));
    }
    for (mechanism, secret) in [("PLAIN", format!("\0carl\0{}", secret(&mut n))), ("X-UNKNOWN", secret(&mut n))] {
        let credentials = SaslCredentials { mechanism: mechanism.to_owned(), credentials: secret.into_bytes() };
        let request = LdapBindRequest { version: 3, dn: String::new(), cred: LdapBindCred::SASL(credentials) };
        person.send(LdapOp::BindRequest(request)).unwrap();
        texts.push(format!("{:?}", person.receive().unwrap()));
    }
    assert_eq!(person.bind(&dn, &own).unwrap(), LdapResultCode::Success);
    texts
}

#[test]
fn no_secret_is_in_any_record_log_line_error_metric_or_file() {
    let installation = Installation::new();
    let server = installation.serve();
    let texts = spill(&server.ldap());
    let mut client = Client::connect(&server.ldap()).unwrap();
    assert_eq!(client.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    let all = LdapFilter::Present("objectClass".to_owned());
    let mut told = texts;
    for base in ["cn=accesslog", "cn=monitor", SUFFIX] {
        let (entries, _) = client.search(base, LdapSearchScope::Subtree, all.clone(), &["*", "+"]).unwrap();
        assert!(!entries.is_empty() && !values(&entries[0], "objectClass").is_empty());
        told.push(entries.iter().map(|entry| format!("{entry:?} {}", text_of(entry))).collect());
    }
    told.push(server.log());
    assert_eq!(server.stop(), Some(0));
    for format in ["jsonl", "csv", "cef", "syslog", "table"] {
        told.push(installation.succeed(&["journal", "query", "--format", format]));
    }
    told.push(installation.succeed(&["journal", "export"]));
    told.push(installation.succeed(&["export"]));
    for text in told {
        if let Some(at) = text.find(SECRET) {
            panic!("a secret is told: {}", text.get(at.saturating_sub(200)..(at + 100).min(text.len())).unwrap_or(&text));
        }
    }
    for_each_file(&installation.path(), &mut |path| {
        let octets = fs::read(path).unwrap();
        assert!(!octets.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()), "{}", path.display());
    });
}

fn text_of(entry: &ldap3_proto::proto::LdapSearchResultEntry) -> String {
    entry
        .attributes
        .iter()
        .flat_map(|attribute| &attribute.vals)
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect()
}

fn for_each_file(folder: &Path, each: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            for_each_file(&path, each);
        } else if path.is_file() {
            each(&path);
        }
    }
}
