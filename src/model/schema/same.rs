//! Whether a definition says what a loaded one says already, in whatever words: folders of standard schema files overlap.

use super::text::{AttributeTypeText, ObjectClassText};
use super::{AttributeUsage, ObjectClassKind, loader, matching_rule};

/// Whether `new` adds nothing to `known`: names and rules are among its own, superior, syntax, flags and usage are
/// the same. DESC, extensions and length bounds do not count.
pub(super) fn attribute_type<'a>(
    known: &'a AttributeTypeText,
    new: &'a AttributeTypeText,
    oid_of: impl Fn(&str) -> Option<&'a str>,
) -> bool {
    let meaning = |text: &AttributeTypeText| {
        let superior = text.superior.as_deref().map(|name| oid(name, &oid_of));
        let flags = [text.single_value, text.collective, text.no_user_modification, text.obsolete];
        (superior, text.syntax.clone(), flags, text.usage.unwrap_or(AttributeUsage::UserApplications))
    };
    let rules = |text: &AttributeTypeText| {
        [&text.equality, &text.ordering, &text.substring].map(|name| name.as_deref().map(|name| oid(name, rule_oid)))
    };
    let no_new_rule = rules(new).iter().zip(rules(known)).all(|(new, known)| new.is_none() || *new == known);
    let no_new_secret = loader::is_secret(known) || !loader::is_secret(new);
    known.oid == new.oid
        && no_new_name(&known.names, &new.names)
        && no_new_rule
        && no_new_secret
        && meaning(known) == meaning(new)
}

/// See [`attribute_type`].
pub(super) fn object_class<'a>(
    known: &'a ObjectClassText,
    new: &'a ObjectClassText,
    type_oid: impl Fn(&str) -> Option<&'a str>,
    class_oid: impl Fn(&str) -> Option<&'a str>,
) -> bool {
    let meaning = |text: &ObjectClassText| {
        let kind = text.kind.unwrap_or(ObjectClassKind::Structural);
        let lists = [oids(&text.superiors, &class_oid), oids(&text.must, &type_oid), oids(&text.may, &type_oid)];
        (lists, kind, text.obsolete)
    };
    known.oid == new.oid && no_new_name(&known.names, &new.names) && meaning(known) == meaning(new)
}

fn no_new_name(known: &[String], new: &[String]) -> bool {
    new.iter().all(|name| known.iter().any(|other| other.eq_ignore_ascii_case(name)))
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
