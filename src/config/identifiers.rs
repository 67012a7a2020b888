//! `[unique]` and `[numbers]`: which values no two entries share, and which numbers the server gives out.

use std::collections::BTreeMap;

use toml::Spanned;

use super::error::{ConfigurationError, Source};
use super::raw::{Numbers, Unique};
use super::values::number;
use crate::operation::identifier::{IdentifierSettings, NumberRange};

/// What no two entries share unless the file says otherwise.
const UNIQUE: [&str; 4] = ["uid", "uidNumber", "mail", "employeeNumber"];
/// What is given to nobody else when its entry was deleted. Not mail: a mailbox is often meant to be taken over.
const KEPT: [&str; 3] = ["uid", "uidNumber", "employeeNumber"];

/// The value that asks for a number, unless the file says otherwise: never anybody's number.
const ASK: &str = "-1";
/// Digits of the largest number.
const MOST_DIGITS: i64 = 18;
/// The largest number.
const MOST: i64 = 999_999_999_999_999_999;

/// On which line each attribute stands.
type Lines = Vec<(String, Option<usize>)>;

/// Checks both tables.
pub(super) fn check(
    source: &Source<'_>,
    unique: Option<&Unique>,
    numbers: &BTreeMap<String, Spanned<Numbers>>,
) -> Result<(IdentifierSettings, Lines), ConfigurationError> {
    let mut lines = Lines::new();
    let mut list = |written: Option<&Vec<Spanned<String>>>, default: &[&str]| match written {
        None => default.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(),
        Some(written) => {
            lines.extend(written.iter().map(|name| (name.get_ref().clone(), Some(source.line(name.span().start)))));
            written.iter().map(|name| name.get_ref().clone()).collect()
        }
    };
    let attributes = list(unique.and_then(|unique| unique.attributes.as_ref()), &UNIQUE);
    let is_unique = |name: &str| attributes.iter().any(|unique| unique.eq_ignore_ascii_case(name));
    let written = unique.and_then(|unique| unique.kept_after_deletion.as_ref());
    let default_kept: Vec<&str> = KEPT.into_iter().filter(|name| is_unique(name)).collect();
    let kept = list(written, &default_kept);
    if let Some(stray) = written.and_then(|kept| kept.iter().find(|name| !is_unique(name.get_ref()))) {
        let problem = format!("{} is not in unique.attributes", stray.get_ref());
        return Err(source.error(stray.span(), "unique.kept-after-deletion", problem, "add it there, or remove it here"));
    }
    let mut ranges = Vec::new();
    for (attribute, written) in numbers {
        lines.push((attribute.clone(), Some(source.line(written.span().start))));
        ranges.push(range(source, attribute, written)?);
    }
    Ok((IdentifierSettings { unique: attributes, kept, numbers: ranges }, lines))
}

fn range(source: &Source<'_>, attribute: &str, written: &Spanned<Numbers>) -> Result<NumberRange, ConfigurationError> {
    let key = |name: &str| format!("numbers.{attribute}.{name}");
    let Numbers { first, last, ask, digits } = written.get_ref();
    for (name, value) in [("first", first), ("last", last)] {
        if value.is_none() {
            let remedy = format!("write the range: [numbers.{attribute}], then first = 10000 and last = 59999");
            return Err(source.error(written.span(), key(name), "is missing", remedy));
        }
    }
    let from = number(source, &key("first"), first, (0, MOST), 0)?;
    let to = number(source, &key("last"), last, (from, MOST), MOST)?;
    let digits = number(source, &key("digits"), digits, (0, MOST_DIGITS), 0)?;
    let is_given = |asked: &str| asked.parse::<i64>().is_ok_and(|asked| (from..=to).contains(&asked));
    let ask = match ask {
        None => ASK.to_owned(),
        Some(ask) if ask.get_ref().is_empty() || is_given(ask.get_ref()) => {
            let remedy = "write a value that nobody has: ask = \"-1\"";
            return Err(source.error(ask.span(), key("ask"), "is empty or one of the numbers to give", remedy));
        }
        Some(ask) => ask.get_ref().clone(),
    };
    Ok(NumberRange {
        attribute: attribute.to_owned(),
        first: from.unsigned_abs(),
        last: to.unsigned_abs(),
        ask,
        digits: usize::try_from(digits).unwrap_or_default(),
    })
}
