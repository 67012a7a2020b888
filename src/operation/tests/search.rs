//! Searching: BEHAVIOUR "Search", paged results, aliases.

use super::harness::{As, Server, paged, request};
use crate::model::{DerefAliases, Scope, Timestamp};
use crate::operation::Authority;
use crate::operation::search::{Pull, begin};
use crate::protocol::ber::Reader;

const ANNA: &str = "uid=anna,ou=people,dc=mercy,dc=example";
const BERT: &str = "uid=bert,ou=people,dc=mercy,dc=example";
const PEOPLE: &str = "ou=people,dc=mercy,dc=example";
const SUFFIX: &str = "dc=mercy,dc=example";

fn found(server: &mut Server, filter: &str) -> Vec<String> {
    let (names, answer) = server.names(&request(PEOPLE, Scope::Subtree, filter, &["1.1"]));
    assert_eq!(answer, "0", "{filter}");
    names
}

#[test]
fn bases_and_scopes() {
    let mut server = Server::new().as_(As::Anna);
    let (names, answer) = server.names(&request("ou=x,ou=people,dc=mercy,dc=example", Scope::Base, "(objectClass=*)", &[]));
    assert_eq!((names.len(), answer.as_str()), (0, "32 [ou=people,dc=mercy,dc=example]"));
    assert_eq!(server.names(&request("dc=other", Scope::Base, "(objectClass=*)", &[])).1, "32");
    assert_eq!(server.names(&request("nonsense", Scope::Base, "(objectClass=*)", &[])).1, "34 invalid DN");
    for (scope, expected) in [
        (Scope::Base, vec![PEOPLE]),
        (Scope::One, vec![ANNA, BERT]),
        (Scope::Subtree, vec![PEOPLE, ANNA, BERT]),
        (Scope::Children, vec![ANNA, BERT]),
    ] {
        assert_eq!(server.names(&request(PEOPLE, scope, "(objectClass=*)", &[])).0, expected, "{scope:?}");
    }
}

#[test]
fn anonymous_sees_nothing_and_learns_nothing() {
    let mut server = Server::new().as_(As::Anonymous);
    for base in [SUFFIX, ANNA, "uid=x,ou=people,dc=mercy,dc=example", "dc=other"] {
        assert_eq!(server.names(&request(base, Scope::Subtree, "(objectClass=*)", &[])), (vec![], "32".to_owned()), "{base}");
    }
}

#[test]
fn three_valued_logic() {
    let mut server = Server::new();
    assert!(found(&mut server, "(zork=x)").is_empty());
    assert!(found(&mut server, "(!(zork=x))").is_empty());
    assert_eq!(found(&mut server, "(&)").len(), 3);
    assert!(found(&mut server, "(|)").is_empty());
    assert_eq!(found(&mut server, "(|(zork=x)(uid=ANNA))"), [ANNA]);
    assert_eq!(found(&mut server, "(!(uid=anna))"), [PEOPLE, BERT]);
    assert_eq!(found(&mut server, "(name=ash)"), [BERT]);
    assert_eq!(found(&mut server, "(entryDN=uid=anna,ou=people,dc=mercy,dc=example)"), [ANNA]);
}

#[test]
fn selections() {
    let mut server = Server::new();
    assert_eq!(server.read(BERT, &["1.1"]), "");
    assert_eq!(server.read(BERT, &["1.1", "SURNAME"]), "sn: Ash\n");
    assert_eq!(server.read(BERT, &["zork", "sn"]), "sn: Ash\n");
    assert_eq!(server.read(BERT, &["sn", "SN", "2.5.4.4"]), "sn: Ash\n");
    assert_eq!(server.read(BERT, &["name"]), "cn: Bert Ash\nsn: Ash\n");
    let all = "cn: Bert Ash\nmail: bert@mercy.example\nobjectClass: inetOrgPerson\nsn: Ash\nuid: bert\n";
    assert_eq!(server.read(BERT, &[]), all);
    assert_eq!(server.read(BERT, &["*"]), all);
    assert_eq!(server.read(BERT, &["*", "sn"]), all);
    assert_eq!(server.read(BERT, &["@person"]), "cn: Bert Ash\nobjectClass: inetOrgPerson\nsn: Ash\n");
    assert_eq!(server.read(BERT, &["*", "hasSubordinates"]), all.replace("mail", "hasSubordinates: FALSE\nmail"));
    assert!(server.read(BERT, &["+"]).starts_with("createTimestamp: "));
    assert_eq!(server.read(ANNA, &["description"]), "description: Ward sister\ndescription;lang-de: Stationsschwester\n");
    assert_eq!(server.read(ANNA, &["description;lang-de"]), "description;lang-de: Stationsschwester\n");
    assert_eq!(server.read(ANNA, &["description;lang-"]), "description;lang-de: Stationsschwester\n");
    assert_eq!(server.read(PEOPLE, &["numSubordinates", "hasSubordinates"]), "hasSubordinates: TRUE\nnumSubordinates: 2\n");
}

