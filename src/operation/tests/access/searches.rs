//! A directory of ten thousand entries under random rules: which entries a search gives, which attributes and values of them, in which
//! order and at which place; what compares and assertions tell. Nothing beyond what the plain reading allows, and all of that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::draw::Draw;
use super::evaluator::find;
use super::plain::{Asker, Entry, Filter, Reading, Rule, SUFFIX, World, is_equal};
use super::{As, Server, draw, places, put, rounds, server};
use crate::model::Scope;
use crate::protocol::ber::{self, Reader, Tag, Writer};
use crate::protocol::{Control, oid};

const PEOPLE: usize = 10_000;
/// Sets of rules, those who ask under each, and filters that each of them tries.
const SETS: usize = 1;
const ASKERS: usize = 2;
const FILTERS: usize = 2;
/// Compares and assertions of each asker.
const PROBES: usize = 150;

#[test]
fn ten_thousand_entries_show_what_a_plain_reading_shows_and_nothing_more() {
    let mut draw = draw();
    let entries = draw.entries(PEOPLE, 40);
    let mut server = server(&entries);
    let schema = Arc::clone(&server.directory);
    let world = World::new(schema.schema(), entries.clone());
    let without_rules = Arc::clone(&server.directory);
    let places = places(&entries, &mut draw);
    let mut found = Found::default();
    for _ in 0..SETS * rounds() {
        server.directory = Arc::clone(&without_rules);
        let mut rules: Vec<Rule> = (0..draw.below(6) + 3).map(|_| draw.rule(&places)).collect();
        // Something is to be seen at all.
        rules[0] = Rule {
            subjects: vec![draw.of(&["anyone", "authenticated"]).to_owned()],
            attributes: draw.of(&[&["*"][..], &[], &["*", "!name", "memberOf"], &["@person", "memberOf", "uidNumber"]]).to_vec(),
            rights: vec!["search", "read", "compare"],
            effect: "allow",
            ..Rule::default()
        };
        put(&mut server, &rules);
        for _ in 0..ASKERS {
            let asker = Asker {
                address: "192.0.2.7".parse().unwrap(),
                now: "20261118000000Z".to_owned(),
                factors: vec!["password"],
                ..draw.asker()
            };
            server.who = if asker.dn.is_empty() { As::Anonymous } else { As::Entry(find(&server.directory, &asker.dn)) };
            server.factors = asker.factors.clone();
            let mut trial =
                Trial { reading: Reading::new(&world, &rules, &asker), server: &mut server, rules: &rules, asker: &asker };
            for _ in 0..FILTERS {
                trial.search(&draw.filter(false, 2), &mut found);
            }
            trial.matched_values(&[draw.assertion(false), draw.assertion(false)], &mut found);
            trial.sorted(draw.of(&["sn", "title", "name", "uidNumber", "mail"]), draw.below(2) == 0);
            trial.view(draw.of(&["sn", "uidNumber"]), draw.below(20));
            (0..PROBES).for_each(|_| trial.probe(&mut draw, &mut found));
        }
    }
    assert!(found.entries > 300 && found.values > 1_000, "the rules let something through: {found:?}");
    assert!(found.compared > 5 && found.hidden > 5, "both were asked about: {found:?}");
}

#[derive(Default, Debug)]
struct Found {
    entries: usize,
    values: usize,
    compared: usize,
    hidden: usize,
}

/// Lines of an entry, as the harness prints them.
type Lines = BTreeSet<String>;

struct Trial<'a, 's> {
    reading: Reading<'a, 's>,
    server: &'a mut Server,
    rules: &'a [Rule],
    asker: &'a Asker,
}

