//! Sessions of accounts that may not hold them any more, against the real program: what was acknowledged is followed by nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::client::Client;
use common::{ADMIN, Installation, PASSWORD, SUFFIX};
use ldap3_proto::proto::{
    LdapDerefAliases, LdapFilter, LdapModifyType, LdapOp, LdapResultCode, LdapSearchRequest, LdapSearchScope,
};

const ANNA: &str = "uid=anna,ou=people,dc=mercy,dc=example";
const ANNAS: &str = "anna knows it, and nobody else";
/// Entries that a search returns, and octets of each: more than sockets hold.
const ENTRIES: usize = 600;
const OCTETS: usize = 50_000;

fn installation() -> Installation {
    let installation = Installation::new();
    let mut ldif = format!("dn: ou=people,{SUFFIX}\nobjectClass: organizationalUnit\n\n");
    let classes = "objectClass: inetOrgPerson\nobjectClass: managedAccount\ncn: Anna\nsn: Moreau";
    write!(ldif, "dn: {ANNA}\n{classes}\nuserPassword: {ANNAS}\n\n").unwrap();
    let value = "x".repeat(OCTETS);
    for number in 0..ENTRIES {
        let dn = format!("cn={number},ou=people,{SUFFIX}");
        write!(ldif, "dn: {dn}\nobjectClass: organizationalRole\ndescription: {value}\n\n").unwrap();
    }
    write!(
        ldif,
        "dn: cn=anna reads,ou=access,ou=policies,{SUFFIX}\nobjectClass: accessRule\naccessSubject: entry:{ANNA}\n\
         accessRight: search\naccessRight: read\naccessEffect: allow\n\n"
    )
    .unwrap();
    let file = installation.path().join("people.ldif");
    std::fs::write(&file, ldif).unwrap();
    installation.succeed(&["import", file.to_str().unwrap()]);
    installation
}

fn log_in(address: &str, dn: &str, password: &str) -> Client {
    let mut client = Client::connect(address).unwrap();
    assert_eq!(client.bind(dn, password).unwrap(), LdapResultCode::Success);
    client
}

/// Reads what still comes, up to the notice: how many entries that are; then the connection must be closed.
fn entries_before_notice(client: &mut Client) -> usize {
    for entries in 0.. {
        let message = client.receive().expect("a notice comes before the end");
        match message.op {
            LdapOp::SearchResultEntry(_) => {}
            LdapOp::ExtendedResponse(notice) => {
                assert_eq!(message.msgid, 0);
                assert_eq!(notice.name.as_deref(), Some("1.3.6.1.4.1.1466.20036"));
                assert_eq!(notice.res.code, LdapResultCode::StrongerAuthRequired);
                assert!(client.is_closed());
                return entries;
            }
            other => panic!("{other:?}"),
        }
    }
    unreachable!()
}

fn ends_of_sessions(installation: &Installation) -> Vec<String> {
    let journal = installation.succeed(&["journal", "export"]);
    let ends = journal.lines().filter(|line| line.contains("\"type\":\"sessionEnd\""));
    let fact = |line: &str, name: &str| {
        let from = line.find(name).map(|at| &line[at + name.len()..]).unwrap_or_default();
        from.split('"').next().unwrap_or_default().to_owned()
    };
    ends.map(|line| format!("{}: {}", fact(line, "\"dn\":\""), fact(line, "\"reason\":\""))).collect()
}

