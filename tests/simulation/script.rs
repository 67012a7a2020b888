//! What the seed makes clients ask for. Names come from small pools, so that operations meet.

use std::collections::BTreeMap;

use bindery::model::ModificationOperation::{Add, Delete, Replace};
use bindery::model::Scope;
use bindery::protocol::ResponseKind;

use crate::ask::{Edit, Flaw, Operation};
use crate::model::{ADMIN, Model, SUFFIX, Who};
use crate::random::Random;

/// Words that values are made of.
const WORDS: [&str; 6] = ["ward", "night", "theatre", "round", "bed", "chart"];

/// The entries of a new installation, in this order.
pub(crate) fn installation() -> Vec<Operation> {
    let entry = |name: &str, attributes: &[(&'static str, &[&str])], password: Option<&str>| Operation::Add {
        name: name.to_owned(),
        attributes: attributes.iter().map(|(name, values)| (*name, owned(values))).collect(),
        password: password.map(str::to_owned),
        flaw: None,
    };
    let unit = |name: &str| entry(&format!("{name},{SUFFIX}"), &[("objectClass", &["top", "organizationalUnit"])], None);
    let suffix = &[("objectClass", ["top", "organization", "dcObject"].as_slice()), ("o", &["hospital"]), ("dc", &["hospital"])];
    let administrator = &[("objectClass", ["top", "organizationalRole", "simpleSecurityObject"].as_slice())];
    let group = &[("objectClass", ["top", "groupOfMembers"].as_slice()), ("member", &[ADMIN])];
    vec![
        entry(SUFFIX, suffix, None),
        entry(ADMIN, administrator, Some("secret")),
        unit("ou=roles"),
        entry(&format!("cn=administrators,ou=roles,{SUFFIX}"), group, None),
        unit("ou=people"),
        unit("ou=groups"),
    ]
}

/// The next thing a client does. `model`: what is published.
pub(crate) fn operation(random: &mut Random, model: &Model, who: Who) -> Operation {
    let may_write = model.is_administrator(who);
    match random.below(100) {
        0..=4 => bind(random, model),
        _ if !model.is_known(who) && random.percent(60) => bind_well(random, model),
        _ if !may_write && random.percent(30) => bind_well(random, model),
        5..=28 => add(random),
        29..=49 => modify(random),
        50..=57 => Operation::Delete { name: any_name(random), tree: random.percent(20) },
        58..=69 => rename(random),
        70..=76 => set_password(random, model, who),
        77..=81 => {
            let (name, values) = (any_name(random), [random.pick(&WORDS).to_owned(), person(random)]);
            let (attribute, value) = random.pick(&[("description", 0), ("member", 1), ("manager", 1)]);
            Operation::Compare { name, attribute, value: values[value].clone() }
        }
        82..=86 => {
            let bases = [SUFFIX.to_owned(), format!("ou=people,{SUFFIX}"), any_name(random)];
            Operation::Search { base: random.pick(&bases), scope: random.pick(&[Scope::Base, Scope::One, Scope::Subtree]) }
        }
        87..=88 => Operation::Malformed(random.pick(&[ResponseKind::Bind, ResponseKind::Modify, ResponseKind::SearchDone])),
        89..=94 => Operation::StartTransaction,
        _ => group_edit(random),
    }
}

/// A change that may be part of a transaction.
pub(crate) fn change(random: &mut Random) -> Operation {
    match random.below(10) {
        0..=3 => add(random),
        4..=5 => modify(random),
        6 => group_edit(random),
        7 => Operation::Delete { name: any_name(random), tree: random.percent(20) },
        _ => rename(random),
    }
}

/// A bind that should succeed, where that is possible.
pub(crate) fn bind_well(random: &mut Random, model: &Model) -> Operation {
    let accounts: Vec<(String, String)> =
        model.entries.iter().filter_map(|(name, entry)| Some((name.clone(), entry.password.as_ref()?.text.clone()))).collect();
    let administrator = model.find(ADMIN).and_then(|entry| Some((ADMIN.to_owned(), entry.password.as_ref()?.text.clone())));
    match administrator.filter(|_| random.percent(75)) {
        Some((name, password)) => Operation::Bind { name, password },
        None if accounts.is_empty() => Operation::Bind { name: String::new(), password: String::new() },
        None => {
            let (name, password) = random.pick(&accounts);
            Operation::Bind { name: respelled(random, name), password }
        }
    }
}

fn bind(random: &mut Random, model: &Model) -> Operation {
    let names = [String::new(), person(random), any_name(random), ADMIN.to_owned(), "no name".to_owned()];
    let passwords = [String::new(), "wrong".to_owned(), "secret".to_owned(), password(random)];
    let (name, password) = (random.pick(&names), random.pick(&passwords));
    if random.percent(40) { bind_well(random, model) } else { Operation::Bind { name, password } }
}

fn add(random: &mut Random) -> Operation {
    let flaws =
        [None, None, None, None, None, Some(Flaw::UndefinedAttribute), Some(Flaw::BadSyntax), Some(Flaw::MissingAttribute)];
    let flaw = random.pick(&flaws);
    let (name, mut attributes, secret) = match random.below(10) {
        0..=5 => {
            let word = random.pick(&WORDS).to_owned();
            let attributes =
                vec![("objectClass", owned(&["inetOrgPerson"])), ("cn", vec![word.clone()]), ("sn", vec![word.clone()])];
            let mut attributes = attributes;
            if random.percent(30) {
                attributes.push(("manager", vec![person(random)]));
            }
            (person(random), attributes, random.percent(30).then(|| password(random)))
        }
        6..=7 => (unit(random), vec![("objectClass", owned(&["organizationalUnit"]))], None),
        _ => {
            let mut attributes = vec![("objectClass", owned(&["groupOfMembers"]))];
            if random.percent(70) {
                attributes.push(("member", distinct_people(random)));
            }
            (group(random), attributes, None)
        }
    };
    if random.percent(50) {
        attributes.push(("description", vec![text(random)]));
    }
    Operation::Add { name, attributes, password: secret, flaw }
}

fn modify(random: &mut Random) -> Operation {
    let name = any_name(random);
    let is_person = name.to_lowercase().starts_with("uid=");
    if is_person && random.percent(15) {
        let values = if random.percent(85) { vec![password(random)] } else { Vec::new() };
        let how = if values.is_empty() { Delete } else { Replace };
        return Operation::Modify { name, edits: vec![Edit { how, attribute: "userPassword", values }] };
    }
    let count = 1 + random.below(3);
    let edits = (0..count).map(|_| edit(random, is_person)).collect();
    Operation::Modify { name, edits }
}

fn edit(random: &mut Random, is_person: bool) -> Edit {
    let value = vec![random.pick(&WORDS).to_owned()];
    let how = random.pick(&[Add, Delete, Replace]);
    match random.below(20) {
        0 => Edit { how: Replace, attribute: "zork", values: value },
        1 => Edit { how: Replace, attribute: "createTimestamp", values: vec!["20200101000000Z".to_owned()] },
        2 if is_person => Edit { how: Delete, attribute: "sn", values: Vec::new() },
        3 if is_person => Edit { how: Delete, attribute: "uid", values: Vec::new() },
        4..=7 if is_person => Edit { how, attribute: "manager", values: vec![person(random)] },
        8 => Edit { how: Delete, attribute: "description", values: Vec::new() },
        9 => Edit { how: Replace, attribute: "description", values: Vec::new() },
        10..=13 => Edit { how: Replace, attribute: "description", values: vec![text(random)] },
        _ => Edit { how, attribute: "description", values: value },
    }
}

/// Members come and go.
fn group_edit(random: &mut Random) -> Operation {
    let values = if random.percent(10) { Vec::new() } else { distinct_people(random) };
    let how = if values.is_empty() { random.pick(&[Delete, Replace]) } else { random.pick(&[Add, Add, Delete, Replace]) };
    Operation::Modify { name: group(random), edits: vec![Edit { how, attribute: "member", values }] }
}

fn rename(random: &mut Random) -> Operation {
    let name = any_name(random);
    let same_kind = match &name.to_lowercase() {
        lower if lower.starts_with("uid=") => person(random),
        lower if lower.starts_with("cn=") => group(random),
        _ => unit(random),
    };
    let rdn = same_kind.split(',').next().unwrap().to_owned();
    let superior = match random.below(4) {
        0 => Some(unit(random)),
        1 => Some(format!("ou=people,{SUFFIX}")),
        _ => None,
    };
    Operation::Rename { name, rdn, delete_old: random.percent(70), superior }
}

fn set_password(random: &mut Random, model: &Model, who: Who) -> Operation {
    let name = match random.below(4) {
        0 => None,
        1 => Some(ADMIN.to_owned()),
        _ => Some(person(random)),
    };
    let own = match who {
        Who::Entry(number) => model.name_of(number),
        _ => None,
    };
    let known = name.as_ref().or(own).and_then(|name| model.find(name)).and_then(|entry| entry.password.as_ref());
    let old = match random.below(3) {
        0 => None,
        1 => Some("wrong".to_owned()),
        _ => known.map(|password| password.text.clone()),
    };
    // One of a group or a unit would have to be looked at by its class.
    let fits = own.is_none_or(|own| own.starts_with("uid=") || own == ADMIN) || name.is_some();
    Operation::SetPassword { name: if fits { name } else { Some(ADMIN.to_owned()) }, old, new: password(random) }
}

fn password(random: &mut Random) -> String {
    format!("pass {}", random.below(5))
}

/// Sometimes long: an entry of several pages.
fn text(random: &mut Random) -> String {
    let length = if random.percent(8) { 700 + random.below(2000) } else { 1 + random.below(4) };
    let words: Vec<&str> = (0..length).map(|_| random.pick(&WORDS)).collect();
    words.join(" ")
}

fn unit(random: &mut Random) -> String {
    let name = match random.below(6) {
        0..=2 => format!("ou=u{},ou=people,{SUFFIX}", random.below(3)),
        3..=4 => format!("ou=u{},ou=u{},ou=people,{SUFFIX}", random.below(3), random.below(3)),
        _ => format!("ou=u{},{SUFFIX}", random.below(3)),
    };
    respelled(random, name)
}

fn person(random: &mut Random) -> String {
    let above = if random.percent(60) { format!("ou=people,{SUFFIX}") } else { unit(random) };
    let name = format!("uid=p{},{above}", random.below(7));
    respelled(random, name)
}

fn distinct_people(random: &mut Random) -> Vec<String> {
    let people: BTreeMap<String, String> =
        (0..1 + random.below(3)).map(|_| person(random)).map(|name| (name.to_lowercase(), name)).collect();
    people.into_values().collect()
}

fn group(random: &mut Random) -> String {
    let name = format!("cn=g{},ou=groups,{SUFFIX}", random.below(4));
    respelled(random, name)
}

fn any_name(random: &mut Random) -> String {
    match random.below(10) {
        0..=5 => person(random),
        6..=7 => group(random),
        _ => unit(random),
    }
}

/// The values of the first RDN in other letters: another spelling of the same name.
fn respelled(random: &mut Random, name: String) -> String {
    match name.split_once('=') {
        Some((attribute, rest)) if random.percent(10) => {
            let (value, behind) = rest.split_once(',').unwrap_or((rest, ""));
            format!("{attribute}={},{behind}", value.to_uppercase())
        }
        _ => name,
    }
}

fn owned(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}
