//! Access directives of slapd as access rules. There the first directive that is about something decides, and in it the first `by` that is about
//! who asks; here there is no order, and what one rule allows no other one takes back. So a `by` becomes a rule for what is left of it:
//!
//! ```text
//! rights of a rule := privileges of the `by`
//!                   ∩ those of each `by` before it that may be about the same people
//!                   ∩ for each directive before it that may be about the same: what the same people have there for sure
//!                     (nothing, where that one is about all of it: it says it already)
//! ```
//! Nothing else is made: a rule never allows what slapd does not. What gets lost is told.

use std::collections::BTreeMap;

use super::Rule;
use super::directive::{By, Directive, Privileges, Who};
use super::region::{Extent, Region};
use super::spelling;
use crate::model::schema::Schema;
use crate::model::{AttributeTypeId, Dn, Section};
use crate::policy::access::AttributeSet;

/// Entries of these classes decide about people here, and did not there: whoever may write everything there does not write these.
pub(super) const DECIDING: [&str; 9] = [
    "accessRule",
    "bindRule",
    "auditRule",
    "accountPolicy",
    "pwdPolicy",
    "governedGroup",
    "accessGrant",
    "reviewCampaign",
    "reviewItem",
];

/// Below it stand the definitions of this server.
const OWN: &str = "2.25.324025825757959154607929932436791156374.";
const GUARDED: &str = "rules that write leave alone what decides about people here and did not there: rules, policies, grants, reviews, operational \
                       attributes and this server's own ones, \
                       the roles of administrators and auditors, and administrators' own entries";

/// What is made of directives.
pub(super) struct Translator<'a> {
    pub(super) schema: &'a Schema,
    pub(super) suffix: &'a Dn,
    /// Groups have no groups among their members.
    pub(super) flat_groups: bool,
    pub(super) rules: Vec<Rule>,
    pub(super) problems: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// Something that privileges are about: an attribute, the entry, what is below it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Datum {
    Attribute(AttributeTypeId),
    Entry,
    Children,
}

/// Privileges that are left, where the entry is none of some others.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Left {
    privileges: Privileges,
    /// Filters that keep entries out of which a directive before says less.
    except: Vec<String>,
}