#[test]
fn a_disabled_account_s_session_gets_the_notice_and_its_search_yields_nothing_more() {
    let installation = installation();
    let server = installation.serve();
    let mut admin = log_in(&server.ldap(), ADMIN, PASSWORD);
    let (mut idle, mut searching) = (log_in(&server.ldap(), ANNA, ANNAS), log_in(&server.ldap(), ANNA, ANNAS));
    let all = LdapSearchRequest {
        base: SUFFIX.to_owned(),
        scope: LdapSearchScope::Subtree,
        aliases: LdapDerefAliases::Never,
        sizelimit: 0,
        timelimit: 0,
        typesonly: false,
        filter: LdapFilter::Present("description".to_owned()),
        attrs: Vec::new(),
    };
    searching.send(LdapOp::SearchRequest(all)).unwrap();
    let LdapOp::SearchResultEntry(_) = searching.receive().unwrap().op else { panic!("an entry is expected") };
    let disable = [(LdapModifyType::Replace, "accountDisabled", &["TRUE"][..])];
    assert_eq!(admin.modify(ANNA, &disable).unwrap(), LdapResultCode::Success);
    assert_eq!(entries_before_notice(&mut idle), 0);
    // What the system's socket buffers hold is on its way already.
    let entries = entries_before_notice(&mut searching);
    assert!(entries + 1 < ENTRIES, "{entries} more entries came");
    let mut again = Client::connect(&server.ldap()).unwrap();
    assert_eq!(again.bind(ANNA, ANNAS).unwrap(), LdapResultCode::InvalidCredentials);
    assert!(admin.read(ANNA, &["1.1"]).unwrap().is_some(), "others go on");
    drop(admin);
    assert_eq!(server.stop(), Some(0));
    let ends = ends_of_sessions(&installation);
    assert_eq!(ends.iter().filter(|end| **end == format!("{ANNA}: account disabled")).count(), 2, "{ends:?}");
    assert_eq!(ends.len(), 3, "{ends:?}");
}

#[test]
fn who_changes_the_own_password_stays_and_the_other_sessions_of_the_account_end() {
    let installation = installation();
    let server = installation.serve();
    let (mut here, mut there) = (log_in(&server.ldap(), ANNA, ANNAS), log_in(&server.ldap(), ANNA, ANNAS));
    let change = [(LdapModifyType::Replace, "userPassword", &["anna knows another one by now"][..])];
    assert_eq!(here.modify(ANNA, &change).unwrap(), LdapResultCode::Success);
    assert_eq!(entries_before_notice(&mut there), 0);
    assert!(here.read(ANNA, &["1.1"]).unwrap().is_some());
    let mut admin = log_in(&server.ldap(), ADMIN, PASSWORD);
    let change = [(LdapModifyType::Replace, "userPassword", &["the help desk gave this out"][..])];
    assert_eq!(admin.modify(ANNA, &change).unwrap(), LdapResultCode::Success);
    assert_eq!(entries_before_notice(&mut here), 0);
    // What a rule names stays.
    assert_eq!(admin.delete(ANNA).unwrap(), LdapResultCode::UnwillingToPerform);
    let rule = format!("cn=anna reads,ou=access,ou=policies,{SUFFIX}");
    assert_eq!(admin.delete(&rule).unwrap(), LdapResultCode::Success);
    assert_eq!(admin.delete(ANNA).unwrap(), LdapResultCode::Success);
    drop(admin);
    assert_eq!(server.stop(), Some(0));
    let ends = ends_of_sessions(&installation);
    assert_eq!(ends.iter().filter(|end| **end == format!("{ANNA}: password changed")).count(), 2, "{ends:?}");
}

/// Reads what still comes of a search, up to its end: how many entries that are, and the result.
fn entries_before_end(client: &mut Client) -> (usize, LdapResultCode, String) {
    for entries in 0.. {
        match client.receive().expect("an end comes").op {
            LdapOp::SearchResultEntry(_) => {}
            LdapOp::SearchResultDone(result) => return (entries, result.code, result.message),
            other => panic!("{other:?}"),
        }
    }
    unreachable!()
}

fn everything() -> LdapOp {
    LdapOp::SearchRequest(LdapSearchRequest {
        base: SUFFIX.to_owned(),
        scope: LdapSearchScope::Subtree,
        aliases: LdapDerefAliases::Never,
        sizelimit: 0,
        timelimit: 0,
        typesonly: false,
        filter: LdapFilter::Present("description".to_owned()),
        attrs: Vec::new(),
    })
}

const GROUP: &str = "cn=readers,ou=people,";

/// Adds a rule that lets somebody read everything.
fn allow(admin: &mut Client, name: &str, subject: &str) {
    let dn = format!("cn={name},ou=access,ou=policies,{SUFFIX}");
    let rule = [
        ("objectClass", &["accessRule"][..]),
        ("accessSubject", &[subject][..]),
        ("accessRight", &["search", "read"][..]),
        ("accessEffect", &["allow"][..]),
    ];
    assert_eq!(admin.add(&dn, &rule).unwrap(), LdapResultCode::Success);
}