impl<'a> Trial<'a, '_> {
    fn told(&self, what: &dyn std::fmt::Display) -> String {
        format!("{what} asked by {:?} under {:#?}", self.asker, self.rules)
    }

    fn base() -> String {
        format!("ou=people,{SUFFIX}")
    }

    fn sees_base(&self) -> bool {
        self.reading.looks(self.reading.world.entry(&Trial::base()).unwrap()).any()
    }

    /// The entries below ou=people that a filter finds.
    fn matching(&self, filter: &Filter) -> Vec<&'a Entry> {
        let entries = self.reading.world.entries.iter().filter(|entry| entry.dn.ends_with(&Trial::base()));
        entries.filter(|entry| self.reading.looks(entry).any() && self.reading.truth(filter, entry) == Some(true)).collect()
    }

    /// Attributes of an entry with those of their values that are wanted.
    fn shown(&self, entry: &Entry, wanted: &dyn Fn(&str, &str) -> bool) -> Lines {
        let looks = self.reading.looks(entry);
        let readable = entry.attributes.iter().filter(|(name, _)| looks.read.contains(**name));
        let values = readable.flat_map(|(name, values)| values.iter().map(move |value| (*name, value)));
        values.filter(|(name, value)| wanted(name, value)).map(|(name, value)| format!("{name}: {value}")).collect()
    }

    fn asks(
        &mut self,
        filter: &str,
        attributes: &[&str],
        controls: Vec<Control>,
    ) -> (BTreeMap<String, Lines>, Vec<String>, String) {
        self.server.controls = controls;
        let (answer, code) = self.server.search(&Trial::base(), Scope::Subtree, filter, attributes);
        let (mut entries, mut order) = (BTreeMap::new(), Vec::<String>::new());
        for line in answer.lines() {
            match line.strip_prefix("dn: ") {
                Some(dn) => {
                    order.push(dn.to_owned());
                    entries.insert(dn.to_owned(), Lines::new());
                }
                None => {
                    entries.get_mut(order.last().unwrap()).unwrap().insert(line.to_owned());
                }
            }
        }
        (entries, order, code)
    }

    /// Entry by entry, attribute by attribute.
    fn search(&mut self, filter: &Filter, found: &mut Found) {
        let (given, _, code) = self.asks(&filter.to_string(), &["*", "memberOf"], Vec::new());
        let told = self.told(filter);
        if !self.sees_base() {
            assert!(code.starts_with("32") && given.is_empty(), "{code} {told}");
            return;
        }
        assert_eq!(code, "0", "{told}");
        let expected: BTreeMap<String, Lines> =
            self.matching(filter).into_iter().map(|entry| (entry.dn.clone(), self.shown(entry, &|_, _| true))).collect();
        same(&given, &expected, &told);
        found.entries += given.len();
        found.values += given.values().map(BTreeSet::len).sum::<usize>();

        // Of operational attributes there are more than the plain reading has values of: none that may not be read, all the same.
        let (operational, ..) = self.asks(&filter.to_string(), &["+"], Vec::new());
        for (dn, lines) in operational.iter().step_by(37) {
            let looks = self.reading.looks(self.reading.world.entry(dn).unwrap());
            for line in lines {
                let name = line.split(':').next().unwrap();
                assert!(looks.read.contains(name), "{line} of {dn}: {told}");
            }
        }
    }

    /// Matched values: an item about an attribute that may not be searched is Undefined, and keeps nothing.
    fn matched_values(&mut self, items: &[Filter], found: &mut Found) {
        let all = Filter::Present("objectClass");
        let list = ber::encode(|writer| writer.sequence(|list| items.iter().for_each(|item| encode(item, list))));
        let control = Control { oid: oid::MATCHED_VALUES.to_owned(), critical: true, value: Some(list) };
        let (given, _, code) = self.asks(&all.to_string(), &["*", "memberOf"], vec![control]);
        let told = self.told(&format!("values {items:?}"));
        if !self.sees_base() {
            return assert!(code.starts_with("32") && given.is_empty(), "{code} {told}");
        }
        let kept = |entry: &Entry, name: &str, value: &str| {
            let looks = self.reading.looks(entry);
            let alone = Entry { dn: entry.dn.clone(), attributes: [(known(name), vec![value.to_owned()])].into() };
            items.iter().any(|item| self.reading.world.truth(item, &alone, &|name| looks.search.contains(name)) == Some(true))
        };
        let expected: BTreeMap<String, Lines> = self
            .matching(&all)
            .into_iter()
            .map(|entry| (entry.dn.clone(), self.shown(entry, &|name, value| kept(entry, name, value))))
            .collect();
        same(&given, &expected, &told);
        found.values += expected.values().map(BTreeSet::len).sum::<usize>();
    }

    /// What an entry is sorted by: the least value among what may be searched; none is behind all.
    fn key(&self, entry: &Entry, attribute: &str) -> (bool, String) {
        let looks = self.reading.looks(entry);
        let counted = entry
            .attributes
            .iter()
            .filter(|(name, _)| looks.search.contains(**name) && self.reading.world.is_at_or_below(name, attribute));
        let least = counted.flat_map(|(_, values)| values).map(|value| value.to_lowercase()).min();
        (least.is_none(), least.unwrap_or_default())
    }

    fn sorted(&mut self, attribute: &str, reverse: bool) {
        let all = Filter::Present("objectClass");
        let (given, order, code) = self.asks(&all.to_string(), &["1.1"], vec![sort(attribute, reverse)]);
        let told = self.told(&format!("sorted by {attribute} {reverse}"));
        if !self.sees_base() {
            return assert!(code.starts_with("32") && given.is_empty(), "{code} {told}");
        }
        let expected: BTreeSet<String> = self.matching(&all).into_iter().map(|entry| entry.dn.clone()).collect();
        assert_eq!(order.iter().cloned().collect::<BTreeSet<_>>(), expected, "{told}");
        let keys: Vec<_> = order.iter().map(|dn| self.key(self.reading.world.entry(dn).unwrap(), attribute)).collect();
        let is_ordered = |pair: &[(bool, String)]| if reverse { pair[0] >= pair[1] } else { pair[0] <= pair[1] };
        assert!(keys.windows(2).all(is_ordered), "{told}");
    }

    /// A view by value: how many there are, and how many stand before the value.
    fn view(&mut self, attribute: &str, number: usize) {
        let value = if attribute == "sn" { format!("Name{number}") } else { (1000 + number).to_string() };
        let all = Filter::Equal("objectClass", "inetOrgPerson".to_owned());
        let asked = ber::encode(|writer| {
            writer.sequence(|parts| {
                parts.integer(0);
                parts.integer(2);
                parts.element(Tag::context(1), value.as_bytes());
            });
        });
        let view = Control { oid: oid::VIEW.to_owned(), critical: true, value: Some(asked) };
        let (_, order, code) = self.asks(&all.to_string(), &["1.1"], vec![sort(attribute, false), view]);
        let told = self.told(&format!("view at {attribute} {value}"));
        if !self.sees_base() {
            return assert!(code.starts_with("32"), "{code} {told}");
        }
        assert_eq!(code, "0", "{told}");
        let response = self.server.response_controls.iter().find(|control| control.oid == oid::VIEW_RESPONSE).unwrap();
        let mut reader = Reader::new(response.value.as_ref().unwrap());
        let mut parts = reader.sequence().unwrap();
        let (position, count) = (parts.integer().unwrap(), parts.integer().unwrap());
        let matching = self.matching(&all);
        let before = matching.iter().filter(|entry| self.key(entry, attribute) < (false, value.to_lowercase())).count();
        assert_eq!(count, i64::try_from(matching.len()).unwrap(), "{told}");
        assert_eq!(position, i64::try_from(before + 1).unwrap(), "{told}");
        let mut keys: Vec<_> = matching.iter().map(|entry| self.key(entry, attribute)).collect();
        keys.sort();
        let shown: Vec<_> = order.iter().map(|dn| self.key(self.reading.world.entry(dn).unwrap(), attribute)).collect();
        assert!(shown.iter().all(|key| *key >= (false, value.to_lowercase()) && keys.contains(key)), "{told}");
    }

    /// A compare, with or without an assertion.
    fn probe(&mut self, draw: &mut Draw, found: &mut Found) {
        let entry = draw.of(&self.reading.world.entries);
        let attribute = draw.of(&["sn", "title", "name", "mail", "manager", "owner", "memberOf", "uid"]);
        let other = draw.of(&self.reading.world.entries);
        let from = if draw.below(2) == 0 { &entry } else { &other };
        let known = from.attributes.iter().find(|(name, _)| self.reading.world.is_at_or_below(name, attribute));
        let value = known.map_or_else(|| "nobody".to_owned(), |(_, values)| draw.of(values));
        let value =
            if ["manager", "owner", "memberOf"].contains(&attribute) && known.is_none() { entry.dn.clone() } else { value };
        let assertion = (draw.below(2) == 0).then(|| draw.filter(false, 1));
        let encoded = |filter: &Filter| Control {
            oid: oid::ASSERTION.to_owned(),
            critical: true,
            value: Some(ber::encode(|writer| encode(filter, writer))),
        };
        self.server.controls = assertion.iter().map(encoded).collect();
        let code = self.server.compare(&entry.dn, attribute, value.as_bytes());
        let code = code.split(' ').next().unwrap();

        let looks = self.reading.looks(&entry);
        let held = entry
            .attributes
            .iter()
            .filter(|(name, _)| looks.compare.contains(**name) && self.reading.world.is_at_or_below(name, attribute));
        let values: Vec<(&str, &String)> = held.flat_map(|(name, values)| values.iter().map(|value| (*name, value))).collect();
        let expected = match () {
            () if !looks.any() => "32",
            () if assertion.as_ref().is_some_and(|it| self.reading.truth(it, &entry) != Some(true)) => "122",
            () if !looks.compare.contains(attribute) => "50",
            () if values.iter().any(|(name, held)| is_equal(name, held, &value)) => "6",
            () if values.is_empty() => "16",
            () => "5",
        };
        assert_eq!(code, expected, "{attribute} {value:?} {assertion:?} {}", self.told(&entry.dn));
        found.compared += usize::from(["5", "6"].contains(&expected));
        found.hidden += usize::from(["32", "50", "122"].contains(&expected));
    }
}

