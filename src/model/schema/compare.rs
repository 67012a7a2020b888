//! What a definition says beyond a loaded one, or against it: schema files of different products define the same standard types.

use super::text::{AttributeTypeText, ObjectClassText};
use super::{AttributeUsage, ObjectClassKind, loader, matching_rule};

/// What the newer of two definitions says about the older.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Comparison {
    /// Nothing new, in whatever words: DESC, extensions and length bounds do not count.
    Same,
    /// More names, matching rules where there were none, more allowed attributes.
    Wider(Vec<String>),
    /// Something else: the differences, in words.
    Other(Vec<String>),
}

impl Comparison {
    fn of(other: Vec<String>, wider: Vec<String>) -> Comparison {
        match (other.is_empty(), wider.is_empty()) {
            (false, _) => Comparison::Other(other),
            (true, false) => Comparison::Wider(wider),
            (true, true) => Comparison::Same,
        }
    }
}

/// Compares two attribute types that share an identifier or a name. `oid_of`: what a name stands for.
pub(super) fn attribute_type<'a>(
    known: &'a AttributeTypeText,
    new: &'a AttributeTypeText,
    oid_of: impl Fn(&str) -> Option<&'a str>,
) -> Comparison {
    let mut other = different_oid(&known.oid, &new.oid);
    let superior = |text: &'a AttributeTypeText| text.superior.as_deref().map(|name| oid(name, &oid_of));
    if superior(known) != superior(new) {
        other.push(format!("SUP {}, not {}", shown(new.superior.as_deref()), shown(known.superior.as_deref())));
    }
    // A type that repeats the syntax it inherits is the same.
    let repeats = known.superior.is_some() && known.syntax.is_none();
    if known.syntax != new.syntax && !repeats {
        other.push(format!("SYNTAX {}, not {}", shown(new.syntax.as_deref()), shown(known.syntax.as_deref())));
    }
    for (flag, known, new) in [
        ("SINGLE-VALUE", known.single_value, new.single_value),
        ("COLLECTIVE", known.collective, new.collective),
        ("NO-USER-MODIFICATION", known.no_user_modification, new.no_user_modification),
        ("OBSOLETE", known.obsolete, new.obsolete),
    ] {
        if known != new {
            other.push(if new { flag.to_owned() } else { format!("not {flag}") });
        }
    }
    if loader::is_secret(new) && !loader::is_secret(known) {
        other.push("X-SECRET".to_owned());
    }
    let usage = |text: &AttributeTypeText| text.usage.unwrap_or(AttributeUsage::UserApplications);
    if usage(known) != usage(new) {
        other.push(format!("USAGE {:?}, not {:?}", usage(new), usage(known)));
    }
    let mut wider = more_names(&known.names, &new.names);
    for (keyword, known, new) in rules(known, new) {
        match (known, new) {
            (_, None) => {}
            (None, Some(new)) => wider.push(format!("{keyword} {new}")),
            (Some(known), Some(new)) if oid(known, rule_oid) == oid(new, rule_oid) => {}
            (Some(known), Some(new)) => other.push(format!("{keyword} {new}, not {known}")),
        }
    }
    Comparison::of(other, wider)
}

/// Compares two object classes that share an identifier or a name.
pub(super) fn object_class<'a>(
    known: &'a ObjectClassText,
    new: &'a ObjectClassText,
    type_oid: impl Fn(&str) -> Option<&'a str>,
    class_oid: impl Fn(&str) -> Option<&'a str>,
) -> Comparison {
    let mut other = different_oid(&known.oid, &new.oid);
    // Every class is below top, whether it says so or not.
    let superiors = |text: &'a ObjectClassText| {
        let mut oids = oids(&text.superiors, &class_oid);
        oids.retain(|oid| oid != TOP && oid != "top");
        oids
    };
    if superiors(known) != superiors(new) {
        other.push(format!("SUP {}, not {}", listed(&new.superiors), listed(&known.superiors)));
    }
    let kind = |text: &ObjectClassText| text.kind.unwrap_or(ObjectClassKind::Structural);
    if kind(known) != kind(new) {
        other.push(format!("{:?}, not {:?}", kind(new), kind(known)));
    }
    if known.obsolete != new.obsolete {
        other.push(if new.obsolete { "OBSOLETE".to_owned() } else { "not OBSOLETE".to_owned() });
    }
    let (must, new_must) = (oids(&known.must, &type_oid), oids(&new.must, &type_oid));
    if must != new_must {
        other.push(format!("MUST {}, not {}", listed(&new.must), listed(&known.must)));
    }
    let may = oids(&known.may, &type_oid);
    let more: Vec<&str> = more_may(&may, &must, new, &type_oid).map(String::as_str).collect();
    let mut wider = more_names(&known.names, &new.names);
    if !more.is_empty() {
        wider.push(format!("MAY {}", more.join(" ")));
    }
    Comparison::of(other, wider)
}

