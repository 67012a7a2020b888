//! Sessions of accounts that may not hold them any more, against the real program: what was acknowledged is followed by nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fmt::Write as _;

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
    assert_eq!(admin.delete(ANNA).unwrap(), LdapResultCode::Success);
    drop(admin);
    assert_eq!(server.stop(), Some(0));
    let ends = ends_of_sessions(&installation);
    assert_eq!(ends.iter().filter(|end| **end == format!("{ANNA}: password changed")).count(), 2, "{ends:?}");
}
