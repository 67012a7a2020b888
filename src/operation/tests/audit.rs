//! Audited reads: what is recorded of searches and compares, and what does not leave before it is.

use bytes::Bytes;

use super::harness::{As, Server, request};
use crate::journal::{Record, RecordKind};
use crate::model::{ResultCode, Scope, Secret};
use crate::operation::audit;
use crate::operation::compare::{self, CompareRequest};
use crate::operation::{Authority, ProposedOperation};

const SUFFIX: &str = "dc=mercy,dc=example";
const PEOPLE: &str = "ou=people,dc=mercy,dc=example";
const FOLDERS: &str = "\
dn: ou=policies,dc=mercy,dc=example
objectClass: organizationalUnit

dn: ou=audits,ou=policies,dc=mercy,dc=example
objectClass: organizationalUnit

dn: ou=groups,dc=mercy,dc=example
objectClass: organizationalUnit

dn: cn=call centre,ou=groups,dc=mercy,dc=example
objectClass: groupOfNames
member: cn=admin,dc=mercy,dc=example

dn: uid=carl,ou=people,dc=mercy,dc=example
objectClass: inetOrgPerson
cn: Carl Ash
sn: Ash
homePhone: +1 555 0100
";

fn rule(lines: &str) -> String {
    format!("dn: cn=private,ou=audits,ou=policies,{SUFFIX}\nobjectClass: auditRule\ncn: private\n{lines}\n")
}

fn with_rule(lines: &str) -> Server {
    let mut server = Server::new();
    server.import(FOLDERS);
    server.import(&rule(lines));
    server
}

fn details(record: &Record, name: &str) -> Vec<String> {
    record.details.iter().filter(|(known, _)| *known == name).map(|(_, text)| text.clone()).collect()
}

/// What was recorded of a search, and how many entries it returned.
fn searched(server: &mut Server, base: &str, filter: &str, attributes: &[&str]) -> (Vec<Record>, usize) {
    server.reads.clear();
    let (entries, answer) = server.search(base, Scope::Subtree, filter, attributes);
    assert_eq!(answer, "0");
    (std::mem::take(&mut server.reads), entries.matches("dn: ").count())
}

#[test]
fn what_a_rule_names_is_counted_and_nothing_else_is_recorded() {
    let mut server = with_rule(&format!("auditTarget: {PEOPLE}\nauditAttribute: homePhone"));
    let (records, found) = searched(&mut server, SUFFIX, "(objectClass=inetOrgPerson)", &["cn", "homePhone"]);
    assert_eq!((records.len(), found), (1, 3));
    let record = &records[0];
    assert_eq!((record.kind, record.result), (RecordKind::Search, ResultCode::Success));
    assert_eq!(record.target.as_ref().unwrap().dn, SUFFIX);
    assert_eq!(record.rule.as_deref(), Some("cn=private,ou=audits,ou=policies,dc=mercy,dc=example"));
    assert_eq!(details(record, "returned"), ["homePhone 1"]);
    assert_eq!((details(record, "entries"), details(record, "auditedEntries")), (vec!["3".to_owned()], vec!["1".to_owned()]));
    assert_eq!(details(record, "filter"), ["(objectClass=inetOrgPerson)"]);
    assert_eq!(details(record, "attribute"), ["cn", "homePhone"]);
    assert!(details(record, "part").is_empty() && details(record, "tested").is_empty());
    assert_eq!(searched(&mut server, SUFFIX, "(uid=carl)", &[]).0.len(), 1, "all user attributes");
    for (base, filter, attributes) in [
        (PEOPLE, "(uid=*)", &["cn"][..]),
        (PEOPLE, "(uid=anna)", &["*"]),
        (PEOPLE, "(uid=carl)", &["1.1"]),
        (PEOPLE, "(uid=nobody)", &["homePhone"]),
        ("ou=groups,dc=mercy,dc=example", "(objectClass=*)", &["*"]),
        ("", "(objectClass=*)", &["1.1"]),
    ] {
        if !base.is_empty() {
            assert_eq!(searched(&mut server, base, filter, attributes).0, [], "{base} {filter} {attributes:?}");
        }
    }
}