const TOP: &str = "2.5.6.0";

/// Takes over what [`Comparison::Wider`] found; `is_free`: whether a name means nothing yet.
pub(super) fn widen_type(known: &mut AttributeTypeText, new: AttributeTypeText, is_free: impl Fn(&str) -> bool) -> Vec<String> {
    known.equality = known.equality.take().or(new.equality);
    known.ordering = known.ordering.take().or(new.ordering);
    known.substring = known.substring.take().or(new.substring);
    take_names(&mut known.names, new.names, is_free)
}

/// See [`widen_type`].
pub(super) fn widen_class<'a>(
    known: &mut ObjectClassText,
    new: ObjectClassText,
    is_free: impl Fn(&str) -> bool,
    type_oid: impl Fn(&str) -> Option<&'a str>,
) -> Vec<String> {
    let (may, must) = (oids(&known.may, &type_oid), oids(&known.must, &type_oid));
    let more: Vec<String> = more_may(&may, &must, &new, &type_oid).cloned().collect();
    known.may.extend(more);
    take_names(&mut known.names, new.names, is_free)
}

/// Names that mean nothing yet come along; they are returned.
pub(super) fn take_names(known: &mut Vec<String>, new: Vec<String>, is_free: impl Fn(&str) -> bool) -> Vec<String> {
    let taken: Vec<String> = new.into_iter().filter(|name| is_free(name)).collect();
    known.extend(taken.iter().cloned());
    taken
}

/// Allowed attributes that the known class neither allows nor asks for.
fn more_may<'n, 'a>(
    may: &'n [String],
    must: &'n [String],
    new: &'n ObjectClassText,
    type_oid: &'n impl Fn(&str) -> Option<&'a str>,
) -> impl Iterator<Item = &'n String> {
    new.may.iter().filter(move |name| {
        let oid = oid(name, type_oid);
        !may.contains(&oid) && !must.contains(&oid)
    })
}

type Rule<'a> = (&'static str, Option<&'a str>, Option<&'a str>);

fn rules<'a>(known: &'a AttributeTypeText, new: &'a AttributeTypeText) -> [Rule<'a>; 3] {
    [
        ("EQUALITY", known.equality.as_deref(), new.equality.as_deref()),
        ("ORDERING", known.ordering.as_deref(), new.ordering.as_deref()),
        ("SUBSTR", known.substring.as_deref(), new.substring.as_deref()),
    ]
}

fn different_oid(known: &str, new: &str) -> Vec<String> {
    if known == new { Vec::new() } else { vec![format!("object identifier {new}, not {known}")] }
}

fn more_names(known: &[String], new: &[String]) -> Vec<String> {
    let more = new.iter().filter(|name| !known.iter().any(|other| other.eq_ignore_ascii_case(name)));
    more.map(|name| format!("the name '{name}'")).collect()
}

fn shown(value: Option<&str>) -> &str {
    value.unwrap_or("none")
}

fn listed(values: &[String]) -> String {
    if values.is_empty() { "none".to_owned() } else { values.join(" ") }
}

/// The identifier that a name stands for, or the name in lower case while nothing is known of it.
fn oid<'a>(name: &str, oid_of: impl Fn(&str) -> Option<&'a str>) -> String {
    oid_of(name).map_or_else(|| name.to_ascii_lowercase(), str::to_owned)
}

fn oids<'a>(names: &[String], oid_of: impl Fn(&str) -> Option<&'a str>) -> Vec<String> {
    let mut oids: Vec<String> = names.iter().map(|name| oid(name, &oid_of)).collect();
    oids.sort_unstable();
    oids.dedup();
    oids
}

fn rule_oid(name: &str) -> Option<&'static str> {
    matching_rule::RULES.iter().find(|rule| rule.name.eq_ignore_ascii_case(name)).map(|rule| rule.oid)
}
