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
    let person = |name: &str, password| {
        let attributes = &[("objectClass", ["inetOrgPerson"].as_slice()), ("cn", &["night"]), ("sn", &["night"])];
        entry(&format!("{name},{SUFFIX}"), attributes, password)
    };
    let people = ["uid=p1,ou=people,dc=hospital,dc=example", "uid=p2,ou=u0,ou=people,dc=hospital,dc=example"];
    let ward = &[("objectClass", ["groupOfMembers"].as_slice()), ("member", &people)];
    vec![
        entry(SUFFIX, suffix, None),
        entry(ADMIN, administrator, Some("secret")),
        unit("ou=roles"),
        entry(&format!("cn=administrators,ou=roles,{SUFFIX}"), group, None),
        unit("ou=people"),
        unit("ou=groups"),
        unit("ou=u0,ou=people"),
        unit("ou=u1,ou=people"),
        person("uid=p0,ou=people", None),
        person("uid=p1,ou=people", Some("pass phrase no. 1")),
        person("uid=p2,ou=u0,ou=people", Some("pass phrase no. 2")),
        entry(&format!("cn=g0,ou=groups,{SUFFIX}"), ward, None),
    ]
}

/// The next thing a client does. `model`: what is published.
pub(crate) fn operation(random: &mut Random, model: &Model, who: Who) -> Operation {
    let may_write = model.is_administrator(who);
    match random.below(100) {
        0..=3 => bind(random, model),
        _ if !model.is_known(who) && random.percent(85) => bind_well(random, model),
        _ if !may_write && random.percent(50) => bind_well(random, model),
        4..=28 => add(random, model),
        29..=49 => modify(random, model),
        50..=57 => Operation::Delete { name: any_name(random, model), tree: random.percent(20) },
        58..=69 => rename(random, model),
        70..=76 => set_password(random, model, who),
        77..=81 => {
            let (name, values) = (any_name(random, model), [random.pick(&WORDS).to_owned(), person(random, model)]);
            let (attribute, value) = random.pick(&[("description", 0), ("member", 1), ("manager", 1)]);
            Operation::Compare { name, attribute, value: values[value].clone() }
        }
        82..=86 => {
            let bases = [SUFFIX.to_owned(), format!("ou=people,{SUFFIX}"), any_name(random, model)];
            Operation::Search { base: random.pick(&bases), scope: random.pick(&[Scope::Base, Scope::One, Scope::Subtree]) }
        }
        87..=88 => Operation::Malformed(random.pick(&[ResponseKind::Bind, ResponseKind::Modify, ResponseKind::SearchDone])),
        89..=94 => Operation::StartTransaction,
        _ => group_edit(random, model),
    }
}

/// A change that may be part of a transaction.
pub(crate) fn change(random: &mut Random, model: &Model) -> Operation {
    match random.below(10) {
        0..=3 => add(random, model),
        4..=5 => modify(random, model),
        6 => group_edit(random, model),
        7 => Operation::Delete { name: any_name(random, model), tree: random.percent(20) },
        _ => rename(random, model),
    }
}

/// A bind that should succeed, where that is possible.
pub(crate) fn bind_well(random: &mut Random, model: &Model) -> Operation {
    let accounts: Vec<(String, String)> =
        model.entries.iter().filter_map(|(name, entry)| Some((name.clone(), entry.password.as_ref()?.text.clone()))).collect();
    let administrator = model.find(ADMIN).and_then(|entry| Some((ADMIN.to_owned(), entry.password.as_ref()?.text.clone())));
    match administrator.filter(|_| random.percent(85)) {
        Some((name, password)) => Operation::Bind { name, password },
        None if accounts.is_empty() => Operation::Bind { name: String::new(), password: String::new() },
        None => {
            let (name, password) = random.pick(&accounts);
            Operation::Bind { name: respelled(random, name), password }
        }
    }
}

fn bind(random: &mut Random, model: &Model) -> Operation {
    let names = [String::new(), person(random, model), any_name(random, model), ADMIN.to_owned(), "no name".to_owned()];
    let passwords = [String::new(), "wrong".to_owned(), "secret".to_owned(), password(random)];
    let (name, password) = (random.pick(&names), random.pick(&passwords));
    if random.percent(40) { bind_well(random, model) } else { Operation::Bind { name, password } }
}

fn add(random: &mut Random, model: &Model) -> Operation {
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
                attributes.push(("manager", vec![person(random, model)]));
            }
            (person(random, model), attributes, random.percent(30).then(|| password(random)))
        }
        6..=7 => (unit(random, model), vec![("objectClass", owned(&["organizationalUnit"]))], None),
        _ => {
            let mut attributes = vec![("objectClass", owned(&["groupOfMembers"]))];
            if random.percent(70) {
                attributes.push(("member", distinct_people(random, model)));
            }
            (group(random, model), attributes, None)
        }
    };
    if random.percent(50) {
        attributes.push(("description", vec![text(random)]));
    }
    Operation::Add { name, attributes, password: secret, flaw }
}