#[test]
fn what_a_filter_or_a_sort_key_tests_is_told_without_values() {
    let mut server = with_rule("auditAttribute: homePhone");
    for filter in [
        "(homePhone=+1 555 0100)",
        "(homePhone=*0100)",
        "(&(objectClass=*)(!(homePhone=+1 555 9999)))",
        "(homePhone:caseIgnoreMatch:=+1 555 9999)",
    ] {
        let (records, _) = searched(&mut server, PEOPLE, filter, &["cn"]);
        assert_eq!(records.len(), 1, "{filter}");
        assert_eq!(details(&records[0], "tested"), ["homePhone"]);
        let told = &details(&records[0], "filter")[0];
        assert!(!told.contains("555") && !told.contains("0100") && told.contains("homePhone"), "{told}");
    }
    let (records, _) = searched(&mut server, PEOPLE, "(uid=carl)", &["cn"]);
    assert_eq!(records, []);
}

#[test]
fn a_rule_is_for_whom_it_names_until_it_ends() {
    let mut server = with_rule("auditSubject: group:cn=call centre,ou=groups,dc=mercy,dc=example\nauditAttribute: homePhone");
    assert_eq!(searched(&mut server, PEOPLE, "(uid=carl)", &["homePhone"]).0.len(), 1);
    let mut server = server.as_(As::Anna);
    let (records, _) = searched(&mut server, PEOPLE, "(uid=*)", &["homePhone"]);
    assert_eq!(records, []);
    let mut server = with_rule("auditSubject: entry:uid=bert,ou=people,dc=mercy,dc=example");
    assert_eq!(searched(&mut server, PEOPLE, "(uid=carl)", &["homePhone"]).0, []);
    let mut server = with_rule("ruleNotAfter: 20000101000000Z");
    assert_eq!(searched(&mut server, PEOPLE, "(uid=carl)", &["homePhone"]).0, []);
    let mut server = with_rule("auditOperation: compare");
    assert_eq!(searched(&mut server, PEOPLE, "(uid=carl)", &["homePhone"]).0, []);
    // One that stands elsewhere is none.
    let mut server = Server::new();
    server.import(FOLDERS);
    server.import(&rule("").replace("ou=audits,ou=policies", "ou=groups"));
    assert_eq!(searched(&mut server, PEOPLE, "(uid=carl)", &["homePhone"]).0, []);
}

#[test]
fn what_cannot_be_recorded_does_not_leave() {
    let mut server = with_rule("auditAttribute: homePhone");
    server.recording = Err(ResultCode::Unavailable);
    let (entries, answer) = server.search(PEOPLE, Scope::Subtree, "(uid=carl)", &["homePhone"]);
    assert_eq!((entries.as_str(), answer.as_str()), ("", "52 the search could not be recorded"));
    let (entries, answer) = server.search(PEOPLE, Scope::Subtree, "(uid=carl)", &["cn"]);
    assert!(answer == "0" && entries.contains("Carl"), "what nobody audits is answered: {answer}");
}

#[test]
fn a_long_answer_has_a_record_for_each_part_before_the_part() {
    let mut server = with_rule("auditAttribute: homePhone");
    for number in 0..600 {
        let phone = format!("homePhone: +1 555 {number:04}");
        server.import(&format!("dn: uid=p{number},{PEOPLE}\nobjectClass: inetOrgPerson\ncn: P\nsn: P\n{phone}\n"));
    }
    let (records, found) = searched(&mut server, PEOPLE, "(homePhone=*)", &["homePhone"]);
    assert_eq!(found, 601);
    assert_eq!(records.len(), 3);
    let sum: u64 = records.iter().map(|record| details(record, "auditedEntries")[0].parse::<u64>().unwrap()).sum();
    assert_eq!(sum, 601);
    let parts: Vec<_> = records.iter().map(|record| (details(record, "part"), details(record, "goesOn"))).collect();
    let part = |number: &str, goes_on: &str| (vec![number.to_owned()], vec![goes_on.to_owned()]);
    assert_eq!(parts, [part("1", "true"), part("2", "true"), part("3", "false")]);
}

