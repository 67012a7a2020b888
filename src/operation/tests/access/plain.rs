//! Access rules read plainly: straight from the words that describe them, one question at a time, with nothing compiled, indexed or put
//! together. It knows the schema's definitions (which type stands above which, what is operational, what is secret, what a class has) and
//! nothing else of the server.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;

use crate::model::Section;
use crate::model::schema::{AttributeType, Schema};

pub(super) const SUFFIX: &str = "dc=mercy,dc=example";
/// Whose values are names.
const NAMES: [&str; 5] = ["manager", "owner", "member", "memberOf", "seeAlso"];

/// An entry: its user attributes, spelled as the schema spells them.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) dn: String,
    pub(super) attributes: BTreeMap<&'static str, Vec<String>>,
}

impl Entry {
    pub(super) fn parent(&self) -> &str {
        self.dn.split_once(',').map_or("", |(_, parent)| parent)
    }

    pub(super) fn ldif(&self) -> String {
        let all = self.attributes.iter().filter(|(name, _)| **name != "memberOf");
        let values = all.flat_map(|(name, values)| values.iter().map(move |value| format!("{name}: {value}\n")));
        format!("dn: {}\n{}\n", self.dn, values.collect::<String>())
    }
}

/// A rule as it is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Rule {
    pub(super) subjects: Vec<String>,
    pub(super) targets: Vec<String>,
    pub(super) scope: Option<&'static str>,
    pub(super) filter: Option<Filter>,
    pub(super) attributes: Vec<&'static str>,
    pub(super) rights: Vec<&'static str>,
    pub(super) effect: &'static str,
    pub(super) networks: Vec<&'static str>,
    pub(super) factors: Vec<&'static str>,
    pub(super) not_after: Option<&'static str>,
}

impl Rule {
    pub(super) fn ldif(&self, dn: &str) -> String {
        let mut text = format!("dn: {dn}\nobjectClass: accessRule\naccessEffect: {}\n", self.effect);
        let mut put = |name: &str, value: &str| text.push_str(&format!("{name}: {value}\n"));
        self.subjects.iter().for_each(|value| put("accessSubject", value));
        self.targets.iter().for_each(|value| put("accessTarget", value));
        self.scope.iter().for_each(|value| put("accessScope", value));
        self.filter.iter().for_each(|value| put("accessFilter", &value.to_string()));
        self.attributes.iter().for_each(|value| put("accessAttribute", value));
        self.rights.iter().for_each(|value| put("accessRight", value));
        self.networks.iter().for_each(|value| put("accessNetwork", value));
        self.factors.iter().for_each(|value| put("accessFactor", value));
        self.not_after.iter().for_each(|value| put("ruleNotAfter", value));
        text + "\n"
    }
}

/// Who asks, from where and with what; `dn` is empty for anonymous.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) dn: String,
    pub(super) address: IpAddr,
    pub(super) factors: Vec<&'static str>,
    /// As ruleNotAfter writes times.
    pub(super) now: String,
}

