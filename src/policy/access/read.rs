//! Reading an access rule from the values of its entry.

use std::str::FromStr;

use ipnet::IpNet;

use super::{AccessRule, AttributeSet, Attributes, Effect, Factor, Right, Rights, RuleSubject};
use crate::model::schema::{ObjectClass, Schema};
use crate::model::{Dn, Filter, Scope, Section, Timestamp, Value};

/// A value that means nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{attribute}: value #{index} {problem}")]
pub struct RuleError {
    /// Of which attribute.
    pub attribute: &'static str,
    /// The how manieth, from 0.
    pub index: usize,
    /// What is wrong, and what to write.
    pub problem: String,
}

/// Reads rules.
pub struct Reader<'a> {
    /// Where attributes and classes are looked up.
    pub schema: &'a Schema,
    /// The values of an attribute of the rule's entry.
    pub values: &'a dyn Fn(&str) -> Vec<Value>,
    /// Attributes and classes that there are no more are passed over.
    pub lenient: bool,
}

impl Reader<'_> {
    /// Reads all but accessTarget, which names entries.
    pub fn read(&self, name: String) -> Result<AccessRule, RuleError> {
        let missing = |attribute| RuleError { attribute, index: 0, problem: "is missing".to_owned() };
        let effect = self.each("accessEffect", read_effect)?.into_iter().next().ok_or_else(|| missing("accessEffect"))?;
        let subjects = self.each("accessSubject", read_subject)?;
        let rights = self.each("accessRight", read_right)?;
        if subjects.is_empty() {
            return Err(missing("accessSubject"));
        }
        let rights = rights.into_iter().flatten().fold(Rights::default(), Rights::with);
        if rights == Rights::default() {
            return Err(missing("accessRight"));
        }
        Ok(AccessRule {
            name,
            effect,
            subjects,
            rights,
            attributes: self.attributes(effect)?,
            scope: self.each("accessScope", read_scope)?.into_iter().next().unwrap_or(Scope::Subtree),
            filter: self.each("accessFilter", |text| self.read_filter(text))?.into_iter().next(),
            networks: self.each("accessNetwork", read_network)?,
            factors: self.each("accessFactor", read_factor)?,
            not_after: self.each("ruleNotAfter", read_time)?.into_iter().min(),
        })
    }

    fn each<T>(&self, attribute: &'static str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, RuleError> {
        let values = (self.values)(attribute);
        let read = values.iter().enumerate().map(|(index, value)| {
            let text = std::str::from_utf8(value).map_err(|_| "is no text".to_owned());
            text.and_then(|text| read(text.trim())).map_err(|problem| RuleError { attribute, index, problem })
        });
        read.collect()
    }

    /// Names and classes, `*` all user attributes, `+` all operational ones, `!name` all but this. A rule that allows something reaches secrets
    /// only where it names them, one that denies reaches them wherever it can.
    fn attributes(&self, effect: Effect) -> Result<Attributes, RuleError> {
        let parts = self.each("accessAttribute", |text| self.part(text, effect))?;
        if parts.is_empty() {
            return Ok(Attributes::All);
        }
        let reaches = |section| match section {
            Section::Secret => effect == Effect::Deny,
            Section::User | Section::Operational => true,
        };
        let of_section = |wanted: &dyn Fn(Section) -> bool| {
            let types = self.schema.attribute_types().iter();
            types.filter(|it| reaches(it.section()) && wanted(it.section())).map(|it| it.id).collect::<AttributeSet>()
        };
        let mut set = AttributeSet::default();
        if parts.iter().all(|part| matches!(part, Part::Not(_))) {
            set = of_section(&|_| true);
        }
        for part in &parts {
            match part {
                Part::User => set.unite(&of_section(&|section| section != Section::Operational)),
                Part::Operational => set.unite(&of_section(&|section| section == Section::Operational)),
                Part::Types(types) => set.unite(types),
                Part::Not(_) => {}
            }
        }
        for part in parts {
            if let Part::Not(types) = part {
                set.subtract(&types);
            }
        }
        Ok(Attributes::These(set))
    }

    fn part(&self, text: &str, effect: Effect) -> Result<Part, String> {
        match text {
            "*" => Ok(Part::User),
            "+" => Ok(Part::Operational),
            _ => match text.strip_prefix('!') {
                Some(name) => Ok(Part::Not(self.types(name, true)?)),
                None => Ok(Part::Types(self.types(text, effect == Effect::Deny)?)),
            },
        }
    }

    /// A name with its subtypes, or what a class and those above it require or allow.
    fn types(&self, name: &str, with_secrets: bool) -> Result<AttributeSet, String> {
        if let Some(class) = name.strip_prefix('@') {
            let Some(class) = self.schema.object_class(class) else {
                return self.unknown(format!("{class:?} is no object class"));
            };
            let mut set = AttributeSet::default();
            self.take_class(class, with_secrets, &mut set);
            return Ok(set);
        }
        let Some(named) = self.schema.attribute_type(name) else {
            return self.unknown(format!("{name:?} is no attribute; write its name without options, @class, * or +"));
        };
        let types = self.schema.with_subtypes(named.id).iter();
        let reached = |id: &&_| with_secrets || **id == named.id || named.secret || !self.is_secret(**id);
        Ok(types.filter(reached).copied().collect())
    }

    fn unknown(&self, problem: String) -> Result<AttributeSet, String> {
        if self.lenient { Ok(AttributeSet::default()) } else { Err(problem) }
    }

    fn is_secret(&self, id: crate::model::AttributeTypeId) -> bool {
        self.schema.attribute_type_by_id(id).secret
    }

    /// Classes stand above each other without circles.
    fn take_class(&self, class: &ObjectClass, with_secrets: bool, set: &mut AttributeSet) {
        for &id in class.must.iter().chain(&class.may) {
            let types = self.schema.with_subtypes(id).iter();
            types.filter(|id| with_secrets || !self.is_secret(**id)).for_each(|id| set.insert(*id));
        }
        for superior in class.superiors.iter().filter_map(|&index| self.schema.object_classes().get(index)) {
            self.take_class(superior, with_secrets, set);
        }
    }

    fn read_filter(&self, text: &str) -> Result<Filter, String> {
        let filter =
            Filter::parse(text.as_bytes()).map_err(|_| format!("{text:?} is no filter; write one like (objectClass=person)"))?;
        match self.unfit(&filter) {
            Some(problem) if !self.lenient => Err(problem),
            _ => Ok(filter),
        }
    }

    /// What in a filter would make it Undefined whatever the entry, or costs too much to ask of each.
    fn unfit(&self, filter: &Filter) -> Option<String> {
        let defined = |name: &String| match self.schema.describe_for_assertion(name) {
            Err(_) => Some(format!("names {name:?}, which is no attribute")),
            Ok(it) if self.is_secret(it.attribute_type) => Some(format!("names {name:?}, which is a secret")),
            Ok(it) if !it.options.is_empty() => Some(format!("names {name:?}; write it without options")),
            Ok(_) => None,
        };
        match filter {
            Filter::And(filters) | Filter::Or(filters) => filters.iter().find_map(|filter| self.unfit(filter)),
            Filter::Not(filter) => self.unfit(filter),
            Filter::Present(name)
            | Filter::Equality(name, _)
            | Filter::Approximate(name, _)
            | Filter::GreaterOrEqual(name, _)
            | Filter::LessOrEqual(name, _)
            | Filter::Substrings(name, _) => defined(name),
            Filter::Extensible(_) => Some("has an extensible match, which rules cannot have".to_owned()),
        }
    }
}