#[test]
fn a_flag_in_the_schema_needs_no_rule() {
    let mut server = Server::new();
    server.import(FOLDERS);
    let ward = "attributeTypes: ( 1.3.6.1.4.1.99999.1 NAME 'diagnosis' SUP name X-AUDIT-READ 'TRUE' )\n\
                attributeTypes: ( 1.3.6.1.4.1.99999.2 NAME 'mainDiagnosis' SUP diagnosis )";
    let class = "objectClasses: ( 1.3.6.1.4.1.99999.3 NAME 'patient' SUP top AUXILIARY MAY ( diagnosis $ mainDiagnosis ) )";
    let schema =
        format!("dn: cn=Subschema\nchangetype: modify\nadd: attributeTypes\n{ward}\n-\nadd: objectClasses\n{class}\n-\n");
    assert_eq!(server.change(&schema), "0");
    assert_eq!(server.modify("add: objectClass\nobjectClass: patient\n-\nadd: mainDiagnosis\nmainDiagnosis: something\n-"), "0");
    let (records, _) = searched(&mut server, PEOPLE, "(uid=anna)", &["diagnosis"]);
    assert_eq!(records.iter().flat_map(|record| details(record, "returned")).collect::<Vec<_>>(), ["mainDiagnosis 1"]);
    assert_eq!(records[0].rule, None);
    assert_eq!(searched(&mut server, PEOPLE, "(uid=anna)", &["cn"]).0, []);
    assert_eq!(details(&searched(&mut server, PEOPLE, "(diagnosis=x)", &["cn"]).0[0], "tested"), ["diagnosis", "mainDiagnosis"]);
}

#[test]
fn everything_is_recorded_where_that_is_configured() {
    let mut server = Server::new();
    server.audits_all_reads = true;
    let (records, _) = searched(&mut server, PEOPLE, "(uid=anna)", &["cn"]);
    assert_eq!(records.len(), 1);
    assert_eq!(
        (details(&records[0], "entries"), details(&records[0], "auditedEntries")),
        (vec!["1".to_owned()], vec!["0".to_owned()])
    );
    assert_eq!(searched(&mut server, PEOPLE, "(uid=nobody)", &["cn"]).0.len(), 1);
    server.reads.clear();
    server.search("", Scope::Base, "(objectClass=*)", &[]);
    assert_eq!(server.reads.len(), 1, "the root DSE, too");
    let context = server.context(Authority::Session);
    let asked = request("ou=nothing,dc=mercy,dc=example", Scope::Base, "(objectClass=*)", &[]);
    let Err(reply) = crate::operation::search::begin(&server.directory, &context, &asked, &[]) else { panic!("it is there") };
    let read = audit::refused_search(&context, &asked, &reply).unwrap();
    let decision = crate::operation::decide(
        &server.directory,
        &crate::operation::Proposal { context, operation: ProposedOperation::AuditedRead(Box::new(read)) },
        0,
    );
    assert_eq!((decision.record.kind, decision.record.result), (RecordKind::Search, ResultCode::NoSuchObject));
}

fn compared(server: &mut Server, dn: &str, attribute: &str, value: &str) -> Option<Record> {
    let request = CompareRequest {
        name: Bytes::copy_from_slice(dn.as_bytes()),
        attribute: attribute.to_owned(),
        value: Secret::from(value.as_bytes()),
        controls: Vec::new(),
    };
    let context = server.context(Authority::Session);
    let answers = server.hash(&compare::jobs(&server.directory, &context, &request));
    let reply = compare::compare(&server.directory, &context, &request, &answers);
    let read = audit::compared(&server.directory, &context, &request, &reply)?;
    let operation = ProposedOperation::AuditedRead(Box::new(read));
    Some(crate::operation::decide(&server.directory, &crate::operation::Proposal { context, operation }, 0).record)
}

