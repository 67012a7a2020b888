//! What is compiled, what is put together for one asker and what `explain` weighs, each held against the plain reading: every form of
//! subject, target, attribute, right, network, factor and end.

use std::sync::Arc;

use super::draw::Draw;
use super::plain::{Asker, Entry, Looks, Reading, Rule, World};
use super::{draw, places, put, rounds, server};
use crate::directory::Directory;
use crate::model::{Dn, EntryId, Timestamp};
use crate::operation::access::Access;
use crate::policy::access::Right;

/// Small directories, and for each so many sets of rules.
const WORLDS: usize = 3;
const SETS: usize = 14;
const ASKERS: usize = 5;
/// Questions about rights, for each asker.
const QUESTIONS: usize = 120;
const ATTRIBUTES: [&str; 15] = [
    "objectClass",
    "uid",
    "cn",
    "sn",
    "name",
    "title",
    "mail",
    "manager",
    "owner",
    "member",
    "memberOf",
    "entryUUID",
    "uidNumber",
    "userPassword",
    "telephoneNumber",
];

#[test]
fn the_evaluator_says_what_a_plain_reading_of_the_rules_says() {
    let mut draw = draw();
    let (mut given, mut refused) = (0, 0);
    for _ in 0..WORLDS * rounds() {
        let entries = draw.entries(24, 5);
        let mut server = server(&entries);
        let schema = Arc::clone(&server.directory);
        let world = World::new(schema.schema(), entries.clone());
        let places = places(&entries, &mut draw);
        let without_rules = Arc::clone(&server.directory);
        for _ in 0..SETS {
            server.directory = Arc::clone(&without_rules);
            let rules: Vec<Rule> = (0..draw.below(8) + 1).map(|_| draw.rule(&places)).collect();
            put(&mut server, &rules);
            for _ in 0..ASKERS {
                let asker = draw.asker();
                let case = Case::new(&server.directory, &world, &rules, &asker);
                case.looks_agree();
                for _ in 0..QUESTIONS {
                    if case.question(&mut draw) { given += 1 } else { refused += 1 }
                }
            }
        }
    }
    assert!(given > 300 && refused > 300, "both are asked about: {given} given, {refused} refused");
}

struct Case<'a, 's> {
    directory: &'a Directory,
    reading: Reading<'a, 's>,
    access: Access,
    rules: &'a [Rule],
    asker: &'a Asker,
}

impl<'a, 's> Case<'a, 's> {
    fn new(directory: &'a Directory, world: &'a World<'s>, rules: &'a [Rule], asker: &'a Asker) -> Case<'a, 's> {
        let identity = (!asker.dn.is_empty()).then(|| find(directory, &asker.dn));
        let now = Timestamp::from_generalized_time(asker.now.as_bytes()).unwrap();
        let access = Access::of(directory, identity, Some(asker.address), &asker.factors, now);
        Case { directory, reading: Reading::new(world, rules, asker), access, rules, asker }
    }

    fn told(&self, entry: &Entry) -> String {
        format!("{} asked by {:#?} under {:#?}", entry.dn, self.asker, self.rules)
    }

    /// What may be searched and read of each entry, all attributes of the schema.
    fn looks_agree(&self) {
        let types = self.directory.schema().attribute_types();
        for entry in &self.reading.world.entries {
            let node = self.directory.node(find(self.directory, &entry.dn)).unwrap();
            let readable = self.access.readable(self.directory, node);
            let looks = self.reading.looks(entry);
            assert_eq!(readable.sees(), looks.any(), "{}", self.told(entry));
            let open = || types.iter().filter(|it| !it.secret);
            let found = Looks {
                search: open().filter(|it| readable.searches(it.id)).map(|it| it.name()).collect(),
                compare: looks.compare.clone(),
                read: open().filter(|it| readable.contains(it.id)).map(|it| it.name()).collect(),
            };
            assert_eq!(found, *looks, "{}", self.told(entry));
        }
    }

    /// One right on one entry, and on one of its attributes.
    fn question(&self, draw: &mut Draw) -> bool {
        let entry = draw.of(&self.reading.world.entries);
        let right = draw.of(&Right::ALL);
        let attribute = (right.is_of_attributes() && draw.below(8) > 0).then(|| draw.of(&ATTRIBUTES));
        let node = self.directory.node(find(self.directory, &entry.dn)).unwrap();
        let id = attribute.map(|name| self.directory.schema().attribute_type(name).unwrap().id);
        let about = self.reading.about(&entry);
        let told = || format!("{} {attribute:?} of {}", right.name(), self.told(&entry));

        let judged = self.access.allows(self.directory, right, node, id);
        assert_eq!(judged, self.reading.says(&about, right.name(), attribute), "{}", told());
        let weighed = self.access.weigh(self.directory, right, node, id);
        assert_eq!(weighed.allowed, self.may(&entry, &about, right, attribute), "{weighed:?} {}", told());
        weighed.allowed
    }

    /// What somebody may do in the end, as operations decide it.
    fn may(&self, entry: &Entry, about: &[usize], right: Right, attribute: Option<&str>) -> bool {
        let says = |right: &str, attribute| self.reading.says(about, right, attribute);
        let given = match (right, attribute) {
            (Right::Search | Right::Read, Some("userPassword")) => false,
            (Right::Compare, _) => says("compare", attribute),
            (Right::AddValue | Right::DeleteValue | Right::Replace | Right::Create, Some("entryUUID" | "memberOf")) => false,
            (Right::Create, Some("userPassword")) => says("create", attribute) || says("set-password", None),
            (Right::AddValue | Right::DeleteValue | Right::Replace, Some("userPassword")) => says("set-password", None),
            (Right::Replace, Some(_)) => {
                let both = says("add-value", attribute) && says("delete-value", attribute);
                says("replace", attribute) || (both && !self.reading.denies(about, "replace", attribute))
            }
            (right, attribute) => says(right.name(), attribute),
        };
        let sees = |dn: &str| self.reading.world.entry(dn).is_none_or(|entry| self.reading.looks(entry).any());
        let in_sight = match right {
            Right::Search | Right::Compare | Right::Read | Right::Proxy | Right::ReadAudit => true,
            // The suffix and the roles' folder are none of the plain reading's entries.
            Right::Create | Right::MoveIn if self.reading.world.entry(entry.parent()).is_none() => {
                let parent = self.directory.node(find(self.directory, entry.parent())).unwrap();
                self.access.sees(self.directory, parent)
            }
            Right::Create | Right::MoveIn => sees(entry.parent()),
            _ => sees(&entry.dn),
        };
        given && in_sight
    }
}

pub(super) fn find(directory: &Directory, dn: &str) -> EntryId {
    match directory.find(&Dn::parse(dn.as_bytes()).unwrap()) {
        crate::directory::Lookup::Found(id) => id,
        other => panic!("{dn}: {other:?}"),
    }
}
