//! Reports of a real installation: their numbers are those of LDAP searches and of a recomputation from the journal's records, for now and for a
//! past moment, with the server running and without.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use bindery::model::{Attribute, Modification, ModificationOperation, Timestamp, Value as Octets};
use bindery::wire::client::LocalClient;
use common::client::{Client, values};
use common::random::Random;
use common::{ADMIN, Installation, PASSWORD, SUFFIX, write};
use ldap3_proto::proto::{LdapFilter, LdapModifyType, LdapResultCode, LdapSearchScope};
use serde_json::Value;

const ANNAS: &str = "a pass phrase in clear";

fn person(number: u64) -> String {
    format!("uid=p{number},{SUFFIX}")
}

fn group(number: u64) -> String {
    format!("cn=g{number},ou=roles,{SUFFIX}")
}

/// People with managers, an application, groups within groups; some log in, some leave.
fn people(client: &mut Client) {
    for number in 0..12 {
        let (uid, manager) = (format!("p{number}"), person(0));
        let mut attributes: Vec<(&str, &[&str])> = vec![
            ("objectClass", &["inetOrgPerson", "managedAccount"]),
            ("cn", &["Somebody <b>& Co</b>"]),
            ("sn", &["Person"]),
            ("userPassword", &[ANNAS]),
        ];
        let (uid, manager) = ([uid.as_str()], [manager.as_str()]);
        attributes.push(("employeeNumber", &uid));
        if number > 0 {
            attributes.push(("manager", &manager));
        }
        assert_eq!(client.add(&person(number), &attributes).unwrap(), LdapResultCode::Success);
    }
    let owner = person(1);
    let of_service: &[(&str, &[&str])] = &[
        ("objectClass", &["account", "managedAccount", "simpleSecurityObject"]),
        ("accountKind", &["service"]),
        ("accountOwner", &[&owner]),
        ("accountNetwork", &["127.0.0.0/8"]),
        ("userPassword", &[ANNAS]),
    ];
    assert_eq!(client.add(&format!("uid=pacs,{SUFFIX}"), of_service).unwrap(), LdapResultCode::Success);
    for number in 0..5 {
        let of_group: &[(&str, &[&str])] = &[("objectClass", &["groupOfMembers"])];
        assert_eq!(client.add(&group(number), of_group).unwrap(), LdapResultCode::Success);
    }
}

/// Random members come and go, groups among them; whatever is refused changes nothing.
fn change(client: &mut Client, random: &mut Random, times: u64) {
    for _ in 0..times {
        let into = random.below(5);
        let member = if random.one_in(5) && into > 0 { group(random.below(into)) } else { person(random.below(12)) };
        let operation = if random.one_in(3) { LdapModifyType::Delete } else { LdapModifyType::Add };
        client.modify(&group(into), &[(operation, "member", &[&member])]).unwrap();
    }
}

fn log_in(client: &Client, number: u64) {
    let mut other = client.another().unwrap();
    assert_eq!(other.bind(&person(number), ANNAS).unwrap(), LdapResultCode::Success);
}

fn search(client: &mut Client, filter: LdapFilter, attributes: &[&str]) -> BTreeMap<String, Vec<String>> {
    let (entries, code) = client.search(SUFFIX, LdapSearchScope::Subtree, filter, attributes).unwrap();
    assert_eq!(code, LdapResultCode::Success);
    entries
        .into_iter()
        .map(|entry| (entry.dn.clone(), attributes.iter().flat_map(|name| values(&entry, name)).collect()))
        .collect()
}

fn accounts() -> LdapFilter {
    let class = |name: &str| LdapFilter::Equality("objectClass".into(), name.into());
    LdapFilter::Or(["person", "account", "managedAccount", "simpleSecurityObject"].map(class).to_vec())
}

fn not(filter: LdapFilter) -> LdapFilter {
    LdapFilter::Not(Box::new(filter))
}

fn present(name: &str) -> LdapFilter {
    LdapFilter::Present(name.into())
}

fn enabled() -> LdapFilter {
    not(LdapFilter::Equality("accountDisabled".into(), "TRUE".into()))
}

/// Who is in which group at any depth, by the server.
fn searched_access(client: &mut Client) -> BTreeSet<(String, String)> {
    let found = search(client, accounts(), &["memberOf;x-nested"]);
    found.into_iter().flat_map(|(who, groups)| groups.into_iter().map(move |group| (who.clone(), group))).collect()
}