#[test]
fn compares_are_recorded_where_they_tested_something_audited() {
    let mut server = with_rule(&format!("auditTarget: {PEOPLE}\nauditAttribute: homePhone"));
    let carl = format!("uid=carl,{PEOPLE}");
    let record = compared(&mut server, &carl, "homePhone", "+1 555 0100").unwrap();
    assert_eq!((record.kind, record.result), (RecordKind::Compare, ResultCode::CompareTrue));
    assert_eq!(
        (details(&record, "attribute"), details(&record, "tested")),
        (vec!["homePhone".to_owned()], vec!["homePhone".to_owned()])
    );
    assert!(!format!("{record:?}").contains("0100"));
    assert_eq!(compared(&mut server, &carl, "homePhone", "x").unwrap().result, ResultCode::CompareFalse);
    assert_eq!(compared(&mut server, &carl, "cn", "x"), None);
    assert_eq!(compared(&mut server, SUFFIX, "homePhone", "x"), None, "not there");
    // The schema flags passwords: no lockout sees a guess that way.
    let anna = format!("uid=anna,{PEOPLE}");
    let record = compared(&mut server, &anna, "userPassword", "anna knows it");
    assert!(record.is_none_or(|record| record.rule.is_none() && !format!("{record:?}").contains("knows")));
    server.audits_all_reads = true;
    assert_eq!(compared(&mut server, &carl, "cn", "x").unwrap().result, ResultCode::CompareFalse);
}

#[test]
fn a_rule_is_read_when_it_is_written_and_what_it_names_stays() {
    let mut server = Server::new();
    server.import(FOLDERS);
    let add = |lines: &str| rule(lines).replacen("\nobjectClass", "\nchangetype: add\nobjectClass", 1);
    for (lines, answer) in [
        ("auditSubject: everybody", "21 auditSubject: value #0 "),
        ("auditSubject: self", "21 auditSubject: value #0 is none of group:DN, entry:DN, authenticated, anyone"),
        ("auditAttribute: noSuchThing", "21 auditAttribute: value #0 "),
        ("auditOperation: read", "21 auditOperation: value #0 is none of search, compare"),
        ("auditSubject: group:cn=x,dc=mercy,dc=example", "19 auditSubject: there is no entry cn=x,dc=mercy,dc=example"),
        ("auditTarget: ou=x,dc=mercy,dc=example", "19 auditTarget: there is no entry ou=x,dc=mercy,dc=example"),
    ] {
        let told = server.change(&add(lines));
        assert!(told.starts_with(answer), "{lines}: {told}");
    }
    let group = "cn=call centre,ou=groups,dc=mercy,dc=example";
    assert_eq!(server.change(&add(&format!("auditSubject: group:{group}\nauditTarget: {PEOPLE}"))), "0");
    let change = "changetype: modify\nreplace: auditOperation\nauditOperation: both\n-";
    assert!(server.change(&format!("dn: cn=private,ou=audits,ou=policies,{SUFFIX}\n{change}\n")).starts_with("21 "));
    for refused in [
        format!("dn: {group}\nchangetype: delete\n"),
        format!("dn: {group}\nchangetype: modrdn\nnewrdn: cn=other\ndeleteoldrdn: 1\n"),
        format!("dn: ou=groups,{SUFFIX}\nchangetype: modrdn\nnewrdn: ou=other\ndeleteoldrdn: 1\n"),
        format!("dn: ou=policies,{SUFFIX}\nchangetype: modrdn\nnewrdn: ou=other\ndeleteoldrdn: 1\n"),
    ] {
        assert_eq!(server.change(&refused), "53 an audit rule is about this; change that first", "{refused}");
    }
    assert_eq!(server.change(&format!("dn: cn=private,ou=audits,ou=policies,{SUFFIX}\nchangetype: delete\n")), "0");
    assert_eq!(server.change(&format!("dn: {group}\nchangetype: delete\n")), "0");
}
