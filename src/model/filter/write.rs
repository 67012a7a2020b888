//! The string form.

use std::fmt::{self, Display, Formatter, Write};

use super::{Filter, MatchingRuleAssertion, Substrings};

/// As RFC 4515 spells it. What the grammar forbids is written as `\xx`, control characters too, so that a line stays a line.
impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('(')?;
        match self {
            Filter::And(filters) => write_set(f, '&', filters)?,
            Filter::Or(filters) => write_set(f, '|', filters)?,
            Filter::Not(filter) => write!(f, "!{filter}")?,
            Filter::Equality(attribute, value) => write_item(f, attribute, "=", value)?,
            Filter::GreaterOrEqual(attribute, value) => write_item(f, attribute, ">=", value)?,
            Filter::LessOrEqual(attribute, value) => write_item(f, attribute, "<=", value)?,
            Filter::Approximate(attribute, value) => write_item(f, attribute, "~=", value)?,
            Filter::Present(attribute) => {
                write_name(f, attribute)?;
                f.write_str("=*")?;
            }
            Filter::Substrings(attribute, substrings) => {
                write_name(f, attribute)?;
                f.write_char('=')?;
                write_substrings(f, substrings)?;
            }
            Filter::Extensible(assertion) => write_extensible(f, assertion)?,
        }
        f.write_char(')')
    }
}

fn write_set(f: &mut Formatter<'_>, operator: char, filters: &[Filter]) -> fmt::Result {
    f.write_char(operator)?;
    filters.iter().try_for_each(|filter| write!(f, "{filter}"))
}

fn write_item(f: &mut Formatter<'_>, attribute: &str, operator: &str, value: &[u8]) -> fmt::Result {
    write_name(f, attribute)?;
    f.write_str(operator)?;
    write_value(f, value)
}

fn write_substrings(f: &mut Formatter<'_>, substrings: &Substrings) -> fmt::Result {
    write_value(f, substrings.initial.as_deref().unwrap_or_default())?;
    f.write_char('*')?;
    for any in &substrings.any {
        write_value(f, any)?;
        f.write_char('*')?;
    }
    write_value(f, substrings.last.as_deref().unwrap_or_default())
}

fn write_extensible(f: &mut Formatter<'_>, assertion: &MatchingRuleAssertion) -> fmt::Result {
    write_name(f, assertion.attribute.as_deref().unwrap_or_default())?;
    if assertion.dn_attributes {
        f.write_str(":dn")?;
    }
    if let Some(rule) = &assertion.matching_rule {
        f.write_char(':')?;
        write_name(f, rule)?;
    }
    f.write_str(":=")?;
    write_value(f, &assertion.value)
}

/// A name from a client may be anything; what is no name is escaped, so that it cannot pass for another filter.
fn write_name(f: &mut Formatter<'_>, name: &str) -> fmt::Result {
    for octet in name.bytes() {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b';' | b'_') {
            f.write_char(char::from(octet))?;
        } else {
            write!(f, "\\{octet:02x}")?;
        }
    }
    Ok(())
}

fn write_value(f: &mut Formatter<'_>, value: &[u8]) -> fmt::Result {
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_ascii_control() || matches!(character, '(' | ')' | '*' | '\\') {
                write!(f, "\\{:02x}", u32::from(character))?;
            } else {
                f.write_char(character)?;
            }
        }
        for octet in chunk.invalid() {
            write!(f, "\\{octet:02x}")?;
        }
    }
    Ok(())
}
