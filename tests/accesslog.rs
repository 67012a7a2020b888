//! `cn=accesslog` over LDAP: who may read it, filters, pages, order, and that each reading is recorded before anything is sent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::client::{Client, values};
use common::{ADMIN, Installation, PASSWORD, SUFFIX};
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapDerefAliases, LdapFilter, LdapModifyType, LdapOp, LdapResultCode, LdapSearchRequest, LdapSearchResultEntry,
    LdapSearchScope,
};

const LOG: &str = "cn=accesslog";
const ANNA: &str = "uid=anna,dc=mercy,dc=example";
const ANNAS: &str = "a pass phrase in clear";

fn bound(address: &str, dn: &str, password: &str) -> Client {
    let mut client = Client::connect(address).unwrap();
    assert_eq!(client.bind(dn, password).unwrap(), LdapResultCode::Success);
    client
}

/// `(a=b)`, `(a>=b)`, `(a<=b)` and what is made of them with `&`, `|` and `!`; values as they are.
fn filter(text: &str) -> LdapFilter {
    let inner = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap();
    match inner.split_at(1) {
        ("&", rest) => LdapFilter::And(parts(rest)),
        ("|", rest) => LdapFilter::Or(parts(rest)),
        ("!", rest) => LdapFilter::Not(Box::new(filter(rest))),
        _ => {
            let (name, value) = inner.split_once('=').unwrap();
            match (name.strip_suffix('>'), name.strip_suffix('<')) {
                (Some(name), _) => LdapFilter::GreaterOrEqual(name.to_owned(), value.to_owned()),
                (_, Some(name)) => LdapFilter::LessOrEqual(name.to_owned(), value.to_owned()),
                _ if value == "*" => LdapFilter::Present(name.to_owned()),
                _ => LdapFilter::Equality(name.to_owned(), value.to_owned()),
            }
        }
    }
}

fn parts(text: &str) -> Vec<LdapFilter> {
    text.split_inclusive(')').map(filter).collect()
}

fn find(client: &mut Client, wanted: &str) -> Vec<LdapSearchResultEntry> {
    let (entries, code) = client.search(LOG, LdapSearchScope::OneLevel, filter(wanted), &["*", "+"]).unwrap();
    assert_eq!(code, LdapResultCode::Success, "{wanted}");
    entries
}

/// Sequences of one page, the result, and the cookie for the next.
fn page(client: &mut Client, wanted: &str, control: Vec<LdapControl>) -> (Vec<u64>, LdapResultCode, Vec<u8>) {
    client
        .send_with(
            LdapOp::SearchRequest(LdapSearchRequest {
                base: LOG.to_owned(),
                scope: LdapSearchScope::OneLevel,
                aliases: LdapDerefAliases::Never,
                sizelimit: 0,
                timelimit: 0,
                typesonly: false,
                filter: filter(wanted),
                attrs: vec!["recordSequence".to_owned()],
            }),
            control,
        )
        .unwrap();
    let mut sequences = Vec::new();
    loop {
        let message = client.receive().unwrap();
        match message.op {
            LdapOp::SearchResultEntry(entry) => sequences.push(values(&entry, "recordSequence")[0].parse().unwrap()),
            LdapOp::SearchResultDone(result) => {
                let cookie = message.ctrl.into_iter().find_map(|control| match control {
                    LdapControl::SimplePagedResults { cookie, .. } => Some(cookie),
                    _ => None,
                });
                return (sequences, result.code, cookie.unwrap_or_default());
            }
            other => panic!("unexpected answer {other:?}"),
        }
    }
}

fn by_start(reverse_order: bool) -> LdapControl {
    let request =
        ldap3_proto::control::ServerSortRequet { attribute_name: "reqStart".to_owned(), ordering_rule: None, reverse_order };
    LdapControl::ServerSort { sort_requests: vec![request] }
}

fn some_life(address: &str) {
    life_of(address, ANNA);
}

