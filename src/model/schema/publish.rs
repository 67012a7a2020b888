//! Definitions written out again for the subschema entry (RFC 4512 section 4.2), keywords in the RFC's order, spelled as slapd does.

use std::fmt::Write;

use super::dit_text::{ContentRuleText, NameFormText, StructureRuleText};
use super::text::{AttributeTypeText, ObjectClassText};
use crate::model::AttributeTypeId;

use super::{AttributeUsage, ObjectClassKind, Schema, matching_rule, syntax};

impl Schema {
    /// Values of the subschema entry's attributeTypes, each a definition in RFC 4512 text, as loaded.
    pub fn published_attribute_types(&self) -> Vec<String> {
        // Empty: the number of a type that was removed.
        self.published_types.iter().filter(|text| !text.is_empty()).cloned().collect()
    }

    /// The definition of one type.
    pub fn published_attribute_type(&self, id: AttributeTypeId) -> Option<&str> {
        self.published_types.get(id.0 as usize).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Values of objectClasses. See [`Schema::published_attribute_types`].
    pub fn published_object_classes(&self) -> Vec<String> {
        self.published_classes.clone()
    }

    /// Values of dITContentRules; may be empty. See [`Schema::published_attribute_types`].
    pub fn published_dit_content_rules(&self) -> Vec<String> {
        self.dit_rules.published_content_rules.clone()
    }

    /// Values of nameForms; may be empty. See [`Schema::published_attribute_types`].
    pub fn published_name_forms(&self) -> Vec<String> {
        self.dit_rules.published_name_forms.clone()
    }

    /// Values of dITStructureRules; may be empty. See [`Schema::published_attribute_types`].
    pub fn published_dit_structure_rules(&self) -> Vec<String> {
        self.dit_rules.published_structure_rules.clone()
    }

    /// Values of ldapSyntaxes: all that the program knows, and those that files define by them.
    pub fn published_syntaxes(&self) -> Vec<String> {
        let describe = |syntax: &syntax::Syntax| {
            let mut text = format!("( {} DESC '{}'", syntax.oid, escape(syntax.description));
            if syntax.requires_binary {
                text.push_str(" X-BINARY-TRANSFER-REQUIRED 'TRUE'");
            }
            if !syntax.human_readable {
                text.push_str(" X-NOT-HUMAN-READABLE 'TRUE'");
            }
            text + " )"
        };
        syntax::all().map(describe).chain(self.substitutes.published().cloned()).collect()
    }

    /// Values of matchingRules: all that the program knows.
    pub fn published_matching_rules(&self) -> Vec<String> {
        let describe = |rule: &matching_rule::MatchingRule| {
            format!("( {} NAME '{}' SYNTAX {} )", rule.oid, rule.name, rule.assertion_syntax)
        };
        matching_rule::RULES.iter().map(describe).collect()
    }

    /// Values of matchingRuleUse: for each rule the types it can be asked about in an extensible match (RFC 4512 section 4.1.4).
    pub fn published_matching_rule_use(&self) -> Vec<String> {
        let mut uses = Vec::new();
        for rule in &matching_rule::RULES {
            let types = self.attribute_types.iter().filter(|definition| !definition.is_removed() && rule.applies_to(definition));
            let names: Vec<&str> = types.map(|definition| definition.name()).collect();
            if !names.is_empty() {
                uses.push(format!("( {} NAME '{}' APPLIES {} )", rule.oid, rule.name, identifiers(&names)));
            }
        }
        uses
    }
}

pub(super) fn attribute_type(text: &AttributeTypeText) -> String {
    let mut out = start(&text.oid, &text.names, text.description.as_deref(), text.obsolete);
    let references =
        [("SUP", &text.superior), ("EQUALITY", &text.equality), ("ORDERING", &text.ordering), ("SUBSTR", &text.substring)];
    for (keyword, value) in references {
        if let Some(value) = value {
            _ = write!(out, " {keyword} {value}");
        }
    }
    if let Some(syntax) = &text.syntax {
        _ = write!(out, " SYNTAX {syntax}");
        if let Some(bound) = text.length_bound {
            _ = write!(out, "{{{bound}}}");
        }
    }
    let flags = [
        (text.single_value, " SINGLE-VALUE"),
        (text.collective, " COLLECTIVE"),
        (text.no_user_modification, " NO-USER-MODIFICATION"),
    ];
    for (_, keyword) in flags.iter().filter(|(set, _)| *set) {
        out.push_str(keyword);
    }
    out.push_str(match text.usage {
        None | Some(AttributeUsage::UserApplications) => "",
        Some(AttributeUsage::DirectoryOperation) => " USAGE directoryOperation",
        Some(AttributeUsage::DistributedOperation) => " USAGE distributedOperation",
        Some(AttributeUsage::DsaOperation) => " USAGE dSAOperation",
    });
    finish(out, &text.extensions)
}

pub(super) fn object_class(text: &ObjectClassText) -> String {
    let mut out = start(&text.oid, &text.names, text.description.as_deref(), text.obsolete);
    list(&mut out, "SUP", &text.superiors);
    out.push_str(match text.kind {
        Some(ObjectClassKind::Abstract) => " ABSTRACT",
        Some(ObjectClassKind::Structural) | None => " STRUCTURAL",
        Some(ObjectClassKind::Auxiliary) => " AUXILIARY",
    });
    list(&mut out, "MUST", &text.must);
    list(&mut out, "MAY", &text.may);
    finish(out, &text.extensions)
}

pub(super) fn content_rule(text: &ContentRuleText) -> String {
    let mut out = start(&text.oid, &text.names, text.description.as_deref(), text.obsolete);
    list(&mut out, "AUX", &text.auxiliaries);
    list(&mut out, "MUST", &text.must);
    list(&mut out, "MAY", &text.may);
    list(&mut out, "NOT", &text.not);
    finish(out, &text.extensions)
}

pub(super) fn name_form(text: &NameFormText) -> String {
    let mut out = start(&text.oid, &text.names, text.description.as_deref(), text.obsolete);
    _ = write!(out, " OC {}", text.class);
    list(&mut out, "MUST", &text.must);
    list(&mut out, "MAY", &text.may);
    finish(out, &text.extensions)
}

pub(super) fn structure_rule(text: &StructureRuleText) -> String {
    let mut out = start(&text.number.to_string(), &text.names, text.description.as_deref(), text.obsolete);
    _ = write!(out, " FORM {}", text.form);
    // Rule numbers are parted by spaces, names by dollar signs (RFC 4512 section 4.1.7.1).
    match text.superiors.as_slice() {
        [] => {}
        [only] => _ = write!(out, " SUP {only}"),
        several => {
            let numbers: Vec<String> = several.iter().map(u32::to_string).collect();
            _ = write!(out, " SUP ( {} )", numbers.join(" "));
        }
    }
    finish(out, &text.extensions)
}

pub(super) fn substitute(oid: &str, description: &str, stands_for: &syntax::Syntax) -> String {
    let description = if description.is_empty() { stands_for.description } else { description };
    format!("( {oid} DESC '{}' X-SUBST '{}' )", escape(description), stands_for.oid)
}

fn start(oid: &str, names: &[String], description: Option<&str>, obsolete: bool) -> String {
    let mut out = format!("( {oid}");
    match names {
        [] => {}
        [name] => _ = write!(out, " NAME '{name}'"),
        names => _ = write!(out, " NAME ( {} )", quoted(names)),
    }
    if let Some(description) = description {
        _ = write!(out, " DESC '{}'", escape(description));
    }
    if obsolete {
        out.push_str(" OBSOLETE");
    }
    out
}

fn list(out: &mut String, keyword: &str, names: &[String]) {
    if !names.is_empty() {
        _ = write!(out, " {keyword} {}", identifiers(names));
    }
}

fn identifiers<T: AsRef<str>>(names: &[T]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.as_slice() {
        [name] => (*name).to_owned(),
        names => format!("( {} )", names.join(" $ ")),
    }
}

fn quoted(values: &[String]) -> String {
    values.iter().map(|value| format!("'{}'", escape(value))).collect::<Vec<_>>().join(" ")
}

fn finish(mut out: String, extensions: &[(String, Vec<String>)]) -> String {
    for (name, values) in extensions {
        match values.as_slice() {
            [value] => _ = write!(out, " {name} '{}'", escape(value)),
            values => _ = write!(out, " {name} ( {} )", quoted(values)),
        }
    }
    out + " )"
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\5C").replace('\'', "\\27")
}