fn rows(installation: &Installation, code: i32, arguments: &[&str]) -> Vec<Value> {
    let output = installation.run(&[&["report"], arguments, &["--format", "jsonl"]].concat());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of(row: &Value, name: &str) -> String {
    row[name].as_str().unwrap_or_else(|| panic!("{name} in {row}")).to_owned()
}

fn names(rows: &[Value]) -> BTreeSet<String> {
    rows.iter().map(|row| of(row, "who")).collect()
}

fn access(rows: &[Value]) -> BTreeSet<(String, String)> {
    rows.iter().map(|row| (of(row, "who"), of(row, "access"))).collect()
}

fn durable(client: &mut Client) -> String {
    let monitor = client.read("cn=monitor", &["*", "+"]).unwrap().unwrap();
    values(&monitor, "monitorDurableSequence").remove(0)
}

/// Direct members by the journal's records alone: since when and by whose hand.
fn recomputed(installation: &Installation) -> BTreeMap<(String, String), (i64, String)> {
    let mut members = BTreeMap::new();
    let export = installation.succeed(&["journal", "export"]);
    for record in export.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let is_group = record["target"]["dn"].as_str().is_some_and(|dn| dn.starts_with("cn=g"));
        if record["result"] != 0 || !is_group {
            continue;
        }
        for change in record["changes"].as_array().into_iter().flatten().filter(|change| change["attr"] == "member") {
            for value in change["values"].as_array().unwrap() {
                let key = (of(&record["target"], "dn"), value.as_str().unwrap().to_owned());
                match change["op"].as_str().unwrap() {
                    "add" => drop(members.insert(key, (record["time"].as_i64().unwrap(), of(&record["actor"], "dn")))),
                    "delete" => drop(members.remove(&key)),
                    other => panic!("{other}"),
                }
            }
        }
    }
    members
}