#[test]
fn types_only() {
    let mut server = Server::new();
    let mut search = request(BERT, Scope::Base, "(objectClass=*)", &["sn", "hasSubordinates"]);
    search.types_only = true;
    assert_eq!(server.search_with(&search).0, format!("dn: {BERT}\nhasSubordinates:\nsn:\n"));
    search.attributes.clear();
    assert_eq!(server.search_with(&search).0, format!("dn: {BERT}\ncn:\nmail:\nobjectClass:\nsn:\nuid:\n"));
}

#[test]
fn size_limits() {
    let mut server = Server::new();
    let mut search = request(PEOPLE, Scope::Subtree, "(objectClass=*)", &["1.1"]);
    search.size_limit = 2;
    let (names, answer) = server.names(&search);
    assert_eq!((names.len(), answer.as_str()), (2, "4"));
    search.size_limit = 3;
    assert_eq!(server.names(&search).1, "0");
    search.size_limit = 0;
    server.limits.size = 1;
    assert_eq!(server.names(&search).1, "0");
    server.who = As::Anna;
    let (names, answer) = server.names(&search);
    assert_eq!((names.len(), answer.as_str()), (1, "4"));
}

#[test]
fn time_limits() {
    let mut server = Server::new().as_(As::Anna);
    let mut search = request(PEOPLE, Scope::Subtree, "(objectClass=*)", &["1.1"]);
    let context = server.context(Authority::Session);
    for (asked, seconds) in [(0, 60), (5, 5), (100, 60)] {
        search.time_limit = asked;
        let mut stream = begin(&server.directory, &context, &search, &[]).unwrap();
        let limit = Timestamp(context.now.0 + seconds * 1_000_000);
        assert!(matches!(stream.pull(&mut 10, limit), Pull::Reply(_)));
        let Pull::Done(reply) = stream.pull(&mut 10, Timestamp(limit.0 + 1)) else { panic!("goes on") };
        assert!(format!("{reply:?}").contains("TimeLimitExceeded"), "{asked}");
    }
}

fn cookie(server: &Server) -> Vec<u8> {
    let value = server.response_controls[0].value.clone().unwrap();
    let mut reader = Reader::new(&value);
    let mut page = reader.sequence().unwrap();
    page.integer().unwrap();
    page.octet_string().unwrap().to_vec()
}

#[test]
fn pages() {
    let mut server = Server::new().as_(As::Anna);
    let search = request(SUFFIX, Scope::Subtree, "(objectClass=*)", &["1.1"]);
    let mut all = server.names(&search).0;
    let mut seen = Vec::new();
    let mut next = Vec::new();
    loop {
        server.controls = vec![paged(2, &next)];
        let (names, answer) = server.names(&search);
        assert_eq!(answer, "0");
        assert!(names.len() <= 2);
        seen.extend(names);
        next = cookie(&server);
        if next.is_empty() {
            break;
        }
        assert!(seen.len() < all.len());
    }
    seen.sort();
    all.sort();
    assert_eq!(seen, all);
}

#[test]
fn cookies_are_of_one_connection_and_one_search() {
    let mut server = Server::new().as_(As::Anna);
    let search = request(SUFFIX, Scope::Subtree, "(objectClass=*)", &["1.1"]);
    server.controls = vec![paged(2, b"")];
    server.names(&search);
    let good = cookie(&server);
    let bad = "2 paged results cookie is invalid";
    server.controls = vec![paged(2, b"nonsense")];
    assert_eq!(server.names(&search).1, bad);
    server.session = 2;
    server.controls = vec![paged(2, &good)];
    assert_eq!(server.names(&search).1, bad);
    server.session = 1;
    server.controls = vec![paged(2, &good)];
    assert_eq!(server.names(&request(PEOPLE, Scope::Subtree, "(objectClass=*)", &["1.1"])).1, bad);
    server.controls = vec![paged(0, &good)];
    assert_eq!(server.names(&search), (vec![], "0 search abandoned by pagedResult size=0".to_owned()));
    server.controls = vec![paged(-1, b"")];
    assert!(server.names(&search).1.starts_with("2 "));
}

#[test]
fn size_limits_count_over_pages() {
    let mut server = Server::new().as_(As::Anna);
    server.limits.size = 3;
    let search = request(SUFFIX, Scope::Subtree, "(objectClass=*)", &["1.1"]);
    server.controls = vec![paged(2, b"")];
    assert_eq!(server.names(&search).0.len(), 2);
    server.controls = vec![paged(2, &cookie(&server))];
    let (names, answer) = server.names(&search);
    assert_eq!((names.len(), answer.as_str()), (1, "4"));
}

