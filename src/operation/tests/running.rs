//! What becomes of a search that runs while time goes by.

use super::harness::{As, Server, request};
use crate::model::{Scope, Timestamp};
use crate::operation::search::{self, Pull};
use crate::operation::{Authority, as_of};
use crate::protocol::Reply;

const RULES: &str = "\
dn: ou=policies,dc=mercy,dc=example
objectClass: organizationalUnit

dn: ou=access,ou=policies,dc=mercy,dc=example
objectClass: organizationalUnit

dn: cn=administrators,ou=access,ou=policies,dc=mercy,dc=example
objectClass: accessRule
accessSubject: group:cn=administrators,ou=roles,dc=mercy,dc=example
accessRight: all
accessEffect: allow

dn: cn=people,ou=access,ou=policies,dc=mercy,dc=example
objectClass: accessRule
accessSubject: authenticated
accessRight: read
accessRight: search
accessEffect: allow
ruleNotAfter: NOT_AFTER
";

#[test]
fn it_ends_with_the_rule_that_it_runs_under_by_time_alone() {
    let mut server = Server::new();
    let end = Timestamp(server.now.0 + 60_000_000);
    server.import(&RULES.replace("NOT_AFTER", &end.to_generalized_time_micros()));
    server.who = As::Anna;
    let context = server.context(Authority::Session);
    let all = request("ou=people,dc=mercy,dc=example", Scope::Subtree, "(objectClass=*)", &["uid"]);
    let Ok(mut running) = search::begin(&server.directory, &context, &all, &[]) else { panic!("it may begin") };
    let mut budget = 100;
    assert!(matches!(running.pull(&mut budget, context.now), Pull::Reply(Reply::Entry { .. })));
    let before = Timestamp(end.0 - 1);
    assert!(running.is_allowed_on(&as_of(&server.directory, before), before));
    // Nothing was written: only the clock went on.
    assert!(!running.is_allowed_on(&as_of(&server.directory, end), end));
    let Reply::Result { result, .. } = running.revoked() else { panic!("not a result") };
    assert_eq!(result.code.number(), 53);
}

#[test]
fn it_goes_on_beside_the_first_grant_there_is() {
    for who in [As::Admin, As::Anna] {
        let mut server = Server::new();
        server.import("dn: cn=icu,ou=roles,dc=mercy,dc=example\nobjectClass: groupOfMembers\nobjectClass: governedGroup\n");
        server.who = who;
        let context = server.context(Authority::Session);
        let all = request("dc=mercy,dc=example", Scope::Subtree, "(objectClass=*)", &["uid"]);
        let Ok(mut running) = search::begin(&server.directory, &context, &all, &[]) else { panic!("it may begin") };
        assert!(matches!(running.pull(&mut 1000, context.now), Pull::Reply(Reply::Entry { .. })));
        server.import(
            "dn: cn=g,cn=icu,ou=roles,dc=mercy,dc=example\nobjectClass: accessGrant\n\
             grantMember: uid=bert,ou=people,dc=mercy,dc=example\ngrantState: requested\n",
        );
        assert!(running.is_allowed_on(&server.directory, context.now));
    }
}