/// A search filter, and what it comes to.
#[derive(Clone, Debug)]
pub(super) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Present(&'static str),
    Equal(&'static str, String),
    Begins(&'static str, String),
    AtLeast(&'static str, String),
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |all: &[Filter]| all.iter().map(Filter::to_string).collect::<String>();
        match self {
            Filter::And(all) => write!(f, "(&{})", list(all)),
            Filter::Or(all) => write!(f, "(|{})", list(all)),
            Filter::Not(one) => write!(f, "(!{one})"),
            Filter::Present(name) => write!(f, "({name}=*)"),
            Filter::Equal(name, value) => write!(f, "({name}={value})"),
            Filter::Begins(name, value) => write!(f, "({name}={value}*)"),
            Filter::AtLeast(name, value) => write!(f, "({name}>={value})"),
        }
    }
}

/// What a list of attributes names, by the list and what is asked of it.
type Lists<'a> = HashMap<(Vec<&'static str>, &'static str), Rc<BTreeSet<&'a str>>>;

/// Entries and what is known of attributes.
pub(super) struct World<'a> {
    pub(super) schema: &'a Schema,
    pub(super) entries: Vec<Entry>,
    /// Entries by their names.
    places: HashMap<String, usize>,
    /// Types by their names in small letters.
    types: HashMap<String, usize>,
    /// For each type its own name and those of all above it.
    lines: HashMap<&'a str, Vec<&'a str>>,
    /// What lists of attributes name, as far as it was asked.
    lists: RefCell<Lists<'a>>,
}

impl<'a> World<'a> {
    pub(super) fn new(schema: &'a Schema, entries: Vec<Entry>) -> World<'a> {
        let named = |(at, it): (usize, &AttributeType)| it.names.iter().map(|name| (name.to_lowercase(), at)).collect::<Vec<_>>();
        let types = schema.attribute_types().iter().enumerate().flat_map(named).collect();
        let superior = |it: &&AttributeType| it.superior.map(|id| &schema.attribute_types()[id.0 as usize]);
        let line = |it| std::iter::successors(Some(it), superior).map(AttributeType::name).collect();
        let lines = schema.attribute_types().iter().map(|it| (it.name(), line(it))).collect();
        let places = entries.iter().enumerate().map(|(at, entry)| (entry.dn.clone(), at)).collect();
        World { schema, entries, places, types, lines, lists: RefCell::default() }
    }

    pub(super) fn entry(&self, dn: &str) -> Option<&Entry> {
        self.places.get(dn).map(|&at| &self.entries[at])
    }

    fn definition(&self, name: &str) -> Option<&'a AttributeType> {
        self.types.get(&name.to_lowercase()).map(|&at| &self.schema.attribute_types()[at])
    }

    /// Whether one type is another, or stands below it.
    pub(super) fn is_at_or_below(&self, name: &str, above: &str) -> bool {
        self.lines.get(name).is_some_and(|line| line.contains(&above))
    }

    /// What a class and those above it require or allow.
    fn of_class(&self, class: &str, name: &str) -> bool {
        let found = self.schema.object_classes().iter().find(|it| it.names.iter().any(|known| known.eq_ignore_ascii_case(class)));
        let Some(class) = found else { return false };
        let named = |id: &crate::model::AttributeTypeId| self.schema.attribute_types()[id.0 as usize].name();
        class.must.iter().chain(&class.may).any(|id| self.is_at_or_below(name, named(id)))
            || class.superiors.iter().any(|&above| self.of_class(self.schema.object_classes()[above].name(), name))
    }

    /// The groups somebody is in, at any depth.
    fn groups_of(&self, dn: &str) -> BTreeSet<String> {
        let mut known = BTreeSet::new();
        let mut next = vec![dn.to_owned()];
        while let Some(member) = next.pop() {
            let has = |entry: &&Entry| entry.attributes.get("member").is_some_and(|members| members.contains(&member));
            for group in self.entries.iter().filter(has) {
                if known.insert(group.dn.clone()) {
                    next.push(group.dn.clone());
                }
            }
        }
        known
    }

    /// True, False or Undefined. `may`: which attributes count.
    pub(super) fn truth(&self, filter: &Filter, entry: &Entry, may: &dyn Fn(&str) -> bool) -> Option<bool> {
        let each = |all: &[Filter]| all.iter().map(|filter| self.truth(filter, entry, may)).collect::<Vec<_>>();
        match filter {
            Filter::And(all) if each(all).contains(&Some(false)) => Some(false),
            Filter::Or(all) if each(all).contains(&Some(true)) => Some(true),
            Filter::And(all) | Filter::Or(all) if each(all).contains(&None) => None,
            Filter::And(_) => Some(true),
            Filter::Or(_) => Some(false),
            Filter::Not(one) => self.truth(one, entry, may).map(|value| !value),
            Filter::Present(name) | Filter::Equal(name, _) | Filter::Begins(name, _) | Filter::AtLeast(name, _) => {
                let known = self.definition(name).filter(|it| !it.secret)?;
                may(known.name()).then_some(())?;
                let counted = entry.attributes.iter().filter(|(name, _)| self.is_at_or_below(name, known.name()) && may(name));
                let mut values = counted.flat_map(|(name, values)| values.iter().map(move |value| (*name, value)));
                let is_number = known.name() == "uidNumber";
                match filter {
                    Filter::Equal(_, asked) | Filter::AtLeast(_, asked) if is_number && asked.parse::<i64>().is_err() => None,
                    Filter::Equal(_, asked) => Some(values.any(|(name, value)| is_equal(name, value, asked))),
                    Filter::Begins(_, asked) => {
                        Some(values.any(|(_, value)| value.to_lowercase().starts_with(&asked.to_lowercase())))
                    }
                    Filter::AtLeast(_, asked) => {
                        let least: i64 = asked.parse().unwrap();
                        Some(values.any(|(_, value)| value.parse::<i64>().unwrap() >= least))
                    }
                    _ => Some(values.next().is_some()),
                }
            }
        }
    }

    /// Whether a rule is one for who asks, on an entry.
    fn is_for(&self, rule: &Rule, asker: &Asker, groups: &BTreeSet<String>, entry: &Entry) -> bool {
        let named = |name: &str| entry.attributes.get(name).is_some_and(|values| values.contains(&asker.dn));
        let known = !asker.dn.is_empty();
        rule.subjects.iter().any(|subject| match subject.as_str() {
            "anyone" => true,
            "authenticated" => known,
            "self" => known && entry.dn == asker.dn,
            "manager" => known && named("manager"),
            "owner" => known && named("owner"),
            other => match other.split_once(':').unwrap() {
                ("group", dn) => known && groups.contains(dn),
                (_, dn) => dn == asker.dn,
            },
        })
    }

    /// Networks, factors and the end: none given is every one.
    fn holds(rule: &Rule, asker: &Asker) -> bool {
        let network = |text: &&str| text.parse::<ipnet::IpNet>().unwrap().contains(&asker.address);
        let factor = |wanted: &&str| match *wanted {
            "second" => asker.factors.iter().any(|it| ["otp", "certificate"].contains(it)),
            wanted => asker.factors.contains(&wanted),
        };
        (rule.networks.is_empty() || rule.networks.iter().any(network))
            && (rule.factors.is_empty() || rule.factors.iter().any(factor))
            && rule.not_after.is_none_or(|end| asker.now.as_str() < end)
    }

    /// Whether an entry is in the scope of a target, if any are given.
    fn is_target(rule: &Rule, entry: &Entry) -> bool {
        let in_scope = |target: &String| match rule.scope.unwrap_or("sub") {
            "base" => entry.dn == *target,
            "one" => entry.parent() == target,
            "children" => entry.dn.ends_with(&format!(",{target}")),
            _ => entry.dn == *target || entry.dn.ends_with(&format!(",{target}")),
        };
        rule.targets.is_empty() || rule.targets.iter().any(in_scope)
    }

    /// Whether a rule has a right on this attribute; on the entry itself where there is none.
    pub(super) fn bears_on(&self, rule: &Rule, right: &str, attribute: Option<&str>) -> bool {
        if !rule.rights.iter().any(|it| *it == right || *it == "all") {
            return false;
        }
        let of_attributes = ["search", "compare", "read", "add-value", "delete-value", "replace", "create"].contains(&right);
        match attribute.filter(|_| of_attributes) {
            Some(attribute) => self.named(rule).contains(attribute),
            // Who may create entries with some attribute may create others; who may not, too.
            None if of_attributes && !rule.attributes.is_empty() => rule.effect == "allow" && !self.named(rule).is_empty(),
            None => true,
        }
    }

    /// All types that a rule's list of attributes names.
    fn named(&self, rule: &Rule) -> Rc<BTreeSet<&'a str>> {
        let list = (rule.attributes.clone(), rule.effect);
        if let Some(known) = self.lists.borrow().get(&list) {
            return Rc::clone(known);
        }
        let all = self.schema.attribute_types().iter().map(AttributeType::name);
        let found = Rc::new(all.filter(|name| self.names(rule, name)).collect::<BTreeSet<_>>());
        self.lists.borrow_mut().insert(list, Rc::clone(&found));
        found
    }

    /// Names with what is below them, classes, `*` all user attributes, `+` all operational ones, `!name` all but this. An allowance reaches
    /// a secret where it names it, or says nothing of attributes; a denial wherever it can.
    fn names(&self, rule: &Rule, attribute: &str) -> bool {
        let Some(definition) = self.definition(attribute) else { return false };
        let is = |part: &str| match part.strip_prefix('@') {
            Some(class) => self.of_class(class, attribute),
            None => self.is_at_or_below(attribute, part),
        };
        let negated: Vec<&str> = rule.attributes.iter().filter_map(|part| part.strip_prefix('!')).collect();
        if negated.iter().any(|part| is(part)) {
            return false;
        }
        let reached = !definition.secret || rule.effect == "deny";
        (rule.attributes.is_empty())
            || (negated.len() == rule.attributes.len() && reached)
            || rule.attributes.iter().any(|part| match *part {
                "*" => definition.section() != Section::Operational && reached,
                "+" => definition.section() == Section::Operational,
                named => is(named) && (reached || self.definition(named).is_some_and(|it| it.id == definition.id)),
            })
    }
}