fn same(given: &BTreeMap<String, Lines>, expected: &BTreeMap<String, Lines>, told: &str) {
    for (dn, lines) in given {
        assert_eq!(Some(lines), expected.get(dn), "{dn} {told}");
    }
    let missing = expected.keys().find(|dn| !given.contains_key(*dn));
    assert_eq!(missing, None, "{told}");
}

fn known(name: &str) -> &'static str {
    let names = [
        "objectClass",
        "uid",
        "cn",
        "sn",
        "title",
        "mail",
        "manager",
        "owner",
        "member",
        "memberOf",
        "uidNumber",
        "description",
        "ou",
    ];
    names.into_iter().find(|known| *known == name).unwrap()
}

fn sort(attribute: &str, reverse: bool) -> Control {
    let value = ber::encode(|writer| {
        writer.sequence(|list| {
            list.sequence(|parts| {
                parts.octet_string(attribute.as_bytes());
                parts.boolean_as(Tag::context(1), reverse);
            });
        });
    });
    Control { oid: oid::SORT.to_owned(), critical: true, value: Some(value) }
}

/// A filter as requests carry it (RFC 4511 section 4.5.1).
fn encode(filter: &Filter, writer: &mut Writer<'_>) {
    let pair = |writer: &mut Writer<'_>, number: u8, name: &str, value: &str| {
        writer.constructed(Tag::context_constructed(number), |parts| {
            parts.octet_string(name.as_bytes());
            parts.octet_string(value.as_bytes());
        });
    };
    match filter {
        Filter::And(all) => writer.constructed(Tag::context_constructed(0), |parts| all.iter().for_each(|it| encode(it, parts))),
        Filter::Or(all) => writer.constructed(Tag::context_constructed(1), |parts| all.iter().for_each(|it| encode(it, parts))),
        Filter::Not(one) => writer.constructed(Tag::context_constructed(2), |parts| encode(one, parts)),
        Filter::Equal(name, value) => pair(writer, 3, name, value),
        Filter::AtLeast(name, value) => pair(writer, 5, name, value),
        Filter::Present(name) => writer.element(Tag::context(7), name.as_bytes()),
        Filter::Begins(name, value) => writer.constructed(Tag::context_constructed(4), |parts| {
            parts.octet_string(name.as_bytes());
            parts.sequence(|list| list.element(Tag::context(0), value.as_bytes()));
        }),
    }
}
