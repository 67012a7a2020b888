//! Reports of small directories with known answers.

use std::collections::HashSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::harness::{START, Server};
use crate::directory::{AccountState, Change, Directory};
use crate::journal::query::ReadRecord;
use crate::model::Timestamp;
use crate::operation::report::{DAY, Drift, HrFile, ReportKind, Reporting, SharedUse, Table, WaiverFact, find, overview, table};

const PEOPLE: &str = "ou=people,dc=mercy,dc=example";

fn anna() -> String {
    format!("uid=anna,{PEOPLE}")
}

fn bert() -> String {
    format!("uid=bert,{PEOPLE}")
}

fn reporting(directory: &Directory, at: Timestamp) -> Reporting<'_> {
    Reporting { directory, at, dormant_days: 90, soon_days: 30, waivers: None, hr: None, group: None, person: None }
}

fn rows(kind: ReportKind, reporting: &Reporting<'_>) -> Table {
    let table = table(kind, reporting).unwrap();
    assert!(table.rows.iter().all(|row| row.len() == kind.columns().len()), "{kind:?}");
    table
}

fn group(server: &mut Server, name: &str, members: &[&str]) -> String {
    let dn = format!("cn={name},ou=roles,dc=mercy,dc=example");
    let members: String = members.iter().map(|member| format!("member: {member}\n")).collect();
    assert_eq!(server.change(&format!("dn: {dn}\nchangetype: add\nobjectClass: groupOfMembers\ncn: {name}\n{members}")), "0");
    dn
}

fn login(server: &mut Server, dn: &str, at: Timestamp) {
    let id = server.find(dn).unwrap();
    let state = AccountState { last_login: Some(at), last_login_source: Some("10.1.1.1".into()), ..AccountState::default() };
    Arc::make_mut(&mut server.directory).apply(&Change::PutAccountState { id, state }).unwrap();
}

#[test]
fn access_is_as_young_as_the_youngest_step_of_the_oldest_way() {
    let mut server = Server::new();
    let (anna, bert) = (anna(), bert());
    let ward = group(&mut server, "ward", &[&anna, &bert]);
    let since_ward = server.now;
    let clinic = group(&mut server, "clinic", &[&ward]);
    let since_clinic = server.now;
    assert_eq!(server.change(&format!("dn: {clinic}\nchangetype: modify\nadd: member\nmember: {bert}\n")), "0");
    assert_eq!(server.modify("add: pwdEndTime\npwdEndTime: 20300101000000Z"), "0");
    login(&mut server, &anna, START);
    let directory = server.directory.clone();
    let rows = rows(ReportKind::Access, &reporting(&directory, server.now)).rows;
    let of = |who: &str, group: &str| rows.iter().filter(|row| row[0] == who && row[1] == group).cloned().collect::<Vec<_>>();
    let admin = "cn=admin,dc=mercy,dc=example";
    let expected = |through: &str, since: Timestamp| {
        let cells = [&anna, &clinic, through, &since.to_rfc3339(), admin, &START.to_rfc3339(), "2030-01-01T00:00:00.000000Z"]
            .map(str::to_owned);
        vec![cells.to_vec()]
    };
    assert_eq!(of(&anna, &clinic), expected(&ward, since_clinic));
    assert_eq!(of(&anna, &ward)[0][2..5], ["-".to_owned(), since_ward.to_rfc3339(), admin.to_owned()]);
    // Directly in since later, but in by the ward before: the way that was open first counts.
    assert_eq!(of(&bert, &clinic)[0][2..4], [ward.clone(), since_clinic.to_rfc3339()]);
    let narrowed = Reporting { group: server.find(&ward), person: server.find(&anna), ..reporting(&directory, server.now) };
    assert_eq!(table(ReportKind::Access, &narrowed).unwrap().rows.len(), 1);
}

#[test]
fn a_membership_with_an_end_is_told_with_it_and_not_beyond() {
    let mut server = Server::new();
    let (anna, bert) = (anna(), bert());
    let timed = format!("<TTL=86400,{anna}>");
    let ward = group(&mut server, "ward", &[&timed, &bert]);
    let end = Timestamp(server.now.0 + DAY);
    let directory = server.directory.clone();
    let of = |kind, at: Timestamp| rows(kind, &reporting(&directory, at)).rows;
    let access =
        |at| of(ReportKind::Access, at).into_iter().filter(|row| row[1] == ward).map(|row| (row[0].clone(), row[6].clone()));
    let before = access(Timestamp(end.0 - 1)).collect::<Vec<_>>();
    assert_eq!(before, [(anna.clone(), end.to_rfc3339()), (bert.clone(), "-".to_owned())]);
    // Nothing was written down at the end.
    assert_eq!(access(end).collect::<Vec<_>>(), [(bert.clone(), "-".to_owned())]);
    let expiring = of(ReportKind::Expiring, server.now);
    let expected =
        ["membership", &format!("{anna} in {ward}"), &end.to_rfc3339(), "memberNotAfter", "cn=admin,dc=mercy,dc=example"];
    assert_eq!(expiring, [expected.map(str::to_owned).to_vec()]);
}