fn with_aliases() -> Server {
    let mut server = Server::new();
    let alias = |rdn: &str, target: &str| {
        format!(
            "dn: cn={rdn},ou=links,dc=mercy,dc=example\nobjectClass: alias\nobjectClass: extensibleObject\naliasedObjectName: {target}\n\n"
        )
    };
    server.import(&format!(
        "dn: ou=links,dc=mercy,dc=example\nobjectClass: organizationalUnit\n\n{}{}{}{}",
        alias("people", PEOPLE),
        alias("anna", ANNA),
        alias("nowhere", "cn=none,dc=mercy,dc=example"),
        alias("self", "cn=self,ou=links,dc=mercy,dc=example")
    ));
    server
}

#[test]
fn aliases_in_searching() {
    let mut server = with_aliases();
    let links = "ou=links,dc=mercy,dc=example";
    let mut search = request(links, Scope::Subtree, "(objectClass=*)", &["1.1"]);
    assert_eq!(server.names(&search).0.len(), 5);
    search.deref = DerefAliases::InSearching;
    let mut expected = [links, PEOPLE, ANNA, BERT];
    expected.sort();
    assert_eq!(server.names(&search), (expected.iter().map(|name| (*name).to_owned()).collect(), "0".to_owned()));
    search.scope = Scope::One;
    assert_eq!(server.names(&search).0, [PEOPLE, ANNA]);
    search.base = SUFFIX.into();
    search.scope = Scope::Subtree;
    let without: Vec<String> = server.names(&search).0;
    let once: std::collections::BTreeSet<_> = without.iter().collect();
    assert_eq!(once.len(), without.len());
}

#[test]
fn aliases_in_finding_the_base() {
    let mut server = with_aliases();
    let mut search = request("uid=anna,cn=people,ou=links,dc=mercy,dc=example", Scope::Base, "(objectClass=*)", &["1.1"]);
    assert_eq!(server.names(&search).1, "32 [cn=people,ou=links,dc=mercy,dc=example]");
    search.deref = DerefAliases::FindingBase;
    assert_eq!(server.names(&search), (vec![ANNA.to_owned()], "0".to_owned()));
    search.base = "cn=nowhere,ou=links,dc=mercy,dc=example".into();
    assert_eq!(server.names(&search).1, "33 aliasedObject not found [cn=nowhere,ou=links,dc=mercy,dc=example]");
    search.base = "cn=self,ou=links,dc=mercy,dc=example".into();
    assert_eq!(server.names(&search).1, "33 circular alias [cn=self,ou=links,dc=mercy,dc=example]");
    let below = "dn: uid=x,cn=people,ou=links,dc=mercy,dc=example\nchangetype: add\nobjectClass: inetOrgPerson\ncn: x\nsn: x\n";
    assert_eq!(server.change(below), "33 parent is an alias");
}

#[test]
fn a_long_filter_uses_its_budget_up_sooner() {
    let mut server = Server::new();
    let pauses = |server: &mut Server, terms: usize| {
        let terms: String = (0..terms).map(|number| format!("(sn=nobody {number})")).collect();
        let request = request("dc=mercy,dc=example", Scope::Subtree, &format!("(|{terms})"), &[]);
        let context = server.context(Authority::Session);
        let Ok(mut stream) = begin(&server.directory, &context, &request, &[]) else { panic!("refused") };
        let mut pauses = 0;
        while let Pull::Pause = stream.pull(&mut 100, server.now) {
            pauses += 1;
        }
        pauses
    };
    assert_eq!(pauses(&mut server, 1), 0);
    assert_eq!(pauses(&mut server, 800), 6, "one between each two of seven entries");
}

#[test]
fn chains_of_aliases_end() {
    let mut server = with_aliases();
    for number in 0..20 {
        let target = if number == 19 { ANNA.to_owned() } else { format!("cn=a{},ou=links,dc=mercy,dc=example", number + 1) };
        server.import(&format!(
            "dn: cn=a{number},ou=links,dc=mercy,dc=example\nobjectClass: alias\nobjectClass: extensibleObject\n\
             aliasedObjectName: {target}\n\n"
        ));
    }
    let mut search = request("cn=a4,ou=links,dc=mercy,dc=example", Scope::Base, "(objectClass=*)", &["1.1"]);
    search.deref = DerefAliases::Always;
    assert_eq!(server.names(&search), (vec![ANNA.to_owned()], "0".to_owned()));
    search.base = "cn=a3,ou=links,dc=mercy,dc=example".into();
    assert_eq!(server.names(&search).1, "36 maximum deref depth exceeded");
}
