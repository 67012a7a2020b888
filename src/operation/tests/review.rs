//! Review campaigns: their scope, what time makes of them as seen and as committed, and the report of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::harness::{As, Server};
use crate::directory::{Directory, Membership, MembershipAttribute};
use crate::journal::Record;
use crate::model::Timestamp;
use crate::operation::report::{DAY, ReportKind, Reporting, Table, table};
use crate::operation::{Authority, as_of, grant};

const PEOPLE: &str = "ou=people,dc=mercy,dc=example";
const ROLES: &str = "ou=roles,dc=mercy,dc=example";

/// An administrator with a second factor.
fn server() -> Server {
    let mut server = Server::new();
    server.factors = vec!["password", "otp"];
    server
}

fn group(server: &mut Server, name: &str, members: &[&str]) {
    let members: String = members.iter().map(|uid| format!("member: uid={uid},{PEOPLE}\n")).collect();
    server.import(&format!("dn: cn={name},{ROLES}\nobjectClass: groupOfMembers\n{members}"));
}

/// `terms`: lines; due in ten days.
fn campaign(server: &mut Server, name: &str, terms: &str) -> String {
    let due = Timestamp(server.now.0 + 10 * DAY).to_generalized_time();
    server
        .change(&format!("dn: cn={name},{ROLES}\nchangetype: add\nobjectClass: reviewCampaign\nreviewDueDate: {due}\n{terms}\n"))
}

fn decide(server: &mut Server, item: &str, decision: &str) -> String {
    server.change(&format!("dn: {item},{ROLES}\nchangetype: modify\nadd: reviewDecision\nreviewDecision: {decision}\n"))
}

/// Commits what turned by `now`.
fn cross(server: &mut Server, now: Timestamp) -> Vec<Record> {
    server.now = now;
    let context = server.context(Authority::Session);
    let Some(decision) = grant::turn::cross(&server.directory, &context) else { return Vec::new() };
    let directory = Arc::make_mut(&mut server.directory);
    decision.changes.iter().for_each(|change| directory.apply(change).unwrap());
    decision.preceding.into_iter().chain([decision.record]).collect()
}

/// The values of each entry below `ou=roles`, and who is a member of what.
fn content(directory: &Directory) -> BTreeMap<String, Vec<String>> {
    let names = ["reviewState", "reviewItemState", "reviewOpenCount", "reviewSuspendedCount", "reviewEndedCount", "grantState"];
    let nodes = directory.nodes().map(|node| {
        let ids = names.iter().filter_map(|name| directory.schema().attribute_type(name));
        let mut values: Vec<String> = ids
            .flat_map(|it| node.entry.values(it.id).map(|value| format!("{}: {}", it.name(), String::from_utf8_lossy(value))))
            .collect();
        for attribute in MembershipAttribute::OF_GROUPS {
            let members = directory.member_values(node.id, attribute);
            values.extend(members.iter().map(|value| String::from_utf8_lossy(value).into_owned()));
        }
        values.sort_unstable();
        (directory.dn_text(node.id), values)
    });
    nodes.collect()
}

