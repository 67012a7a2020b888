//! Records as entries, and filters as questions.

use super::harness::Server;
use crate::journal::query::{FoundRecord, ReadRecord, WantedResult};
use crate::model::{Dn, Filter, Timestamp};
use crate::operation::accesslog::{Place, node_of, place, question};
use crate::operation::root_dse;

const LINE: &str = concat!(
    r#"{"actor":{"dn":"cn=admin,dc=mercy,dc=example","uuid":"8f14e45f-ceea-467f-a83d-d6f7f7a2d3c1"},"boot":"b","changes":"#,
    r#"[{"attr":"member","op":"add","values":["uid=a,dc=x",{"base64":"/w=="}]},{"attr":"userPassword","op":"replace","redacted":2}],"#,
    r#""details":{"note":"n"},"factors":["password","otp"],"node":"n","peer":"10.0.0.1:5","prev":"00","reason":"not permitted","#,
    r#""result":50,"rule":"r","seq":9,"session":7,"target":{"dn":"cn=Nurses,dc=mercy,dc=example"},"time":1700000000000001,"#,
    r#""tls":{"suite":"S","version":"TLSv1.3"},"type":"modify","v":1}"#
);

fn found() -> FoundRecord {
    FoundRecord { record: ReadRecord::parse(LINE).unwrap(), line: LINE.to_owned() }
}

#[test]
fn a_record_is_an_entry_that_filters_of_the_schema_match() {
    let directory = Server::new().directory;
    let node = node_of(&directory, &found());
    assert_eq!(node.name, "reqStart=20231114221320.000001Z,cn=accesslog");
    for (filter, expected) in [
        ("(objectClass=auditModify)", true),
        ("(objectClass=auditWriteObject)", true),
        ("(objectClass=auditBind)", false),
        ("(reqType=MODIFY)", true),
        ("(&(reqStart>=20231114221320Z)(reqStart<=20231114221321Z))", true),
        ("(reqStart>=20231114221321Z)", false),
        ("(reqDN=cn=nurses, dc=mercy,dc=example)", true),
        ("(reqDN=commonName=NURSES,DC=mercy,dc=example)", true),
        ("(reqDN=oid.2.5.4.3=\\5c4eurses , dc=mercy,domainComponent=example)", true),
        ("(reqDN=2.5.4.3= nurses ,dc=mercy,dc=example)", true),
        ("(reqAuthzID=CN=Admin,dc=mercy,dc=example)", true),
        ("(reqResult>=49)", true),
        ("(!(reqResult=0))", true),
        ("(reqMod=member:+ uid=a,dc=x)", true),
        ("(reqMod=member:+ \\ff)", true),
        ("(reqMod=userPassword:= (2 not shown))".replace("(2 not shown)", "\\282 not shown\\29").as_str(), true),
        ("(recordPeer=10.0.0.1:5)", true),
        ("(recordSequence=9)", true),
        ("(recordFactor=otp)", true),
        ("(recordReason=not permitted)", true),
        ("(recordTls=TLSv1.3 S)", true),
        ("(recordDetail=note=n)", true),
    ] {
        let parsed = Filter::parse(filter.as_bytes()).unwrap();
        assert_eq!(root_dse::matches(&directory, &parsed, &node), expected, "{filter}");
        let query = question(&directory, &parsed, Place::Log);
        assert!(!expected || query.matches(&found().record), "{filter}: the question {query:?} leaves out what the filter wants");
    }
}

#[test]
fn a_filter_becomes_a_question() {
    let directory = Server::new().directory;
    let ask = |filter: &str, place| question(&directory, &Filter::parse(filter.as_bytes()).unwrap(), place);
    let query = ask("(&(reqType=modrdn)(reqResult=49)(reqDN=uid=a)(reqAuthzID=uid=b)(reqStart>=19700101000001Z))", Place::Log);
    assert_eq!((query.kinds, query.result), (vec!["modifyDn".to_owned()], Some(WantedResult::Code(49))));
    assert_eq!((query.target.as_deref(), query.actor.as_deref()), (Some("uid=a"), Some("uid=b")));
    assert_eq!((query.since, query.until), (Some(Timestamp(1_000_000)), None));
    let query = ask("(reqStart<=19700101000002Z)", Place::Record(Timestamp(5)));
    assert_eq!((query.since, query.until), (Some(Timestamp(5)), Some(Timestamp(6))));
    assert_eq!(
        ask("(reqDN=serialNumber=1+telephoneNumber=2,dc=x)", Place::Log).target,
        None,
        "their rules are not those of text"
    );
    for open in ["(|(reqType=bind)(reqType=add))", "(!(reqType=bind))", "(reqResult>=1)", "(objectClass=*)", "(reqStart>=soon)"] {
        assert_eq!(ask(open, Place::Log), crate::journal::query::Query::default(), "{open}");
    }
    let name = |text: &str| place(&directory, &Dn::parse(text.as_bytes()).unwrap());
    assert_eq!(name("CN=AccessLog"), Some(Place::Log));
    assert_eq!(name("reqstart=19700101000000.000007Z,cn=accesslog"), Some(Place::Record(Timestamp(7))));
    assert_eq!((name("cn=x,cn=accesslog"), name("cn=monitor"), name("reqStart=soon,cn=accesslog")), (None, None, None));
}

#[test]
fn audited_reads_are_entries_of_the_classes_for_them() {
    let directory = Server::new().directory;
    let front =
        r#"{"actor":{"dn":"cn=admin,dc=x"},"boot":"b","node":"n","prev":"00","seq":9,"session":7,"time":1700000000000001,"v":1,"#;
    let search = concat!(
        r#""target":{"dn":"ou=people,dc=x"},"result":0,"type":"search","details":{"aliases":"never","attribute":["cn","homePhone"],"auditedEntries":"1","#,
        r#""entries":"3","filter":"(homePhone=not shown)","returned":"homePhone 1","scope":"sub","tested":"homePhone","typesOnly":"false"}}"#
    );
    let compare =
        r#""target":{"dn":"uid=a,dc=x"},"result":5,"type":"compare","details":{"attribute":"homePhone","tested":"homePhone"}}"#;
    for (rest, filter) in [
        (search, "(&(objectClass=auditSearch)(objectClass=auditReadObject)(reqType=search))"),
        (search, "(&(reqScope=sub)(reqDerefAliases=never)(reqAttrsOnly=FALSE)(reqEntries=3)(reqAttr=cn)(reqAttr=homePhone))"),
        (search, "(reqFilter=\\28homePhone=not shown\\29)"),
        (search, "(recordDetail=returned=homePhone 1)"),
        (compare, "(&(objectClass=auditCompare)(reqType=compare)(reqResult=5)(reqAssertion=*))"),
    ] {
        let line = format!("{front}{rest}");
        let found = FoundRecord { record: ReadRecord::parse(&line).unwrap(), line };
        let parsed = Filter::parse(filter.as_bytes()).unwrap();
        assert!(root_dse::matches(&directory, &parsed, &node_of(&directory, &found)), "{filter}");
        assert!(question(&directory, &parsed, Place::Log).matches(&found.record), "{filter}");
    }
}