impl Translator<'_> {
    /// Makes rules of directives in their order.
    pub(super) fn translate(&mut self, directives: &[Directive]) {
        for (at, directive) in directives.iter().enumerate() {
            let before = directives.get(..at).unwrap_or_default();
            if let Some(problem) = &directive.problem {
                self.problems.push(format!("{}: {problem}", directive.place));
                if directive.is_unclear || directive.region == Region::Unknown || directive.by.is_empty() {
                    continue;
                }
            }
            for (number, by) in directive.by.iter().enumerate() {
                let part =
                    Part { all: directives, before, directive, earlier: directive.by.get(..number).unwrap_or_default(), by };
                self.by(&part, number);
            }
        }
        self.problems.dedup();
        self.notes.sort();
        self.notes.dedup();
    }

    fn by(&mut self, part: &Part<'_>, number: usize) {
        let Part { directive, earlier, by, .. } = *part;
        let place = format!("{}: {}", directive.place, by.text);
        if by.passes || (by.privileges.without(Privileges::BESIDE) == Privileges::NONE && by.problem.is_none()) {
            return;
        }
        if let Some(problem) = &by.problem {
            return self.problems.push(format!("{place}: {problem}"));
        }
        let Some(subject) = by.who.subject() else {
            return self.problems.push(format!("{place}: no rule is for those alone who are not logged in"));
        };
        if let Who::Group(_, name) = &by.who
            && !self.flat_groups
        {
            let text = format!("members of groups in {name} count here and not in slapd; say --flat-groups if there are none");
            return self.problems.push(format!("{place}: {text}"));
        }
        let mut privileges = by.privileges;
        for other in earlier.iter().filter(|other| other.who.meets(&by.who)) {
            privileges = if other.passes { Privileges::NONE } else { privileges.and(other.privileges) };
            if !other.conditional && other.who.covers(&by.who) {
                // Nobody comes as far.
                return;
            }
        }
        if privileges != by.privileges {
            self.problems
                .push(format!("{place}: who is meant by one before it as well has no more than that there; no rule says so"));
        }
        let whole = self.left(part, privileges);
        let name = format!("{} {}", directive.place.rsplit(": ").next().unwrap_or_default(), number.saturating_add(1));
        let maker = Maker { place: &place, name: &name, subject: &subject, directive, by };
        let read = entry_is_read(part);
        for (number, (left, data)) in whole.into_iter().enumerate() {
            self.rules_for(&maker, number, &left, &data, read);
        }
    }

    /// What is left of a `by`, datum by datum, put together where it is the same.
    fn left(&mut self, part: &Part<'_>, privileges: Privileges) -> BTreeMap<Left, Vec<Datum>> {
        let Part { directive, by, .. } = *part;
        let types = self.schema.attribute_types().iter().map(|it| Datum::Attribute(it.id));
        let data: Vec<Datum> = types.chain([Datum::Entry, Datum::Children]).filter(|it| has(directive, *it)).collect();
        let mut whole: BTreeMap<Left, Vec<Datum>> = BTreeMap::new();
        let mut lost = Vec::new();
        for datum in data {
            let (plain, rest, is_lost) = left_of(part, privileges, datum);
            if is_lost && let Datum::Attribute(id) = datum {
                lost.push(self.schema.attribute_type_by_id(id).name().to_owned());
            }
            for left in [Some(plain), rest].into_iter().flatten() {
                if left.privileges.without(Privileges::BESIDE) != Privileges::NONE {
                    whole.entry(left).or_default().push(datum);
                }
            }
        }
        if !lost.is_empty() {
            let some = lost.iter().take(4).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = if lost.len() > 4 { format!(" and {} more", lost.len().saturating_sub(4)) } else { String::new() };
            self.problems.push(format!(
                "{}: {}: {some}{more}: a directive before it is about some of these entries and gives less, and rules have no exceptions",
                directive.place, by.text
            ));
        }
        whole
    }

    fn rules_for(&mut self, maker: &Maker<'_>, number: usize, left: &Left, data: &[Datum], read: bool) {
        let all: AttributeSet = data.iter().filter_map(|datum| attribute(*datum)).collect();
        let mut looking = Vec::new();
        for (privilege, right) in [(Privileges::READ, "read"), (Privileges::SEARCH, "search")] {
            if left.privileges.has(privilege) && !all.is_empty() {
                if read { looking.push(right) } else { self.unread(maker, right) }
            }
        }
        if left.privileges.has(Privileges::COMPARE) {
            looking.push("compare");
        }
        let open: AttributeSet = data.iter().filter_map(|it| attribute(*it)).filter(|id| !self.is_secret(*id)).collect();
        let password = self.schema.attribute_type("userPassword").map(|it| it.id);
        let password = password.filter(|id| data.contains(&Datum::Attribute(*id)));
        let cn = |what: &str| {
            format!("{} {what}{}", maker.name, if number == 0 { String::new() } else { format!(" {}", number.saturating_add(1)) })
        };
        self.make(maker, &cn("look"), left, &looking, &open, &[]);
        if let Some(id) = password.filter(|_| left.privileges.has(Privileges::COMPARE)) {
            self.make(maker, &cn("compare the password"), left, &["compare"], &[id].into_iter().collect(), &[]);
        }
        let mut writing = Vec::new();
        for (privilege, right) in
            [(Privileges::ADD, "add-value"), (Privileges::DELETE, "delete-value"), (Privileges::WRITE, "replace")]
        {
            if left.privileges.has(privilege) {
                writing.push(right);
            }
        }
        let guards = self.guards(maker);
        let written: AttributeSet =
            data.iter().filter_map(|it| attribute(*it)).filter(|id| open.contains(*id) && self.is_plain(*id)).collect();
        self.make(maker, &cn("write"), left, &writing, &written, &guards);
        if password.is_some() && left.privileges.has(Privileges::WRITE) {
            self.notes.push("writing userPassword is the right set-password here; its hashes are shown to nobody".to_owned());
            self.make(maker, &cn("set the password"), left, &["set-password"], &AttributeSet::default(), &guards);
        } else if password.is_some() && !writing.is_empty() {
            self.problems.push(format!("{}: a password is set as a whole here, neither added to nor taken from", maker.place));
        }
        self.entries(maker, &cn("entries"), left, data, &guards);
    }

    /// Adding, deleting and renaming entries needs `entry` of them and `children` of those above.
    fn entries(&mut self, maker: &Maker<'_>, cn: &str, left: &Left, data: &[Datum], guards: &[String]) {
        let written = left.privileges.and(Privileges::WRITE);
        if written == Privileges::NONE || !(data.contains(&Datum::Entry) || data.contains(&Datum::Children)) {
            return;
        }
        if maker.by.who == Who::Own {
            // Nobody is an entry and the one above it, too.
            return;
        }
        let is_related = matches!(maker.by.who, Who::Manager | Who::Owner);
        let is_below = match &maker.directive.region {
            Region::All => true,
            Region::At(extent, ..) => *extent == Extent::Subtree,
            Region::Unknown => false,
        };
        let both = data.contains(&Datum::Entry) && data.contains(&Datum::Children);
        if !both || !is_below || is_related || maker.directive.filter.is_some() || !left.except.is_empty() {
            return self.problems.push(format!(
                "{}: adding, deleting and renaming entries: rules are made of it where one directive has entry and children of a whole subtree",
                maker.place
            ));
        }
        let mut rights = Vec::new();
        if written.has(Privileges::ADD) {
            rights.push("create");
        }
        if written.has(Privileges::DELETE) {
            rights.push("delete");
        }
        if written == Privileges::WRITE {
            rights.extend(["rename", "move-in", "move-out"]);
        }
        let Some((target, _)) = maker.directive.region.target(self.suffix) else { return };
        let mut rule = maker.rule(cn);
        rule.put("accessTarget", target);
        rule.put("accessScope", "children");
        maker.finish(&mut rule, &rights, &filter(None, &[], guards));
        self.take(maker, rule, !guards.is_empty());
    }

    fn make(&mut self, maker: &Maker<'_>, cn: &str, left: &Left, rights: &[&str], attributes: &AttributeSet, guards: &[String]) {
        let of_password = rights == ["set-password"];
        if rights.is_empty() || (attributes.is_empty() && !of_password) {
            return;
        }
        let Some((target, scope)) = maker.directive.region.target(self.suffix) else { return };
        let names = match spelling::of(self.schema, attributes) {
            Some(names) => names,
            None => return self.problems.push(format!("{}: its attributes cannot be written as a list", maker.place)),
        };
        let mut rule = maker.rule(cn);
        rule.put("accessTarget", target);
        rule.put("accessScope", scope);
        names.iter().filter(|_| !of_password).for_each(|name| rule.put("accessAttribute", name));
        maker.finish(&mut rule, rights, &filter(maker.directive.filter.as_deref(), &left.except, guards));
        self.take(maker, rule, !guards.is_empty());
    }

    fn take(&mut self, maker: &Maker<'_>, rule: Rule, is_guarded: bool) {
        if is_guarded {
            self.notes.push(GUARDED.to_owned());
        }
        match rule.check(self.schema) {
            Ok(()) => self.rules.push(rule),
            Err(problem) => self.problems.push(format!("{}: {problem}", maker.place)),
        }
    }

    fn unread(&mut self, maker: &Maker<'_>, right: &str) {
        self.problems
            .push(format!("{}: {right}: it is not certain that the entries themselves (entry) may be read there", maker.place));
    }

    fn is_secret(&self, id: AttributeTypeId) -> bool {
        self.schema.attribute_type_by_id(id).secret
    }

    /// Whether an attribute is a user attribute that slapd could have: those of this server, and operational ones, may decide about logins.
    fn is_plain(&self, id: AttributeTypeId) -> bool {
        let attribute_type = self.schema.attribute_type_by_id(id);
        attribute_type.section() == Section::User && !attribute_type.oid.starts_with(OWN)
    }

    /// Filters that keep rules that write from what decides about people here.
    fn guards(&self, maker: &Maker<'_>) -> Vec<String> {
        let role = |name: &str| format!("cn={name},ou=roles,{}", self.suffix);
        let mut guards = Vec::new();
        if maker.by.who != Who::Own {
            guards.push(format!("(!(memberOf={}))", spelling::in_filter(&role("administrators"))));
        }
        let reaches = |name: String| {
            Region::new(self.schema, Extent::Subtree, &name).is_none_or(|region| !region.is_apart_from(&maker.directive.region))
        };
        if reaches(format!("ou=policies,{}", self.suffix)) || reaches(format!("ou=roles,{}", self.suffix)) {
            let classes: String = DECIDING.iter().map(|class| format!("(objectClass={class})")).collect();
            let roles = ["administrators", "auditors"].map(|name| format!("(entryDN={})", spelling::in_filter(&role(name))));
            guards.push(format!("(!(|{classes}{}))", roles.concat()));
        }
        guards
    }
}