/// What rules come to for one asker.
pub(super) struct Reading<'a, 's> {
    pub(super) world: &'a World<'s>,
    rules: Vec<&'a Rule>,
    asker: &'a Asker,
    groups: BTreeSet<String>,
    /// By the rules that are about an entry, and by its name.
    known: RefCell<HashMap<Vec<usize>, Rc<Looks<'s>>>>,
    judged: RefCell<HashMap<String, Rc<Looks<'s>>>>,
}

/// The attributes of an entry that may be looked at; nobody searches or reads secrets.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Looks<'a> {
    pub(super) search: BTreeSet<&'a str>,
    pub(super) compare: BTreeSet<&'a str>,
    pub(super) read: BTreeSet<&'a str>,
}

impl Looks<'_> {
    /// Whether anything of the entry may be looked at.
    pub(super) fn any(&self) -> bool {
        !(self.search.is_empty() && self.compare.is_empty() && self.read.is_empty())
    }
}

impl<'a, 's> Reading<'a, 's> {
    pub(super) fn new(world: &'a World<'s>, rules: &'a [Rule], asker: &'a Asker) -> Reading<'a, 's> {
        let rules = rules.iter().filter(|rule| World::holds(rule, asker)).collect();
        let groups = if asker.dn.is_empty() { BTreeSet::new() } else { world.groups_of(&asker.dn) };
        Reading { world, rules, asker, groups, known: RefCell::default(), judged: RefCell::default() }
    }