enum Part {
    User,
    Operational,
    Types(AttributeSet),
    Not(AttributeSet),
}

fn read_effect(text: &str) -> Result<Effect, String> {
    match text.to_ascii_lowercase().as_str() {
        "allow" => Ok(Effect::Allow),
        "deny" => Ok(Effect::Deny),
        _ => Err(format!("{text:?} is no effect; write allow or deny")),
    }
}

fn read_subject(text: &str) -> Result<RuleSubject, String> {
    let name = |name: &str| Dn::parse(name.trim().as_bytes()).map_err(|_| format!("{name:?} is no name"));
    match text.split_once(':') {
        Some((kind, dn)) if kind.eq_ignore_ascii_case("group") => return Ok(RuleSubject::Group(name(dn)?)),
        Some((kind, dn)) if kind.eq_ignore_ascii_case("entry") => return Ok(RuleSubject::Entry(name(dn)?)),
        _ => {}
    }
    match text.to_ascii_lowercase().as_str() {
        "self" => Ok(RuleSubject::Own),
        "manager" => Ok(RuleSubject::Manager),
        "owner" => Ok(RuleSubject::Owner),
        "authenticated" => Ok(RuleSubject::Authenticated),
        "anyone" => Ok(RuleSubject::Anyone),
        _ => Err(format!("{text:?} is nobody; write group:DN, entry:DN, self, manager, owner, authenticated or anyone")),
    }
}

fn read_right(text: &str) -> Result<Vec<Right>, String> {
    if text.eq_ignore_ascii_case("all") {
        return Ok(Right::ALL.to_vec());
    }
    let right = Right::ALL.into_iter().find(|right| right.name().eq_ignore_ascii_case(text));
    right.map(|right| vec![right]).ok_or_else(|| {
        let names: Vec<&str> = Right::ALL.into_iter().map(Right::name).collect();
        format!("{text:?} is no right; write all or one of {}", names.join(", "))
    })
}

fn read_scope(text: &str) -> Result<Scope, String> {
    match text.to_ascii_lowercase().as_str() {
        "base" => Ok(Scope::Base),
        "one" => Ok(Scope::One),
        "sub" => Ok(Scope::Subtree),
        "children" => Ok(Scope::Children),
        _ => Err(format!("{text:?} is no scope; write base, one, sub or children")),
    }
}

/// Bits behind its length would be taken for an address in it.
fn read_network(text: &str) -> Result<IpNet, String> {
    let network = IpNet::from_str(text).map_err(|_| format!("{text:?} is no network; write one like 10.1.0.0/16"))?;
    if network.trunc() != network {
        return Err(format!("{text:?} has bits behind its length; write {}", network.trunc()));
    }
    Ok(network)
}

fn read_factor(text: &str) -> Result<Factor, String> {
    match text.to_ascii_lowercase().as_str() {
        "second" => Ok(Factor::Second),
        "password" => Ok(Factor::Named("password")),
        "otp" => Ok(Factor::Named("otp")),
        "certificate" => Ok(Factor::Named("certificate")),
        "ldapi" => Ok(Factor::Named("ldapi")),
        _ => Err(format!("{text:?} is no factor; write second, password, otp, certificate or ldapi")),
    }
}

fn read_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::from_generalized_time(text.as_bytes()).map_err(|error| format!("{text:?}: {error}"))
}