#[test]
fn a_running_search_shows_nothing_more_once_a_rule_or_a_membership_is_gone() {
    let installation = installation();
    let server = installation.serve();
    let mut admin = log_in(&server.ldap(), ADMIN, PASSWORD);
    let (anna_reads, group) = (format!("cn=anna reads,ou=access,ou=policies,{SUFFIX}"), format!("{GROUP}{SUFFIX}"));
    let members = [("objectClass", &["groupOfNames"][..]), ("member", &[ANNA, ADMIN][..])];
    assert_eq!(admin.add(&group, &members).unwrap(), LdapResultCode::Success);
    // By a rule, by a group that is not among the roles, and by a rule for anyone.
    type Take = fn(&mut Client, &str, &str) -> LdapResultCode;
    type Named<'a> = Option<(&'a str, String)>;
    let cases: [(Named<'_>, bool, Take); 3] = [
        (None, true, |admin, rule, _| admin.delete(rule).unwrap()),
        (Some(("readers", format!("group:{group}"))), true, |admin, _, group| {
            admin.modify(group, &[(LdapModifyType::Delete, "member", &[ANNA][..])]).unwrap()
        }),
        (Some(("anyone", "anyone".to_owned())), false, |admin, _, _| {
            admin.delete(&format!("cn=anyone,ou=access,ou=policies,{SUFFIX}")).unwrap()
        }),
    ];
    for (rule, named, take) in cases {
        if let Some((name, subject)) = &rule {
            allow(&mut admin, name, subject);
        }
        let mut searching = if named { log_in(&server.ldap(), ANNA, ANNAS) } else { Client::connect(&server.ldap()).unwrap() };
        searching.send(everything()).unwrap();
        let LdapOp::SearchResultEntry(_) = searching.receive().unwrap().op else { panic!("an entry is expected: {rule:?}") };
        assert_eq!(take(&mut admin, &anna_reads, &group), LdapResultCode::Success);
        let (entries, code, message) = entries_before_end(&mut searching);
        assert!(entries + 1 < ENTRIES, "{entries} more entries came: {rule:?}");
        assert_eq!((code, message.as_str()), (LdapResultCode::UnwillingToPerform, "access rules changed, search again"));
        searching.send(everything()).unwrap();
        assert_eq!(entries_before_end(&mut searching).0, 0, "{rule:?}");
    }
    drop(admin);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn no_search_that_begins_after_a_rule_is_gone_finds_what_it_gave() {
    const TURNS: usize = 40;
    let installation = installation();
    let server = installation.serve();
    let mut admin = log_in(&server.ldap(), ADMIN, PASSWORD);
    assert_eq!(admin.delete(&format!("cn=anna reads,ou=access,ou=policies,{SUFFIX}")).unwrap(), LdapResultCode::Success);
    // Even: the rule is there or may be; odd: it is gone.
    let (turn, found) = (AtomicUsize::new(1), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut anna = log_in(&server.ldap(), ANNA, ANNAS);
                loop {
                    let before = turn.load(Ordering::SeqCst);
                    if before > TURNS {
                        return;
                    }
                    let seen = anna.read(&format!("cn=7,ou=people,{SUFFIX}"), &["cn"]).ok().flatten().is_some();
                    let after = turn.load(Ordering::SeqCst);
                    assert!(!seen || before % 2 == 0 || after != before, "found in turn {before}");
                    found.fetch_add(usize::from(seen), Ordering::SeqCst);
                }
            });
        }
        for _ in 0..TURNS / 2 {
            turn.fetch_add(1, Ordering::SeqCst);
            allow(&mut admin, "anna", &format!("entry:{ANNA}"));
            let some = found.load(Ordering::SeqCst);
            // Somebody finds something each time, or this would show nothing.
            while found.load(Ordering::SeqCst) == some {
                std::thread::yield_now();
            }
            assert_eq!(admin.delete(&format!("cn=anna,ou=access,ou=policies,{SUFFIX}")).unwrap(), LdapResultCode::Success);
            turn.fetch_add(1, Ordering::SeqCst);
        }
    });
    drop(admin);
    assert_eq!(server.stop(), Some(0));
}