fn modify(random: &mut Random, model: &Model) -> Operation {
    let name = any_name(random, model);
    let is_person = name.to_lowercase().starts_with("uid=");
    if is_person && random.percent(15) {
        let values = if random.percent(85) { vec![password(random)] } else { Vec::new() };
        let how = if values.is_empty() { Delete } else { Replace };
        return Operation::Modify { name, edits: vec![Edit { how, attribute: "userPassword", values }] };
    }
    let count = 1 + random.below(3);
    let edits = (0..count).map(|_| edit(random, model, is_person)).collect();
    Operation::Modify { name, edits }
}

fn edit(random: &mut Random, model: &Model, is_person: bool) -> Edit {
    let value = vec![random.pick(&WORDS).to_owned()];
    let how = random.pick(&[Add, Delete, Replace]);
    match random.below(20) {
        0 => Edit { how: Replace, attribute: "zork", values: value },
        1 => Edit { how: Replace, attribute: "createTimestamp", values: vec!["20200101000000Z".to_owned()] },
        2 if is_person => Edit { how: Delete, attribute: "sn", values: Vec::new() },
        3 if is_person => Edit { how: Delete, attribute: "uid", values: Vec::new() },
        4..=7 if is_person => Edit { how, attribute: "manager", values: vec![person(random, model)] },
        8 => Edit { how: Delete, attribute: "description", values: Vec::new() },
        9 => Edit { how: Replace, attribute: "description", values: Vec::new() },
        10..=13 => Edit { how: Replace, attribute: "description", values: vec![text(random)] },
        _ => Edit { how, attribute: "description", values: value },
    }
}

/// Members come and go.
fn group_edit(random: &mut Random, model: &Model) -> Operation {
    let values = if random.percent(10) { Vec::new() } else { distinct_people(random, model) };
    let how = if values.is_empty() { random.pick(&[Delete, Replace]) } else { random.pick(&[Add, Add, Delete, Replace]) };
    Operation::Modify { name: group(random, model), edits: vec![Edit { how, attribute: "member", values }] }
}

fn rename(random: &mut Random, model: &Model) -> Operation {
    let name = any_name(random, model);
    let same_kind = match &name.to_lowercase() {
        lower if lower.starts_with("uid=") => person(random, model),
        lower if lower.starts_with("cn=") => group(random, model),
        _ => unit(random, model),
    };
    let rdn = same_kind.split(',').next().unwrap().to_owned();
    let superior = match random.below(4) {
        0 => Some(unit(random, model)),
        1 => Some(format!("ou=people,{SUFFIX}")),
        _ => None,
    };
    Operation::Rename { name, rdn, delete_old: random.percent(70), superior }
}

fn set_password(random: &mut Random, model: &Model, who: Who) -> Operation {
    let name = match random.below(4) {
        0 => None,
        1 => Some(ADMIN.to_owned()),
        _ => Some(person(random, model)),
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
    format!("pass phrase no. {}", random.below(5))
}

/// Sometimes long: an entry of several pages.
fn text(random: &mut Random) -> String {
    let length = if random.percent(8) { 700 + random.below(2000) } else { 1 + random.below(4) };
    let words: Vec<&str> = (0..length).map(|_| random.pick(&WORDS)).collect();
    words.join(" ")
}

/// Mostly one that is there.
fn present(random: &mut Random, model: &Model, kind: &str) -> Option<String> {
    const FIXED: usize = 3;
    let movable = |name: &&String| name.starts_with(kind) && !name.contains("ou=roles") && name.split(',').count() > FIXED;
    let names: Vec<&String> = model.entries.keys().filter(movable).collect();
    (!names.is_empty() && random.percent(60)).then(|| random.pick(&names).clone())
}

fn unit(random: &mut Random, model: &Model) -> String {
    if let Some(name) = present(random, model, "ou=") {
        return respelled(random, name);
    }
    let name = match random.below(6) {
        0..=2 => format!("ou=u{},ou=people,{SUFFIX}", random.below(3)),
        3..=4 => format!("ou=u{},ou=u{},ou=people,{SUFFIX}", random.below(3), random.below(3)),
        _ => format!("ou=u{},{SUFFIX}", random.below(3)),
    };
    respelled(random, name)
}

fn person(random: &mut Random, model: &Model) -> String {
    if let Some(name) = present(random, model, "uid=") {
        return respelled(random, name);
    }
    let above = if random.percent(60) { format!("ou=people,{SUFFIX}") } else { unit(random, model) };
    let name = format!("uid=p{},{above}", random.below(7));
    respelled(random, name)
}

fn distinct_people(random: &mut Random, model: &Model) -> Vec<String> {
    let people: BTreeMap<String, String> =
        (0..1 + random.below(3)).map(|_| person(random, model)).map(|name| (name.to_lowercase(), name)).collect();
    people.into_values().collect()
}

fn group(random: &mut Random, model: &Model) -> String {
    if let Some(name) = present(random, model, "cn=g") {
        return respelled(random, name);
    }
    let name = format!("cn=g{},ou=groups,{SUFFIX}", random.below(4));
    respelled(random, name)
}

fn any_name(random: &mut Random, model: &Model) -> String {
    match random.below(10) {
        0..=5 => person(random, model),
        6..=7 => group(random, model),
        _ => unit(random, model),
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
