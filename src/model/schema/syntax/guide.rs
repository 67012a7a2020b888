//! Search guides (RFC 4517 sections 3.3.10 and 3.3.14), the obsolete predecessor of filters.
//!
//! ```text
//! Guide = [object-class "#"] criteria          EnhancedGuide = object-class "#" criteria "#" subset
//! criteria = and-term *("|" and-term)           and-term = term *("&" term)
//! term = "!" term / attributetype "$" match-type / "(" criteria ")" / "?true" / "?false"
//! ```

use super::text::is_oid;

/// Deeper criteria are refused, so that no value can exhaust the stack.
const DEEPEST: usize = 50;

pub(super) fn is_guide(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    match text.split_once('#') {
        Some((class, criteria)) => is_oid(class.trim().as_bytes()) && is_criteria(criteria),
        None => is_criteria(text),
    }
}

pub(super) fn is_enhanced_guide(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let parts: Vec<&str> = text.split('#').map(str::trim).collect();
    let [class, criteria, subset] = parts.as_slice() else { return false };
    is_oid(class.as_bytes()) && is_criteria(criteria) && matches!(*subset, "baseobject" | "oneLevel" | "wholeSubtree")
}

fn is_criteria(text: &str) -> bool {
    criteria(text, 0).is_some_and(|rest| rest.trim().is_empty())
}

/// Reads criteria and returns what stands behind them.
fn criteria(text: &str, depth: usize) -> Option<&str> {
    let mut rest = term(text, depth)?.trim_start();
    while let Some(more) = rest.strip_prefix(['|', '&']) {
        rest = term(more, depth)?.trim_start();
    }
    Some(rest)
}

fn term(text: &str, depth: usize) -> Option<&str> {
    let text = text.trim_start();
    if depth >= DEEPEST {
        return None;
    }
    if let Some(negated) = text.strip_prefix('!') {
        return term(negated, depth + 1);
    }
    if let Some(inner) = text.strip_prefix('(') {
        return criteria(inner, depth + 1)?.strip_prefix(')');
    }
    if let Some(rest) = text.strip_prefix("?true").or_else(|| text.strip_prefix("?false")) {
        return Some(rest);
    }
    let (attribute, rest) = text.split_once('$')?;
    let matches = ["EQ", "SUBSTR", "GE", "LE", "APPROX"];
    let behind = matches.iter().find_map(|kind| rest.trim_start().strip_prefix(kind))?;
    is_oid(attribute.trim().as_bytes()).then_some(behind)
}
