//! kill −9 at random moments while 16 connections write: every acknowledged operation is there afterwards, none is half there, each has its
//! record in the journal.
//!
//! `BINDERY_CRASH_ROUNDS` sets the number of rounds (20 when not set); the seed is printed and can be given as `BINDERY_CRASH_SEED`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout
)]

#[path = "../common/mod.rs"]
mod common;

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::client::{Client, values};
use common::{ADMIN, Installation, PASSWORD, SUFFIX};
use ldap3_proto::proto::{
    LdapAddRequest, LdapModify, LdapModifyRequest, LdapModifyType, LdapOp, LdapPartialAttribute, LdapResultCode,
};

const WRITERS: usize = 16;

/// What one writer knows of one entry of its own: the version acknowledged last, and the one under way when the server died.
#[derive(Clone, Copy, Default, Debug)]
struct Known {
    acknowledged: Option<u64>,
    under_way: Option<Option<u64>>,
}

type Book = HashMap<String, Known>;

#[test]
fn every_acknowledged_operation_survives_kill_9() {
    let rounds: usize = std::env::var("BINDERY_CRASH_ROUNDS").ok().map_or(20, |text| text.parse().expect("a number of rounds"));
    let seed: u64 = std::env::var("BINDERY_CRASH_SEED").ok().map_or_else(
        || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64,
        |text| text.parse().expect("a seed"),
    );
    println!("BINDERY_CRASH_SEED={seed}");
    let mut random = Random(seed | 1);
    let installation = Installation::new();
    let mut books: Vec<Book> = vec![Book::new(); WRITERS];
    let mut acknowledged = 0;
    for round in 0..rounds {
        let server = installation.serve();
        let address = server.ldap();
        verify(&address, &mut books, round);
        let writers: Vec<_> = books
            .drain(..)
            .enumerate()
            .map(|(number, book)| {
                let (address, seed) = (address.clone(), random.next());
                std::thread::spawn(move || write(number, &address, book, Random(seed | 1)))
            })
            .collect();
        // The moment of death is the fault that is injected: the only wait in this test, and its length is what is random.
        std::thread::sleep(Duration::from_millis(100 + random.next() % 400));
        server.kill();
        for writer in writers {
            let (book, count) = writer.join().unwrap();
            books.push(book);
            acknowledged += count;
        }
    }
    let server = installation.serve();
    verify(&server.ldap(), &mut books, rounds);
    assert_eq!(server.stop(), Some(0));
    assert!(acknowledged > rounds * WRITERS, "hardly anything was written: {acknowledged} operations");
    verify_journal(&installation, acknowledged);
    println!("{rounds} rounds, {acknowledged} acknowledged operations, none lost, none half there, each recorded");
}

/// Adds, modifies and deletes entries of its own until the connection breaks. Returns how many operations were acknowledged.
fn write(number: usize, address: &str, mut book: Book, mut random: Random) -> (Book, usize) {
    let mut count = 0;
    let Ok(mut client) = Client::connect(address) else { return (book, count) };
    if !matches!(client.bind(ADMIN, PASSWORD), Ok(LdapResultCode::Success)) {
        return (book, count);
    }
    loop {
        if random.next().is_multiple_of(4) {
            let known = book.entry(format!("pair{number}")).or_default();
            let version = random.next() >> 16;
            known.under_way = Some(Some(version));
            match client.transaction(pair(number, known.acknowledged.is_none(), version)) {
                Ok(code) => {
                    assert_eq!(code, LdapResultCode::Success, "pair {number} with {known:?}");
                    *known = Known { acknowledged: Some(version), under_way: None };
                }
                Err(_) => return (book, count),
            }
            continue;
        }
        let name = format!("w{number}-{}", random.next() % 40);
        let dn = format!("cn={name},{SUFFIX}");
        let known = book.entry(name.clone()).or_default();
        let version = random.next() >> 16;
        let text = version.to_string();
        let (intended, outcome) = match known.acknowledged {
            None => {
                known.under_way = Some(Some(version));
                let attributes: &[(&str, &[&str])] =
                    &[("objectClass", &["person"]), ("cn", &[&name]), ("sn", &[&text]), ("description", &[&text])];
                (Some(version), client.add(&dn, attributes))
            }
            Some(_) if random.next().is_multiple_of(5) => {
                known.under_way = Some(None);
                (None, client.delete(&dn))
            }
            Some(_) => {
                known.under_way = Some(Some(version));
                let replace = LdapModifyType::Replace;
                (Some(version), client.modify(&dn, &[(replace.clone(), "sn", &[&text]), (replace, "description", &[&text])]))
            }
        };
        match outcome {
            Ok(code) => {
                assert_eq!(code, LdapResultCode::Success, "{dn} with {known:?}");
                *known = Known { acknowledged: intended, under_way: None };
                count += 1;
            }
            Err(_) => return (book, count),
        }
    }
}