#[test]
fn unused_accounts_are_told_unless_they_are_over() {
    let mut server = Server::new();
    let (anna, bert) = (anna(), bert());
    login(&mut server, &anna, START);
    let directory = server.directory.clone();
    let at = |days: i64| Timestamp(START.0 + days * DAY);
    let names =
        |kind, at| -> Vec<String> { rows(kind, &reporting(&directory, at)).rows.into_iter().map(|row| row[0].clone()).collect() };
    assert!(names(ReportKind::Dormant, Timestamp(at(90).0 - 1)).is_empty());
    assert_eq!(names(ReportKind::Dormant, at(90)), std::slice::from_ref(&anna));
    assert_eq!(names(ReportKind::Never, at(1)), ["cn=admin,dc=mercy,dc=example".to_owned(), bert.clone()]);
    let counts = overview(&reporting(&directory, at(45)));
    assert_eq!((counts.people, counts.logins, counts.entries), (3, [0, 0, 1, 0, 0, 2], directory.entry_count()));
    assert_eq!(
        server.modify("replace: accountDisabled\naccountDisabled: TRUE\n-\nadd: objectClass\nobjectClass: managedAccount"),
        "0"
    );
    let directory = server.directory.clone();
    assert!(rows(ReportKind::Dormant, &reporting(&directory, at(90))).rows.is_empty());
    assert_eq!(overview(&reporting(&directory, at(90))).over, 1);
}

#[test]
fn orphans_have_nobody_who_answers_for_them() {
    let mut server = Server::new();
    let (anna, bert) = (anna(), bert());
    let manager = |of: &str, to: &str| format!("dn: {of}\nchangetype: modify\nreplace: manager\nmanager: {to}\n");
    assert_eq!(server.change(&manager(&anna, &bert)), "0");
    assert_eq!(server.change(&manager(&bert, "uid=gone,dc=mercy,dc=example")), "0");
    assert_eq!(server.modify("add: employeeNumber\nemployeeNumber: A17"), "0");
    let directory = server.directory.clone();
    let reasons = |reporting: &Reporting<'_>| -> Vec<(String, String)> {
        let table = rows(ReportKind::Orphaned, reporting);
        assert!(table.found);
        table.rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
    };
    let admin = ("cn=admin,dc=mercy,dc=example".to_owned(), "no manager".to_owned());
    let gone = (bert.clone(), "the manager is not there".to_owned());
    assert_eq!(reasons(&reporting(&directory, server.now)), [admin, gone]);
    let hr = HrFile { attribute: "employeeNumber".into(), known: HashSet::from(["a17".to_owned()]) };
    let with = reasons(&Reporting { hr: Some(&hr), ..reporting(&directory, server.now) });
    assert!(with.iter().all(|(who, _)| *who != anna), "{with:?}");
    assert!(with.iter().any(|(who, why)| *who == bert && why.starts_with("no employeeNumber")));
    let nobody = HrFile { known: HashSet::from(["b".to_owned()]), ..hr };
    let with = reasons(&Reporting { hr: Some(&nobody), ..reporting(&directory, server.now) });
    assert!(with.contains(&(anna.clone(), "not in the personnel file".to_owned())));
    // Who manages and left leaves orphans.
    let disable =
        "changetype: modify\nadd: objectClass\nobjectClass: managedAccount\n-\nadd: accountDisabled\naccountDisabled: TRUE\n";
    assert_eq!(server.change(&format!("dn: {bert}\n{disable}")), "0");
    let directory = server.directory.clone();
    assert!(reasons(&reporting(&directory, server.now)).contains(&(anna, "the manager is disabled".to_owned())));
}

#[test]
fn ends_and_waivers() {
    let mut server = Server::new();
    assert_eq!(server.modify("add: pwdEndTime\npwdEndTime: 20261231000000Z"), "0");
    let at = Timestamp::from_generalized_time(b"20261201000000Z").unwrap();
    let later = |days: i64| Timestamp(at.0 + days * DAY);
    let waiver = |until| WaiverFact {
        name: "clear-text".into(),
        reason: "old pumps".into(),
        owner: "security".into(),
        until,
        networks: vec!["127.0.0.0/8".into()],
    };
    let waivers = [waiver(later(20)), waiver(later(-1)), waiver(later(40))];
    let directory = server.directory.clone();
    let reporting = Reporting { waivers: Some(&waivers), ..reporting(&directory, at) };
    let found = rows(ReportKind::Expiring, &reporting);
    let what: Vec<&str> = found.rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(what, ["account", "waiver"]);
    assert_eq!(found.rows[0][1..4], [anna(), "2026-12-31T00:00:00.000000Z".to_owned(), "pwdEndTime".to_owned()]);
    let listed = rows(ReportKind::Waivers, &reporting);
    assert!(listed.found && listed.rows.len() == 3 && listed.rows.iter().filter(|row| row[1] == "over").count() == 1);
    let good = Reporting { waivers: Some(&waivers[..1]), ..reporting };
    assert!(!rows(ReportKind::Waivers, &good).found, "what is in force is listed, not found");
    assert_eq!(overview(&good).ends[4], 1);
}