/// `2026-11-22T10:15:00.000123Z` of microseconds.
fn rfc3339(micros: i64) -> String {
    let (days, rest) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    // Howard Hinnant's civil_from_days.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_place = (5 * day_of_year + 2) / 153;
    let (day, month) =
        (day_of_year - (153 * month_place + 2) / 5 + 1, if month_place < 10 { month_place + 3 } else { month_place - 9 });
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{micros:06}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn compare_with_journal(installation: &Installation, rows: &[Value]) {
    let members = recomputed(installation);
    let mut compared = 0;
    for row in rows.iter().filter(|row| of(row, "through") == "-" && of(row, "access").starts_with("cn=g")) {
        let (time, actor) = &members[&(of(row, "access"), of(row, "who"))];
        assert_eq!((of(row, "since"), of(row, "grantedBy")), (rfc3339(*time), actor.clone()), "{row}");
        compared += 1;
    }
    assert!(compared > 5, "{compared}");
}

#[test]
fn numbers_are_those_of_searches_and_of_the_journal() {
    let installation = Installation::new();
    let server = installation.serve();
    let mut client = Client::connect(&server.ldap()).unwrap();
    assert_eq!(client.bind(ADMIN, PASSWORD).unwrap(), LdapResultCode::Success);
    let mut random = Random::new(11);
    people(&mut client);
    change(&mut client, &mut random, 40);
    let (before, then) = (searched_access(&mut client), durable(&mut client));
    change(&mut client, &mut random, 40);
    (2..6).for_each(|number| log_in(&client, number));
    let disable: &[(LdapModifyType, &str, &[&str])] = &[(LdapModifyType::Replace, "accountDisabled", &["TRUE"])];
    assert_eq!(client.modify(&person(5), disable).unwrap(), LdapResultCode::Success);
    assert_eq!(client.modify(&person(11), disable).unwrap(), LdapResultCode::Success);

    let now = searched_access(&mut client);
    assert_ne!(now, before);
    let report = rows(&installation, 0, &["access"]);
    assert_eq!((access(&report), report.len()), (now.clone(), now.len()), "one row each");
    assert_eq!(access(&rows(&installation, 0, &["access", "--at", &then])), before);
    compare_with_journal(&installation, &report);
    let one = rows(&installation, 0, &["access", "--group", &group(4)]);
    let of_group: BTreeSet<_> = now.iter().filter(|(_, of)| *of == group(4)).cloned().collect();
    assert_eq!(access(&one), of_group);

    let and = |parts: &[LdapFilter]| LdapFilter::And(parts.to_vec());
    let used = search(&mut client, and(&[accounts(), enabled(), present("lastLoginTime")]), &["cn"]);
    let dormant = rows(&installation, 1, &["dormant", "--days", "0"]);
    assert_eq!(names(&dormant), used.keys().cloned().collect());
    assert!(rows(&installation, 0, &["dormant"]).is_empty());
    let unused = search(&mut client, and(&[accounts(), enabled(), not(present("lastLoginTime"))]), &["cn"]);
    let never = rows(&installation, 1, &["never"]);
    assert_eq!(names(&never), unused.keys().cloned().collect());
    let administrators = client.read(&format!("cn=administrators,ou=roles,{SUFFIX}"), &["member"]).unwrap().unwrap();
    let powers: Vec<Value> = rows(&installation, 0, &["privileged"]);
    let holds: Vec<Value> = powers.into_iter().filter(|row| of(row, "power") == "administrator").collect();
    assert_eq!(names(&holds), values(&administrators, "member").into_iter().collect());
    let services = rows(&installation, 0, &["service"]);
    assert_eq!((services.len(), of(&services[0], "owner")), (1, person(1)));

    let known = write(&installation, "hr.csv", "name,employeeNumber\nzero,P0\none,p1\n");
    let orphaned = rows(&installation, 1, &["orphaned", "--hr", known.to_str().unwrap()]);
    let absent: BTreeSet<String> =
        orphaned.iter().filter(|row| of(row, "reason") == "not in the personnel file").map(|row| of(row, "who")).collect();
    assert_eq!(absent, (2..12).filter(|number| ![5, 11].contains(number)).map(person).collect());
    let waivers = rows(&installation, 0, &["waivers"]);
    assert_eq!(waivers.iter().map(|row| of(row, "what")).collect::<Vec<_>>(), ["waiver clear-text", "waiver second-factor"]);
    let drift = rows(&installation, 1, &["drift"]);
    let changed = installation.succeed(&["journal", "policies"]);
    assert_eq!(
        drift.iter().filter(|row| of(row, "target").ends_with(&format!(",ou=roles,{SUFFIX}"))).count(),
        changed.lines().filter(|line| line.contains(",ou=roles,") && line.split_whitespace().nth(3) == Some("0")).count()
    );
    compare_reviews(&installation, &mut client);
    compare_page(&installation, now.len(), unused.len());

    drop(client);
    assert_eq!(server.stop(), Some(0));
    // Whoever asks a running server logs in for that.
    let of_others = |rows: Vec<Value>| rows.into_iter().filter(|row| of(row, "who") != ADMIN).collect::<Vec<_>>();
    let offline = of_others(rows(&installation, 0, &["access"]));
    assert!(offline == of_others(report), "the same without a server");
    let questions = installation.succeed(&["journal", "query", "--type", "journalRead", "--format", "jsonl"]);
    assert!(
        questions.contains("report dormant") && questions.contains(&format!("report access, at record {then}")),
        "{questions}"
    );
}

/// A campaign about all groups, as searched and as reported.
fn compare_reviews(installation: &Installation, client: &mut Client) {
    let groups: Vec<String> = (0..5).map(group).collect();
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    let terms: &[(&str, &[&str])] =
        &[("objectClass", &["reviewCampaign"]), ("reviewGroup", &groups), ("reviewDueDate", &["20991231000000Z"])];
    assert_eq!(client.add(&format!("cn=spring,{SUFFIX}"), terms).unwrap(), LdapResultCode::Success);
    let items = search(client, present("reviewItemState"), &["reviewMembership"]);
    let searched: BTreeSet<String> =
        items.values().flatten().map(|value| value.strip_prefix("member: ").unwrap().to_owned()).collect();
    let reported = rows(installation, 0, &["reviews"]);
    assert!(!reported.is_empty() && reported.len() == items.len(), "{} {}", reported.len(), items.len());
    assert_eq!(names(&reported), searched);
    assert!(reported.iter().all(|row| of(row, "decision") == "open" && of(row, "state") == "open"));
}

/// The page says the same, alone and to a printer.
fn compare_page(installation: &Installation, access: usize, never: usize) {
    let file = installation.folder.path().join("report.html");
    let output = installation.run(&["report", "all", "--out", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(&file).unwrap();
    for (name, count) in [("access", access), ("never", never), ("people", 13), ("services", 1), ("over", 2)] {
        assert!(page.contains(&format!("<b id=\"count-{name}\">{count}</b>")), "{name} {count}");
    }
    let section = page.split("<section id=\"access\">").nth(1).unwrap().split("</section>").next().unwrap();
    assert_eq!(section.matches("<tr>").count(), access + 1);
    assert!(!page.contains("<script") && !page.contains(" src=") && page.contains("@page"));
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_cannot_be_reported_is_said() {
    let installation = Installation::new();
    let code = |arguments: &[&str]| installation.run(&[&["report"], arguments].concat()).status.code();
    assert_eq!(code(&["all", "--format", "csv"]), Some(2));
    assert_eq!(code(&["access", "--at", "2999-01-01"]), Some(2));
    assert_eq!(code(&["gossip"]), Some(2));
    assert_eq!(code(&["access", "--group", "cn=nobody,dc=mercy,dc=example"]), Some(3));
    assert_eq!(code(&["orphaned", "--hr", "/nonexistent"]), Some(3));
    assert_eq!(code(&["access", "--at", "999999"]), Some(3));
    let csv = installation.succeed(&["report", "privileged", "--format", "csv"]);
    assert!(csv.starts_with("who,power,through,since,grantedBy,lastLogin,secondFactor\r\n"), "{csv}");
    assert!(installation.succeed(&["report", "access"]).starts_with("who"), "a table unless asked otherwise");
}

/// Two governed groups within a third: access goes on until the last way ends, and what time alone changed is in the drift.
#[test]
fn access_ends_with_the_last_way_into_a_group() {
    let installation = Installation::new();
    let (anna, bert) = (format!("uid=anna,{SUFFIX}"), format!("uid=bert,{SUFFIX}"));
    let role = |name: &str| format!("cn={name},ou=roles,{SUFFIX}");
    let governed = |name: &str| {
        format!("dn: {}\nobjectClass: groupOfMembers\nobjectClass: governedGroup\ngrantApprover: {anna}\n\n", role(name))
    };
    let ldif = format!(
        "dn: {anna}\nobjectClass: inetOrgPerson\ncn: Anna\nsn: Moreau\nuserPassword: {ANNAS}\n\n\
         dn: {bert}\nobjectClass: inetOrgPerson\ncn: Bert\nsn: Lind\n\n{}{}{}\
         dn: {}\nobjectClass: groupOfNames\nmember: {}\nmember: {}\n",
        governed("day"),
        governed("night"),
        governed("brief"),
        role("ward"),
        role("day"),
        role("night"),
    );
    installation.succeed(&["import", write(&installation, "people.ldif", &ldif).to_str().unwrap()]);
    let server = installation.serve();
    let mut asks = Client::connect(&server.ldap()).unwrap();
    assert_eq!(asks.bind(&anna, ANNAS).unwrap(), LdapResultCode::Success);
    let mut admin = LocalClient::connect(&installation.path().join("ldapi")).unwrap();
    let mut grant = |group: &str, end: Timestamp| {
        let (name, text) = (format!("cn=bert,{}", role(group)), end.to_generalized_time_micros());
        let asked = [("objectClass", &["accessGrant"][..]), ("grantMember", &[&bert]), ("grantNotAfter", &[&text])];
        assert_eq!(asks.add(&name, &asked).unwrap(), LdapResultCode::Success);
        let attribute = Attribute { description: "grantDecision".to_owned(), values: vec![Octets::from_static(b"approve")] };
        admin.modify(&name, vec![Modification { operation: ModificationOperation::Add, attribute }]).unwrap();
    };
    let after = |seconds: i64| {
        let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
        Timestamp(i64::try_from(since.as_micros()).unwrap() + seconds * 1_000_000)
    };
    let (day, night, brief) = (after(3600), after(7200), after(3));
    grant("day", day);
    grant("night", night);
    grant("brief", brief);
    let then = after(0).to_rfc3339();

    let ends = || -> BTreeMap<String, (String, String)> {
        let rows = rows(&installation, 0, &["access", "--person", &bert]);
        rows.iter().map(|row| (of(row, "access"), (of(row, "through"), of(row, "expires")))).collect()
    };
    let first = ends();
    assert_eq!(first[&role("day")], ("-".to_owned(), rfc3339(day.0)));
    assert_eq!(first[&role("ward")].1, rfc3339(night.0), "by the way that was open first, until the last one ends");
    assert_eq!(first[&role("ward")].0, role("day"));
    while after(0) < brief {
        assert!(asks.read(&bert, &["cn"]).unwrap().is_some());
    }
    assert!(!ends().contains_key(&role("brief")), "its time is over, whoever wrote that down");
    // Judged at the moment that was asked about, not at the last record before it.
    let past = rows(&installation, 0, &["access", "--person", &bert, "--at", &then]);
    assert!(past.iter().any(|row| of(row, "access") == role("brief")), "{past:?}");

    drop((asks, admin));
    assert_eq!(server.stop(), Some(0));
    let drift = rows(&installation, 1, &["drift"]);
    let turned: Vec<&Value> = drift.iter().filter(|row| of(row, "change") == "grant").collect();
    assert!(turned.iter().any(|row| of(row, "attributes").contains(&format!("member of {}", role("brief")))), "{drift:?}");
    assert!(installation.succeed(&["journal", "policies"]).contains(" grant "));
}