/// A `by` and what stands around it.
#[derive(Clone, Copy)]
struct Part<'a> {
    all: &'a [Directive],
    before: &'a [Directive],
    directive: &'a Directive,
    earlier: &'a [By],
    by: &'a By,
}

/// What the rules of one `by` have in common.
struct Maker<'a> {
    place: &'a str,
    name: &'a str,
    subject: &'a str,
    directive: &'a Directive,
    by: &'a By,
}

impl Maker<'_> {
    fn rule(&self, cn: &str) -> Rule {
        let mut rule = Rule { name: cn.to_owned(), values: Vec::new() };
        rule.put("description", format!("From slapd: {}", self.by.text));
        rule.put("accessSubject", self.subject);
        rule
    }

    fn finish(&self, rule: &mut Rule, rights: &[&str], filter: &Option<String>) {
        filter.iter().for_each(|filter| rule.put("accessFilter", filter));
        rights.iter().for_each(|right| rule.put("accessRight", *right));
        self.by.networks.iter().for_each(|network| rule.put("accessNetwork", network));
        rule.put("accessEffect", "allow");
    }
}

/// What is left for one datum: on all entries, beyond that on those that can be told apart, and whether some is lost.
fn left_of(part: &Part<'_>, privileges: Privileges, datum: Datum) -> (Left, Option<Left>, bool) {
    let Part { directive, by, .. } = *part;
    let (mut plain, mut rest, mut except) = (privileges, privileges, Vec::new());
    for other in part.before.iter().filter(|other| may_have(other, datum) && !other.region.is_apart_from(&directive.region)) {
        let is_whole = other.region.contains(&directive.region);
        if is_whole && other.filter.is_none() && has(other, datum) && !other.lets_on(&by.who) && !other.is_unclear {
            return (Left { privileges: Privileges::NONE, except: Vec::new() }, None, false);
        }
        let least = other.least(&by.who);
        plain = plain.and(least);
        if rest.and(least) == rest {
            continue;
        }
        match exception(other, is_whole) {
            Some(filter) => except.push(filter),
            None => rest = rest.and(least),
        }
    }
    let is_lost = rest.without(Privileges::BESIDE) != privileges.without(Privileges::BESIDE);
    let rest = Left { privileges: rest, except };
    let more = (rest.privileges != plain).then_some(rest);
    (Left { privileges: plain, except: Vec::new() }, more, is_lost)
}