fn items(server: &Server, name: &str) -> Vec<String> {
    let id = server.find(&format!("cn={name},{ROLES}")).unwrap();
    let membership = server.directory.schema().attribute_type("reviewMembership").unwrap().id;
    let group = MembershipAttribute::of_type(server.directory.schema().attribute_type("reviewGroup").unwrap()).unwrap();
    let nodes = server.directory.children(id).map(|id| server.directory.node(id).unwrap());
    let mut all: Vec<String> = nodes
        .map(|node| {
            let of = server.directory.memberships(node.id, group).next().unwrap();
            let Membership::Entry(_, of) = of else { panic!("a group") };
            let value = String::from_utf8_lossy(node.entry.first(membership).unwrap()).into_owned();
            format!("{} {}", server.directory.node(of).unwrap().name, value.split(',').next().unwrap())
        })
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn a_manager_s_people_and_an_application_s_groups_are_in_scope() {
    let mut server = server();
    for (name, members) in [("icu", &["anna", "bert"][..]), ("billing", &["bert"]), ("other", &["anna"])] {
        group(&mut server, name, members);
    }
    server.import(&format!("dn: uid=pacs,{ROLES}\nobjectClass: account\n"));
    server.import(&format!(
        "dn: cn=to-pacs,{ROLES}\nobjectClass: bindRule\nbindEffect: allow\nbindApplication: uid=pacs,{ROLES}\n\
         bindGroup: cn=billing,{ROLES}\nbindGroup: cn=icu,{ROLES}\n\n\
         dn: cn=not-to-pacs,{ROLES}\nobjectClass: bindRule\nbindEffect: deny\nbindApplication: uid=pacs,{ROLES}\n\
         bindGroup: cn=other,{ROLES}\n"
    ));
    assert_eq!(
        server.change(&format!("dn: uid=bert,{PEOPLE}\nchangetype: modify\nadd: manager\nmanager: uid=anna,{PEOPLE}\n")),
        "0"
    );
    assert_eq!(campaign(&mut server, "manager", &format!("reviewManager: uid=anna,{PEOPLE}")), "0");
    assert_eq!(items(&server, "manager"), ["cn=billing member: uid=bert", "cn=icu member: uid=bert"]);
    assert_eq!(campaign(&mut server, "application", &format!("reviewApplication: uid=pacs,{ROLES}")), "0");
    let expected = ["cn=billing member: uid=bert", "cn=icu member: uid=anna", "cn=icu member: uid=bert"];
    assert_eq!(items(&server, "application"), expected);
    let both = format!("reviewApplication: uid=pacs,{ROLES}\nreviewGroup: cn=icu,{ROLES}\nreviewGroup: cn=other,{ROLES}");
    assert_eq!(campaign(&mut server, "both", &both), "0");
    assert_eq!(items(&server, "both").len(), 4, "each once");
    // Whoever is no administrator opens none; the manager reviews his people, and is no reviewer of the other campaign.
    server.who = As::Anna;
    assert!(campaign(&mut server, "own", &format!("reviewGroup: cn=icu,{ROLES}")).starts_with("50"));
    assert_eq!(decide(&mut server, "cn=1,cn=manager", "confirm"), "0");
    assert!(!decide(&mut server, "cn=1,cn=application", "confirm").starts_with('0'));
}

#[test]
fn a_campaign_has_a_most_and_closes_in_one_commit() {
    let mut server = server();
    let names: String = (0..5_001).map(|number| format!("memberUid: u{number}\n")).collect();
    server.import(&format!("dn: cn=all,{ROLES}\nobjectClass: posixGroup\ncn: all\ngidNumber: 7\n{names}"));
    let terms = format!("reviewGroup: cn=all,{ROLES}");
    assert!(campaign(&mut server, "everyone", &terms).starts_with("11 more than 5000 memberships in one campaign"));
    assert_eq!(server.change(&format!("dn: cn=all,{ROLES}\nchangetype: modify\ndelete: memberUid\nmemberUid: u0\n")), "0");
    assert_eq!(campaign(&mut server, "everyone", &terms), "0");
    let end = Timestamp(server.now.0 + 10 * DAY);
    let records = cross(&mut server, end);
    assert_eq!(records.len(), 5_001);
    let id = server.find(&format!("cn=all,{ROLES}")).unwrap();
    assert_eq!(server.directory.member_count(id, MembershipAttribute::MemberUid), 0);
    assert_eq!(decide(&mut server, "cn=77,cn=everyone", "confirm"), "0");
    assert_eq!(server.directory.member_count(id, MembershipAttribute::MemberUid), 1);
}

#[test]
fn what_had_an_end_has_it_again() {
    let mut server = server();
    group(&mut server, "icu", &[]);
    for (uid, days) in [("anna", 30), ("bert", 12)] {
        let member = format!("member: <TTL={},uid={uid},{PEOPLE}>", days * 86_400);
        assert_eq!(server.change(&format!("dn: cn=icu,{ROLES}\nchangetype: modify\nadd: member\n{member}\n")), "0");
    }
    let until = |server: &Server| {
        let (group, anna) =
            (server.find(&format!("cn=icu,{ROLES}")).unwrap(), server.find(&format!("uid=anna,{PEOPLE}")).unwrap());
        let membership = Membership::Entry(MembershipAttribute::Member, anna);
        server.directory.membership_grant(group, &membership).map(|grant| grant.until.unwrap())
    };
    let end = until(&server);
    assert_eq!(campaign(&mut server, "spring", &format!("reviewGroup: cn=icu,{ROLES}")), "0");
    let closes = Timestamp(server.now.0 + 10 * DAY);
    assert_eq!(cross(&mut server, closes).len(), 3);
    assert_eq!(until(&server), None);
    server.now = Timestamp(closes.0 + 5 * DAY);
    assert_eq!(decide(&mut server, "cn=1,cn=spring", "confirm"), "0");
    assert_eq!(until(&server), end);
    assert_eq!(decide(&mut server, "cn=2,cn=spring", "confirm"), "53 the membership came to its end otherwise");
}

#[test]
fn nobody_is_locked_out_by_a_review_that_nobody_did() {
    let mut server = server();
    let add = |who: &str| format!("dn: cn=administrators,{ROLES}\nchangetype: modify\nadd: member\nmember: uid={who},{PEOPLE}\n");
    assert_eq!(server.change(&add("anna")), "0");
    assert_eq!(campaign(&mut server, "first", &format!("reviewGroup: cn=administrators,{ROLES}")), "0");
    assert_eq!(server.change(&add("bert")), "0");
    // Bert came later: he is left, so the others go.
    let end = Timestamp(server.now.0 + 10 * DAY);
    let before = server.directory.clone();
    cross(&mut server, end);
    let members = |server: &Server| content(&server.directory)[&format!("cn=administrators,{ROLES}")].clone();
    assert_eq!(members(&server), [format!("uid=bert,{PEOPLE}")]);
    server.directory = before;
    server.now = Timestamp(end.0 - 5 * DAY);
    assert_eq!(campaign(&mut server, "second", &format!("reviewGroup: cn=administrators,{ROLES}")), "0");
    let records = cross(&mut server, Timestamp(end.0 + 20 * DAY));
    // The first one leaves Bert, the second one him, since nobody else is left.
    assert_eq!(members(&server), [format!("uid=bert,{PEOPLE}")]);
    let kept = |record: &&Record| record.details.contains(&("after", "kept".to_owned()));
    assert_eq!(records.iter().filter(kept).count(), 1);
}

fn reviews(directory: &Directory, at: Timestamp) -> Table {
    let reporting =
        Reporting { directory, at, dormant_days: 90, soon_days: 30, waivers: None, hr: None, group: None, person: None };
    let table = table(ReportKind::Reviews, &reporting).unwrap();
    assert!(table.rows.iter().all(|row| row.len() == ReportKind::Reviews.columns().len()));
    table
}

#[test]
fn the_report_tells_what_is_open_late_and_suspended() {
    let mut server = server();
    group(&mut server, "icu", &["anna", "bert"]);
    let terms = format!("reviewGroup: cn=icu,{ROLES}\nreviewReviewer: uid=anna,{PEOPLE}\nreviewGraceDays: 2");
    assert_eq!(campaign(&mut server, "spring", &terms), "0");
    let due = Timestamp(server.now.0 + 10 * DAY);
    assert_eq!(decide(&mut server, "cn=1,cn=spring", "confirm"), "0");
    let told = |directory: &Arc<Directory>, at: Timestamp| {
        let table = reviews(&as_of(directory, at), at);
        let short = |row: &Vec<String>| [&row[2], &row[4], &row[5], &row[7]].map(|it| it.split(',').next().unwrap().to_owned());
        (table.found, table.rows.iter().map(short).collect::<Vec<_>>())
    };
    let words = |words: [&str; 4]| words.map(str::to_owned);
    let (confirmed, open) = (["uid=anna", "cn=admin", "confirmed"], ["uid=bert", "uid=anna", "open"]);
    for (at, state, found) in [(server.now, "open", false), (due, "overdue", true)] {
        let rows = [confirmed, open].map(|[who, reviewer, decision]| words([who, reviewer, decision, state])).to_vec();
        assert_eq!(told(&server.directory, at), (found, rows));
    }
    let closed = vec![words(["uid=bert", "uid=anna", "suspended", "closed"])];
    assert_eq!(told(&server.directory, Timestamp(due.0 + 2 * DAY)), (true, closed));
}

#[test]
fn a_grant_that_nobody_reviewed_for_long_is_told() {
    let mut server = server();
    server.import(&format!("dn: cn=icu,{ROLES}\nobjectClass: groupOfMembers\nobjectClass: governedGroup\ngrantReviewDays: 30\n"));
    assert_eq!(
        server.change(&format!(
            "dn: cn=b,cn=icu,{ROLES}\nchangetype: add\nobjectClass: accessGrant\ngrantMember: uid=bert,{PEOPLE}\n"
        )),
        "0"
    );
    server.import(&format!(
        "dn: cn=a,cn=icu,{ROLES}\nobjectClass: accessGrant\ngrantMember: uid=anna,{PEOPLE}\ngrantState: active\n"
    ));
    let since = server.now;
    assert!(reviews(&server.directory, Timestamp(since.0 + 29 * DAY)).rows.is_empty());
    let late = reviews(&server.directory, Timestamp(since.0 + 30 * DAY));
    assert!(late.found);
    assert_eq!(late.rows.iter().map(|row| row[2].as_str()).collect::<Vec<_>>(), [format!("uid=anna,{PEOPLE}")]);
    let decide = format!("dn: cn=a,cn=icu,{ROLES}\nchangetype: modify\nadd: grantDecision\ngrantDecision: reviewed\n");
    server.now = Timestamp(since.0 + 31 * DAY);
    assert_eq!(server.change(&decide), "0");
    assert!(reviews(&server.directory, Timestamp(since.0 + 60 * DAY)).rows.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What is read at a moment is what is committed then, whatever was decided before and however late the server comes to it.
    #[test]
    fn what_is_seen_is_what_is_committed(
        members in proptest::collection::vec((0usize..3, 0usize..6), 0..14),
        decisions in proptest::collection::vec((0usize..2, 1usize..10, any::<bool>()), 0..8),
        leaving in proptest::collection::vec((0usize..3, 0usize..6), 0..4),
        late in 0i64..3,
    ) {
        let mut server = server();
        for number in 0..6 {
            server.import(&format!("dn: uid=p{number},{PEOPLE}\nobjectClass: inetOrgPerson\ncn: P\nsn: P\nmanager: uid=anna,{PEOPLE}\n"));
        }
        (0..3).for_each(|number| group(&mut server, &format!("g{number}"), &[]));
        let put = |(group, member): (usize, usize), way: &str| {
            format!("dn: cn=g{group},{ROLES}\nchangetype: modify\n{way}: member\nmember: uid=p{member},{PEOPLE}\n")
        };
        members.iter().for_each(|it| drop(server.change(&put(*it, "add"))));
        prop_assert_eq!(campaign(&mut server, "c0", &format!("reviewManager: uid=anna,{PEOPLE}\nreviewReminderDays: 2")), "0");
        prop_assert_eq!(campaign(&mut server, "c1", &format!("reviewGroup: cn=g0,{ROLES}\nreviewGraceDays: 1")), "0");
        let end = Timestamp(server.now.0 + 10 * DAY + late * DAY);
        for (of, item, confirms) in decisions {
            let decision = if confirms { "confirm" } else { "revoke" };
            decide(&mut server, &format!("cn={item},cn=c{of}"), decision);
        }
        leaving.iter().for_each(|it| drop(server.change(&put(*it, "delete"))));
        let seen = content(&as_of(&server.directory, Timestamp(end.0 + 1_000_000)));
        cross(&mut server, end);
        prop_assert_eq!(content(&server.directory), seen);
        // Counts add up, and nothing turns again at once.
        prop_assert!(!server.directory.has_turned(server.now));
        let campaign = server.find(&format!("cn=c0,{ROLES}")).unwrap();
        let number = |name: &str| {
            let id = server.directory.schema().attribute_type(name).unwrap().id;
            let text = server.directory.node(campaign).unwrap().entry.first(id).map_or("0", |it| std::str::from_utf8(it).unwrap());
            text.parse::<usize>().unwrap()
        };
        let parts = ["Open", "Confirmed", "Revoked", "Suspended", "Ended"].map(|name| number(&format!("review{name}Count")));
        prop_assert_eq!(parts.iter().sum::<usize>(), number("reviewItemCount"));
    }
}