    /// The rules that are about an entry. What a filter says that is Undefined counts against who asks.
    pub(super) fn about(&self, entry: &Entry) -> Vec<usize> {
        let matches = |rule: &Rule| match rule.filter.as_ref().map_or(Some(true), |it| self.world.truth(it, entry, &|_| true)) {
            Some(matches) => matches,
            None => rule.effect == "deny",
        };
        let is_about = |rule: &Rule| {
            self.world.is_for(rule, self.asker, &self.groups, entry) && World::is_target(rule, entry) && matches(rule)
        };
        (0..self.rules.len()).filter(|&at| is_about(self.rules[at])).collect()
    }

    /// Deny wins, else any grant, else no.
    pub(super) fn says(&self, about: &[usize], right: &str, attribute: Option<&str>) -> bool {
        let bearing = self.bearing(about, right, attribute);
        !bearing.is_empty() && bearing.iter().all(|rule| rule.effect == "allow")
    }

    /// Whether a rule denies it.
    pub(super) fn denies(&self, about: &[usize], right: &str, attribute: Option<&str>) -> bool {
        self.bearing(about, right, attribute).iter().any(|rule| rule.effect == "deny")
    }

    fn bearing(&self, about: &[usize], right: &str, attribute: Option<&str>) -> Vec<&'a Rule> {
        about.iter().map(|&at| self.rules[at]).filter(|rule| self.world.bears_on(rule, right, attribute)).collect()
    }

    pub(super) fn looks(&self, entry: &Entry) -> Rc<Looks<'s>> {
        if let Some(judged) = self.judged.borrow().get(&entry.dn) {
            return Rc::clone(judged);
        }
        let looks = self.judge(&self.about(entry));
        self.judged.borrow_mut().insert(entry.dn.clone(), Rc::clone(&looks));
        looks
    }

    fn judge(&self, about: &[usize]) -> Rc<Looks<'s>> {
        if let Some(known) = self.known.borrow().get(about) {
            return Rc::clone(known);
        }
        let of = |right: &str| {
            let types = self.world.schema.attribute_types().iter().filter(|it| right == "compare" || !it.secret);
            types.map(AttributeType::name).filter(|name| self.says(about, right, Some(name))).collect()
        };
        let looks = Rc::new(Looks { search: of("search"), compare: of("compare"), read: of("read") });
        self.known.borrow_mut().insert(about.to_vec(), Rc::clone(&looks));
        looks
    }

    /// What a filter comes to for who asks: attributes that may not be searched are Undefined.
    pub(super) fn truth(&self, filter: &Filter, entry: &Entry) -> Option<bool> {
        let looks = self.looks(entry);
        self.world.truth(filter, entry, &|name| looks.search.contains(name))
    }
}

/// Whether a value is the one that is asked for.
pub(super) fn is_equal(name: &str, value: &str, asked: &str) -> bool {
    match name {
        "uidNumber" => value.parse::<i64>().ok() == asked.parse::<i64>().ok(),
        "objectClass" => classes(value).contains(&asked),
        name if NAMES.contains(&name) => value.eq_ignore_ascii_case(asked),
        _ => value.to_lowercase() == asked.to_lowercase(),
    }
}

/// A class of the entries here and those above it.
fn classes(class: &str) -> &'static [&'static str] {
    match class {
        "inetOrgPerson" => &["inetOrgPerson", "organizationalPerson", "person", "top"],
        "organizationalUnit" => &["organizationalUnit", "top"],
        "groupOfNames" => &["groupOfNames", "top"],
        "extensibleObject" => &["extensibleObject", "top"],
        other => panic!("{other}"),
    }
}