/// Whether those whom a `by` is for read the pseudo attribute `entry` on all entries of the directive: without, slapd shows nothing of them.
fn entry_is_read(part: &Part<'_>) -> bool {
    let Part { all, directive, by, .. } = *part;
    let mut so_far = Privileges::ALL;
    for other in all.iter().filter(|other| may_have(other, Datum::Entry) && !other.region.is_apart_from(&directive.region)) {
        let is_same = std::ptr::eq(other, directive);
        so_far = so_far.and(if is_same { other.least_of(by) } else { other.least(&by.who) });
        let is_whole = (is_same || other.filter.is_none()) && other.region.contains(&directive.region);
        if is_whole && has(other, Datum::Entry) && !other.lets_on(&by.who) {
            return so_far.has(Privileges::READ);
        }
    }
    false
}

fn attribute(datum: Datum) -> Option<AttributeTypeId> {
    match datum {
        Datum::Attribute(id) => Some(id),
        Datum::Entry | Datum::Children => None,
    }
}

/// Whether a directive is about something for sure.
fn has(directive: &Directive, datum: Datum) -> bool {
    match datum {
        Datum::Attribute(id) => directive.surely.types.contains(id),
        Datum::Entry => directive.surely.entry,
        Datum::Children => directive.surely.children,
    }
}

fn may_have(directive: &Directive, datum: Datum) -> bool {
    match datum {
        Datum::Attribute(id) => directive.perhaps.types.contains(id),
        Datum::Entry => directive.perhaps.entry,
        Datum::Children => directive.perhaps.children,
    }
}

/// A filter for the entries that a directive is not about, if there is one.
fn exception(other: &Directive, is_whole: bool) -> Option<String> {
    match (&other.region, &other.filter) {
        // Of what is alike each server thinks otherwise.
        (_, Some(filter)) if is_whole && !filter.contains("~=") => Some(format!("(!{filter})")),
        (Region::At(Extent::Base, _, name), None) => Some(format!("(!(entryDN={}))", spelling::in_filter(name))),
        _ => None,
    }
}

fn filter(own: Option<&str>, except: &[String], guards: &[String]) -> Option<String> {
    let mut parts: Vec<&str> = own.into_iter().collect();
    parts.extend(except.iter().chain(guards).map(String::as_str));
    match parts.as_slice() {
        [] => None,
        [one] => Some((*one).to_owned()),
        all => Some(format!("(&{})", all.concat())),
    }
}
