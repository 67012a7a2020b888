//! Sets of attributes as accessAttribute lists them, and names as filters have them.

use std::fmt::Write as _;

use crate::model::schema::{AttributeType, Schema};
use crate::model::{AttributeTypeId, Section, Value};
use crate::policy::access::{AttributeSet, Attributes, Reader};

/// The shorter of: all of a kind but some, or some. None: there is no list that comes to exactly this.
pub(super) fn of(schema: &Schema, wanted: &AttributeSet) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    for (section, all) in [(Section::User, "*"), (Section::Operational, "+")] {
        let of_section: Vec<&AttributeType> = schema.attribute_types().iter().filter(|it| it.section() == section).collect();
        let (there, missing): (Vec<_>, Vec<_>) = of_section.into_iter().partition(|it| wanted.contains(it.id));
        if there.len() > missing.len() {
            parts.push(all.to_owned());
            parts.extend(tops(schema, &missing).map(|it| format!("!{}", it.name())));
        } else {
            parts.extend(tops(schema, &there).map(|it| it.name().to_owned()));
        }
    }
    let secrets = schema.attribute_types().iter().filter(|it| it.secret && wanted.contains(it.id));
    parts.extend(secrets.map(|it| it.name().to_owned()));
    is_exactly(schema, &parts, wanted).then_some(parts)
}

/// Those among them that stand below none of them.
fn tops<'a>(schema: &'a Schema, types: &'a [&'a AttributeType]) -> impl Iterator<Item = &'a AttributeType> {
    let is_among = |id: AttributeTypeId| types.iter().any(|it| it.id == id);
    let has_superior = move |it: &AttributeType| {
        let mut above = it.superior;
        while let Some(id) = above {
            if is_among(id) {
                return true;
            }
            above = schema.attribute_type_by_id(id).superior;
        }
        false
    };
    types.iter().copied().filter(move |it| !has_superior(it))
}

/// Whether the server reads it as that.
fn is_exactly(schema: &Schema, parts: &[String], wanted: &AttributeSet) -> bool {
    if parts.is_empty() {
        return wanted.is_empty();
    }
    let values = |name: &str| match name {
        "accessAttribute" => parts.iter().map(|part| Value::copy_from_slice(part.as_bytes())).collect(),
        "accessSubject" => vec![Value::from_static(b"self")],
        "accessRight" => vec![Value::from_static(b"compare")],
        "accessEffect" => vec![Value::from_static(b"allow")],
        _ => Vec::new(),
    };
    let read = Reader { schema, values: &values, lenient: false }.read(String::new());
    read.is_ok_and(|rule| match rule.attributes {
        Attributes::All => false,
        Attributes::These(these) => schema.attribute_types().iter().all(|it| these.contains(it.id) == wanted.contains(it.id)),
    })
}

/// A value in a filter (RFC 4515 section 3).
pub(super) fn in_filter(value: &str) -> String {
    let mut escaped = String::new();
    for character in value.chars() {
        match character {
            '*' | '(' | ')' | '\\' | '\0' => {
                // Writing to text cannot fail.
                let _ = write!(escaped, "\\{:02x}", u32::from(character));
            }
            other => escaped.push(other),
        }
    }
    escaped
}