/// Adds both entries of a pair, or changes both: in a transaction, so that they are never of different versions.
fn pair(number: usize, is_new: bool, version: u64) -> Vec<LdapOp> {
    let text = version.to_string().into_bytes();
    let attribute = |name: &str, value: &[u8]| LdapPartialAttribute { atype: name.to_owned(), vals: vec![value.to_vec()] };
    PAIR.map(|which| {
        let dn = format!("cn=pair{number}-{which},{SUFFIX}");
        if is_new {
            let attributes = vec![attribute("objectClass", b"person"), attribute("sn", &text), attribute("description", &text)];
            return LdapOp::AddRequest(LdapAddRequest { dn, attributes });
        }
        let changes = ["sn", "description"]
            .map(|name| LdapModify { operation: LdapModifyType::Replace, modification: attribute(name, &text) });
        LdapOp::ModifyRequest(LdapModifyRequest { dn, changes: changes.to_vec() })
    })
    .to_vec()
}

const PAIR: [&str; 2] = ["left", "right"];

/// Each entry is as acknowledged, or as the operation under way would have left it, and never half.
fn verify(address: &str, books: &mut [Book], round: usize) {
    let mut client = Client::connect(address).unwrap();
    assert_eq!(client.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    for book in books {
        for (name, known) in book {
            let mut version_of = |name: &str| {
                let entry = client.read(&format!("cn={name},{SUFFIX}"), &["sn", "description"]).unwrap();
                entry.map(|entry| {
                    let (sn, description) = (values(&entry, "sn"), values(&entry, "description"));
                    assert_eq!(sn, description, "round {round}: {name} is half changed");
                    sn[0].parse::<u64>().unwrap()
                })
            };
            let found = if name.starts_with("pair") {
                let [left, right] = PAIR.map(|which| version_of(&format!("{name}-{which}")));
                assert_eq!(left, right, "round {round}: half of a transaction of {name} is there");
                left
            } else {
                version_of(name)
            };
            let expected = found == known.acknowledged || known.under_way == Some(found);
            assert!(expected, "round {round}: {name} is {found:?}, known is {known:?}");
            *known = Known { acknowledged: found, under_way: None };
        }
    }
}

/// The journal has a record for each acknowledged change, in one unbroken sequence.
fn verify_journal(installation: &Installation, acknowledged: usize) {
    let mut changes = 0;
    let mut last = 0;
    for line in installation.succeed(&["journal", "export"]).lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let sequence = record["seq"].as_u64().unwrap();
        assert_eq!(sequence, last + 1, "the sequence has a gap");
        last = sequence;
        let kind = record["type"].as_str().unwrap();
        let target = record["target"]["dn"].as_str().unwrap_or_default();
        if target.starts_with("cn=w") && ["add", "modify", "delete"].contains(&kind) && record["result"] == 0 {
            changes += 1;
        }
    }
    assert!(changes >= acknowledged, "{acknowledged} changes were acknowledged, {changes} are recorded");
}

/// xorshift64*: repeatable from a printed seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}
