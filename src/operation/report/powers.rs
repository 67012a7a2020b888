//! Who has powers: the two groups that the server itself knows, rules that give rights to change things, and who approves grants.

use super::super::otp;
use super::grants::Grants;
use super::{Account, ReportKind, Reporting, Table, find, has_class, moment, references, text, texts, time};
use crate::directory::{Directory, Membership, MembershipAttribute, Node};
use crate::model::{EntryId, Timestamp};

/// Rights of access rules that only look.
const HARMLESS: [&str; 3] = ["search", "compare", "read"];

struct Power {
    what: String,
    through: String,
    since: Option<Timestamp>,
    by: String,
}

pub(super) fn table(reporting: &Reporting<'_>) -> Table {
    let Reporting { directory, at, .. } = reporting;
    let mut rows = Vec::new();
    let mut put = |who: Result<EntryId, String>, power: Power| {
        let account = who.as_ref().ok().and_then(|id| Account::of(directory, *id));
        let factor =
            account.as_ref().map(|account| otp::tokens(directory, account.node.id, *at).iter().any(|token| token.usable));
        rows.push(vec![
            who.map_or_else(|name| name, |id| directory.dn_text(id)),
            power.what,
            power.through,
            moment(power.since),
            super::access::dash(&power.by),
            moment(account.and_then(|account| account.facts.last_login)),
            factor.map_or("-", |enrolled| if enrolled { "enrolled" } else { "none" }).to_owned(),
        ]);
    };
    for (role, what) in [("administrators", "administrator"), ("auditors", "reads everything but secrets, and the journal")] {
        let name = format!("cn={role},ou=roles,{}", directory.suffix());
        let Some(group) = find(directory, &name) else { continue };
        for member in directory.members_of(group) {
            let grant = [MembershipAttribute::Member, MembershipAttribute::UniqueMember]
                .into_iter()
                .find_map(|attribute| directory.membership_grant(group, &Membership::Entry(attribute, member)));
            let (since, by) = grant.map_or((None, String::new()), |grant| (Some(grant.since), grant.by.to_string()));
            put(Ok(member), Power { what: what.to_owned(), through: directory.dn_text(group), since, by });
        }
    }
    let grants = Grants::of(directory, *at);
    for node in directory.nodes() {
        if has_class(directory, node, &["accessRule"]) {
            if time(directory, node, "ruleNotAfter").is_none_or(|end| *at < end) {
                of_rule(directory, node, &grants, &mut put);
            }
        } else if has_class(directory, node, &["governedGroup"]) {
            for approver in references(directory, node, "grantApprover") {
                let group = directory.dn_text(node.id);
                put(approver, Power { what: "approves grants".to_owned(), through: group, since: None, by: String::new() });
            }
        }
    }
    Table::new(ReportKind::Privileged, rows)
}

/// Everybody whom a rule names gets a row; who is named by a group at any depth, with the moment of getting there.
fn of_rule(directory: &Directory, rule: &Node, grants: &Grants, put: &mut dyn FnMut(Result<EntryId, String>, Power)) {
    let rights: Vec<String> = texts(directory, rule, "accessRight");
    let strong: Vec<&str> = rights.iter().map(String::as_str).filter(|right| !HARMLESS.contains(right)).collect();
    let denies = text(directory, rule, "accessEffect").is_some_and(|effect| effect.eq_ignore_ascii_case("deny"));
    if denies || strong.is_empty() {
        return;
    }
    let target = texts(directory, rule, "accessTarget").join(" ");
    let what = format!("{} on {}", strong.join(", "), if target.is_empty() { "everything" } else { &target });
    let through = directory.dn_text(rule.id);
    let power = |since, by| Power { what: what.clone(), through: through.clone(), since, by };
    // A right over the own entry is no power over others.
    for subject in texts(directory, rule, "accessSubject").into_iter().filter(|subject| subject != "self") {
        let named = |prefix: &str| subject.strip_prefix(prefix).map(|name| find(directory, name).ok_or_else(|| name.to_owned()));
        match (named("group:"), named("entry:")) {
            (Some(Ok(group)), _) => {
                for account in Account::all(directory) {
                    if let Some(reached) = grants.groups_of(directory, account.node.id).remove(&group) {
                        put(Ok(account.node.id), power(Some(reached.way.since), reached.way.by.to_string()));
                    }
                }
            }
            (_, Some(entry)) => put(entry, power(None, String::new())),
            _ => put(Err(subject), power(None, String::new())),
        }
    }
}