#[test]
fn powers_and_services() {
    let mut server = Server::new();
    server.import(
        "dn: uid=pacs,dc=mercy,dc=example\nobjectClass: account\nobjectClass: managedAccount\naccountKind: service\n\
         accountOwner: uid=bert,ou=people,dc=mercy,dc=example\naccountNetwork: 10.1.0.0/16\n",
    );
    let directory = server.directory.clone();
    let powers = rows(ReportKind::Privileged, &reporting(&directory, server.now));
    let first: Vec<&str> = powers.rows[0].iter().map(String::as_str).collect();
    assert_eq!((first[0], first[1], first[6]), ("cn=admin,dc=mercy,dc=example", "administrator", "none"));
    let services = rows(ReportKind::Service, &reporting(&directory, server.now));
    assert!(!services.found);
    assert_eq!(services.rows[0][1..5], ["service".to_owned(), bert(), "open".to_owned(), "10.1.0.0/16".to_owned()]);
    server.import(
        "dn: cn=emergency,dc=mercy,dc=example\nobjectClass: device\nobjectClass: managedAccount\naccountKind: breakglass\n\
         accountOwner: uid=bert,ou=people,dc=mercy,dc=example\nbreakGlassUseTime: 20261101120000Z\n",
    );
    let directory = server.directory.clone();
    let services = rows(ReportKind::Service, &reporting(&directory, server.now));
    assert!(services.found && services.rows.iter().any(|row| row[1] == "breakglass" && row[6] == "used"), "{services:?}");
    assert_eq!(server.change("dn: cn=emergency,dc=mercy,dc=example\nchangetype: delete\n"), "0");
    assert_eq!(server.change(&format!("dn: {}\nchangetype: delete\n", bert())), "0");
    let directory = server.directory.clone();
    let services = rows(ReportKind::Service, &reporting(&directory, server.now));
    assert!(services.found && ["gone", "missing"].contains(&services.rows[0][3].as_str()));
    assert!(find(&directory, &bert()).is_none() && find(&directory, "nonsense").is_none());
}

fn bind(time: i64, who: &str, address: &str) -> ReadRecord {
    let line = serde_json::json!({
        "seq": 1, "time": time, "node": "n", "boot": "b", "type": "bind", "result": 0, "peer": format!("{address}:4711"),
        "actor": {"dn": who},
    });
    ReadRecord::parse(&line.to_string()).unwrap()
}

#[test]
fn drift_is_what_decides_about_people() {
    let record = |kind: &str, target: &str, result: u32| {
        let line = serde_json::json!({
            "seq": 7, "time": 1, "node": "n", "boot": "b", "type": kind, "result": result, "peer": "10.1.1.1:99", "actor": {"dn": "cn=x"},
            "target": {"dn": target}, "changes": [{"attr": "member", "op": "add", "values": ["uid=a"]}],
        });
        ReadRecord::parse(&line.to_string()).unwrap()
    };
    let mut drift = Drift::new("dc=mercy,dc=example");
    drift.take(&record("modify", "cn=a,OU=roles,dc=mercy,dc=example", 0));
    drift.take(&record("modify", "cn=default,ou=passwords,ou=policies,dc=mercy,dc=example", 50));
    drift.take(&record("modify", "uid=a,ou=people,dc=mercy,dc=example", 0));
    let table = drift.table();
    assert!(table.found && table.rows.len() == 1);
    assert_eq!(table.rows[0][1..3], ["7".to_owned(), "cn=x".to_owned()]);
    assert_eq!(table.rows[0][5..], ["add member".to_owned(), "10.1.1.1".to_owned()]);
}

#[test]
fn rows_are_in_order_of_their_numbers() {
    let rows = ["10", "-", "2", "1a", "02"].map(|item| vec!["cn=review".to_owned(), item.to_owned()]);
    let items: Vec<String> =
        Table::new(ReportKind::Reviews, rows.to_vec()).rows.into_iter().map(|mut row| row.remove(1)).collect();
    assert_eq!(items, ["02", "2", "10", "-", "1a"]);
}

proptest! {
    /// Against a look at every window.
    #[test]
    fn shared_use_is_five_places_within_ten_minutes(
        logins in prop::collection::vec((0i64..2_000_000_000, 0u8..3, 0u8..9), 0..120),
    ) {
        let mut logins = logins;
        logins.sort_unstable();
        let mut shared = SharedUse::default();
        logins.iter().for_each(|(time, who, place)| shared.take(&bind(*time, &format!("uid={who}"), &format!("10.0.0.{place}"))));
        let mut expected = Vec::new();
        for who in 0..3u8 {
            let most = logins.iter().filter(|login| login.1 == who).map(|(end, ..)| {
                let within = logins.iter().filter(|(time, other, _)| *other == who && *time <= *end && *time >= end - 600_000_000);
                within.map(|(_, _, place)| *place).collect::<HashSet<_>>().len()
            }).max().unwrap_or(0);
            if most >= 5 {
                expected.push((format!("uid={who}"), most.to_string()));
            }
        }
        let found: Vec<_> = shared.table().rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
        prop_assert_eq!(found, expected);
    }
}