fn life_of(address: &str, dn: &str) {
    let mut client = bound(address, ADMIN, PASSWORD);
    let attributes: &[(&str, &[&str])] =
        &[("objectClass", &["inetOrgPerson"]), ("cn", &["Anna"]), ("sn", &["Andersen"]), ("userPassword", &[ANNAS])];
    assert_eq!(client.add(dn, attributes).unwrap(), LdapResultCode::Success);
    let mut other = Client::connect(address).unwrap();
    assert_eq!(other.bind(dn, "not that").unwrap(), LdapResultCode::InvalidCredentials);
    let title: &[(LdapModifyType, &str, &[&str])] = &[(LdapModifyType::Replace, "title", &["Nurse"])];
    assert_eq!(client.modify(dn, title).unwrap(), LdapResultCode::Success);
}

#[test]
fn auditors_read_records_as_entries_of_the_schema() {
    let installation = Installation::new();
    let server = installation.serve();
    some_life(&server.ldap());
    let mut auditor = bound(&server.ldap(), ADMIN, PASSWORD);
    let root = auditor.read("", &["auditContext"]).unwrap().unwrap();
    assert_eq!(values(&root, "auditContext"), [LOG]);
    assert_eq!(values(&auditor.read(LOG, &["objectClass"]).unwrap().unwrap(), "objectClass"), ["top", "auditContainer"]);

    let failed = find(&mut auditor, "(&(reqType=bind)(reqResult=49))");
    assert_eq!(failed.len(), 1);
    let entry = &failed[0];
    assert_eq!(entry.dn, format!("reqStart={},{LOG}", values(entry, "reqStart")[0]));
    assert_eq!((values(entry, "reqDN"), values(entry, "reqMethod")), (vec![ANNA.to_owned()], vec!["SIMPLE".to_owned()]));
    assert_eq!(
        (values(entry, "reqVersion"), values(entry, "recordReason")),
        (vec!["3".to_owned()], vec!["wrong password".to_owned()])
    );
    assert!(values(entry, "recordPeer")[0].starts_with("127.0.0.1:") && values(entry, "recordLeaf")[0].len() == 64);
    assert_eq!(
        auditor.read(&entry.dn, &["reqType"]).unwrap().map(|read| values(&read, "reqType")),
        Some(vec!["bind".to_owned()])
    );
    let missing =
        auditor.search("reqStart=19700101000000.000001Z,cn=accesslog", LdapSearchScope::Base, filter("(objectClass=*)"), &[]);
    assert_eq!(missing.unwrap().1, LdapResultCode::NoSuchObject);

    let added = &find(&mut auditor, "(&(objectClass=auditAdd)(reqDN=uid=Anna, dc=mercy,dc=example))")[0];
    let mods = values(added, "reqMod");
    assert!(mods.contains(&"sn:+ Andersen".to_owned()) && mods.contains(&"userPassword:+ (1 not shown)".to_owned()), "{mods:?}");
    let changed = find(&mut auditor, &format!("(&(objectClass=auditWriteObject)(reqAuthzID={ADMIN})(reqMod=title:= Nurse))"));
    assert_eq!(changed.len(), 1);
    let start = &values(&changed[0], "reqStart")[0];
    assert_eq!(find(&mut auditor, &format!("(&(reqStart>={start})(reqStart<={start}))")).len(), 1);

    // Each of these searches is recorded, with what was asked.
    let read = find(&mut auditor, "(reqType=journalRead)");
    let details: Vec<String> = read.iter().flat_map(|entry| values(entry, "recordDetail")).collect();
    assert!(details.iter().any(|text| text.contains("(reqMod=title:= Nurse)")), "{details:?}");
    assert!(details.last().unwrap().contains("(reqType=journalRead)"), "recorded before it was answered: {details:?}");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn nobody_else_reads_it_and_nobody_writes_it() {
    let installation = Installation::new();
    let server = installation.serve();
    some_life(&server.ldap());
    let mut person = bound(&server.ldap(), ANNA, ANNAS);
    let own: &[(LdapModifyType, &str, &[&str])] = &[
        (LdapModifyType::Delete, "userPassword", &[ANNAS]),
        (LdapModifyType::Add, "userPassword", &["another pass phrase of Anna's"]),
    ];
    assert_eq!(person.modify(ANNA, own).unwrap(), LdapResultCode::Success);
    let everything = || filter("(objectClass=*)");
    for client in [&mut person, &mut Client::connect(&server.ldap()).unwrap()] {
        let (entries, code) = client.search(LOG, LdapSearchScope::Subtree, everything(), &[]).unwrap();
        assert_eq!((entries.len(), code), (0, LdapResultCode::NoSuchObject));
    }
    let mut administrator = bound(&server.ldap(), ADMIN, PASSWORD);
    let group = format!("cn=auditors,ou=roles,{SUFFIX}");
    let add: &[(LdapModifyType, &str, &[&str])] = &[(LdapModifyType::Add, "member", &[ANNA])];
    assert_eq!(administrator.modify(&group, add).unwrap(), LdapResultCode::Success);
    let (entries, code) = person.search(LOG, LdapSearchScope::Subtree, everything(), &["1.1"]).unwrap();
    assert!(code == LdapResultCode::Success && entries.len() > 5, "{code:?} {}", entries.len());
    let remove: &[(LdapModifyType, &str, &[&str])] = &[(LdapModifyType::Delete, "member", &[ADMIN])];
    assert_eq!(administrator.modify(&group, remove).unwrap(), LdapResultCode::Success);
    assert_eq!(administrator.search(LOG, LdapSearchScope::Base, everything(), &[]).unwrap().1, LdapResultCode::NoSuchObject);
    for dn in [LOG, entries[3].dn.as_str()] {
        assert_eq!(administrator.delete(dn).unwrap(), LdapResultCode::UnwillingToPerform, "{dn}");
        let change: &[(LdapModifyType, &str, &[&str])] = &[(LdapModifyType::Replace, "reqResult", &["0"])];
        assert_eq!(administrator.modify(dn, change).unwrap(), LdapResultCode::UnwillingToPerform, "{dn}");
    }
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn pages_add_up_and_the_newest_come_first_where_asked() {
    let installation = Installation::new();
    let server = installation.serve();
    for number in 0..8 {
        let dn = format!("uid=person{number},{SUFFIX}");
        life_of(&server.ldap(), &dn);
        assert_eq!(bound(&server.ldap(), ADMIN, PASSWORD).delete(&dn).unwrap(), LdapResultCode::Success);
    }
    let mut auditor = bound(&server.ldap(), ADMIN, PASSWORD);
    for wanted in ["(reqType=bind)", "(|(reqType=add)(reqType=delete))", "(!(reqResult=0))"] {
        let (all, code, _) = page(&mut auditor, wanted, Vec::new());
        assert!(code == LdapResultCode::Success && all.len() >= 8 && all.is_sorted(), "{wanted}: {all:?}");
        for reverse in [false, true] {
            let (mut read, mut cookie, mut pages) = (Vec::new(), Vec::new(), 0);
            loop {
                let paged = LdapControl::SimplePagedResults { size: 3, cookie };
                let (found, code, next) = page(&mut auditor, wanted, vec![paged, by_start(reverse)]);
                assert!(code == LdapResultCode::Success && found.len() <= 3);
                read.extend(found);
                cookie = next;
                pages += 1;
                if cookie.is_empty() {
                    break;
                }
            }
            if reverse {
                read.reverse();
            }
            // Nothing of this kind was recorded meanwhile: what the pages themselves leave are readings.
            assert_eq!(read, all, "{wanted} {reverse}");
            assert!(pages > 2);
        }
    }
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn audited_reads_are_in_the_log_and_found_however_names_are_written() {
    let installation = Installation::new();
    let server = installation.serve();
    let mut client = bound(&server.ldap(), ADMIN, PASSWORD);
    let rule = format!("cn=private,ou=audits,ou=policies,{SUFFIX}");
    let attributes: &[(&str, &[&str])] =
        &[("objectClass", &["auditRule"]), ("cn", &["private"]), ("auditAttribute", &["homePhone"])];
    assert_eq!(client.add(&rule, attributes).unwrap(), LdapResultCode::Success);
    for number in 0..300 {
        let person: &[(&str, &[&str])] =
            &[("objectClass", &["inetOrgPerson"]), ("cn", &["P"]), ("sn", &["P"]), ("homePhone", &["+1 555 0100"])];
        assert_eq!(client.add(&format!("uid=p{number},{SUFFIX}"), person).unwrap(), LdapResultCode::Success);
    }
    let everybody = filter("(sn=P)");
    let (found, code) = client.search(SUFFIX, LdapSearchScope::Subtree, everybody.clone(), &["homePhone"]).unwrap();
    assert_eq!((found.len(), code), (300, LdapResultCode::Success));
    let (found, _) = client.search(SUFFIX, LdapSearchScope::Subtree, everybody, &["cn"]).unwrap();
    assert_eq!(found.len(), 300);
    let searches = find(&mut client, "(&(objectClass=auditSearch)(reqType=search))");
    let of = |name: &str| -> Vec<String> { searches.iter().flat_map(|entry| values(entry, name)).collect() };
    assert_eq!(
        (of("reqEntries"), of("reqDN")),
        (vec!["256".to_owned(), "44".to_owned()], vec![SUFFIX.to_owned(), SUFFIX.to_owned()])
    );
    assert_eq!((of("reqFilter"), of("recordRule")), (vec!["(sn=P)".to_owned(); 2], vec![rule; 2]));
    let dicom = installation.succeed(&["journal", "query", "--type", "search", "--format", "dicom"]);
    assert_eq!(dicom.matches("csd-code=\"110112\"").count(), 2, "{dicom}");
    for name in [format!("UID=P7,{SUFFIX}"), format!("userid=\\70\\37 , {}", SUFFIX.replace("dc=", "DomainComponent="))] {
        let added = find(&mut client, &format!("(&(reqType=add)(reqDN={name}))"));
        assert_eq!(added.len(), 1, "{name}");
    }
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn an_answer_says_what_of_the_log_cannot_be_read() {
    let installation = Installation::new();
    let server = installation.serve();
    let mut client = bound(&server.ldap(), ADMIN, PASSWORD);
    for number in 0..5 {
        let device: &[(&str, &[&str])] = &[("objectClass", &["device"])];
        assert_eq!(client.add(&format!("cn=d{number},{SUFFIX}"), device).unwrap(), LdapResultCode::Success);
    }
    let mut adds = || {
        let op = LdapSearchRequest {
            base: LOG.to_owned(),
            scope: LdapSearchScope::OneLevel,
            aliases: LdapDerefAliases::Never,
            sizelimit: 0,
            timelimit: 0,
            typesonly: false,
            filter: filter("(reqType=add)"),
            attrs: vec!["recordSequence".to_owned()],
        };
        client.send(LdapOp::SearchRequest(op)).unwrap();
        let mut sequences: Vec<u64> = Vec::new();
        loop {
            match client.receive().unwrap().op {
                LdapOp::SearchResultEntry(entry) => sequences.push(values(&entry, "recordSequence")[0].parse().unwrap()),
                LdapOp::SearchResultDone(result) => return (sequences, result.code, result.message),
                other => panic!("{other:?}"),
            }
        }
    };
    let (sequences, code, message) = adds();
    assert_eq!((code, message.as_str()), (LdapResultCode::Success, ""));
    let lost = sequences[sequences.len() - 3];
    let segment = std::fs::read_dir(installation.path().join("data/journal")).unwrap();
    let segment =
        segment.map(|item| item.unwrap().path()).find(|path| path.extension().is_some_and(|it| it == "segment")).unwrap();
    let octets = std::fs::read(&segment).unwrap();
    let groups: Vec<usize> = memchr::memmem::find_iter(&octets, &bindery::journal::GROUP_MAGIC).collect();
    let group = groups.into_iter().find(|at| {
        bindery::journal::read_group(&octets[*at..]).is_ok_and(|group| (group.header.first..=group.last()).contains(&lost))
    });
    use std::os::unix::fs::FileExt as _;
    let at = group.unwrap() + 150;
    let file = std::fs::OpenOptions::new().write(true).open(&segment).unwrap();
    file.write_all_at(&[octets[at] ^ 1], at as u64).unwrap();
    let (left, code, message) = adds();
    assert_eq!((left.len(), code), (sequences.len() - 1, LdapResultCode::Success));
    assert!(!left.contains(&lost) && message.starts_with(&format!("not whole: records {lost} to {lost} ")), "{message}");
    let status = installation.run(&["status"]);
    let told = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(told.contains("met damage of the journal"), "{told}");
    server.kill();
}
