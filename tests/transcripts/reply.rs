//! Replies as the lines a transcript expects.

use crate::follow;
use base64::Engine as _;
use bindery::protocol::ber::{Reader, Tag};
use bindery::protocol::oid;
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{LdapMsg, LdapOp, LdapResult};

use crate::search_control;

/// The lines of one reply; `code` is its result code where the message has it wrong.
pub fn lines(message: &LdapMsg, code: Option<i64>) -> Vec<String> {
    let mut lines = Vec::new();
    match &message.op {
        LdapOp::SearchResultEntry(entry) => {
            lines.push(line("dn", entry.dn.as_bytes()));
            for attribute in &entry.attributes {
                attribute_lines(&attribute.atype, attribute.vals.iter().map(Vec::as_slice), &mut lines);
            }
        }
        LdapOp::SearchResultReference(reference) => lines.push(format!("reference: {}", reference.uris.join(" "))),
        LdapOp::BindResponse(response) => {
            result(&response.res, code, &mut lines);
            lines.extend(response.saslcreds.as_ref().map(|credentials| line("credentials", credentials)));
        }
        LdapOp::ExtendedResponse(response) => {
            result(&response.res, code, &mut lines);
            lines.extend(response.name.as_ref().map(|name| format!("name: {name}")));
            match response.value.as_ref() {
                Some(value) if response.name.is_none() && end_of_transaction(value, &mut lines).is_some() => {}
                value => lines.extend(value.map(|value| extended_value(value))),
            }
        }
        LdapOp::SearchResultDone(it)
        | LdapOp::ModifyResponse(it)
        | LdapOp::AddResponse(it)
        | LdapOp::DelResponse(it)
        | LdapOp::ModifyDNResponse(it)
        | LdapOp::CompareResult(it) => result(it, code, &mut lines),
        LdapOp::IntermediateResponse(response) => lines.push(follow::info(response)),
        other => panic!("the server sent {other:?}"),
    }
    message.ctrl.iter().for_each(|control| control_lines(control, &mut lines));
    lines
}

/// The result of a response that has one and nothing beside it.
pub fn result_of(operation: &mut LdapOp) -> Option<&mut LdapResult> {
    match operation {
        LdapOp::SearchResultDone(it)
        | LdapOp::ModifyResponse(it)
        | LdapOp::AddResponse(it)
        | LdapOp::DelResponse(it)
        | LdapOp::ModifyDNResponse(it)
        | LdapOp::CompareResult(it) => Some(it),
        _ => None,
    }
}

fn result(result: &LdapResult, code: Option<i64>, lines: &mut Vec<String>) {
    let code = code.unwrap_or(result.code.clone() as i64);
    let separator = if result.message.is_empty() { "" } else { " " };
    lines.push(format!("=> {code}{separator}{}", result.message));
    if !result.matcheddn.is_empty() {
        lines.push(format!("matched: {}", result.matcheddn));
    }
    lines.extend(result.referral.iter().map(|uri| format!("referral: {uri}")));
}

/// Password Modify's response is a SEQUENCE with the password in `[0]`; Who am I? answers with text.
fn extended_value(value: &[u8]) -> String {
    let generated = || {
        let mut reader = Reader::new(value);
        let mut parts = reader.sequence().ok()?;
        reader.finish().ok()?;
        parts.expect(Tag::context(0)).ok()
    };
    match generated() {
        Some(password) => line("generated", password),
        None => line("value", value),
    }
}

/// The end of a transaction: the ID of the change that failed, or the controls that answer changes.
fn end_of_transaction(value: &[u8], lines: &mut Vec<String>) -> Option<()> {
    let mut parts = Reader::new(value).sequence().ok()?;
    match parts.peek()? {
        Tag::INTEGER => lines.push(format!("failed: {}", parts.integer().ok()?)),
        Tag::SEQUENCE => {
            let mut updates = parts.sequence().ok()?;
            while !updates.is_empty() {
                let mut update = updates.sequence().ok()?;
                let id = update.integer().ok()?;
                let mut controls = update.sequence().ok()?;
                while !controls.is_empty() {
                    let mut control = controls.sequence().ok()?;
                    let oid = String::from_utf8_lossy(control.octet_string().ok()?).into_owned();
                    let value = Some(control.octet_string().ok()?.to_vec());
                    let mut of_one = Vec::new();
                    control_lines(&LdapControl::Unknown { oid, criticality: false, value }, &mut of_one);
                    lines.extend(of_one.iter().map(|line| format!("update {id} {line}")));
                }
            }
        }
        _ => return None,
    }
    Some(())
}

fn control_lines(control: &LdapControl, lines: &mut Vec<String>) {
    if let Some(line) = follow::control_line(control) {
        lines.push(line);
        return;
    }
    match control {
        LdapControl::SimplePagedResults { size, cookie } => {
            let more = if cookie.is_empty() { "end" } else { "more" };
            lines.push(format!("paged: {more}"));
            assert_eq!(*size, 0, "this server makes no estimates");
        }
        LdapControl::Unknown { oid, value, .. } if [oid::PRE_READ, oid::POST_READ].contains(&oid.as_str()) => {
            let name = if oid == oid::PRE_READ { "pre-read" } else { "post-read" };
            let entry = read_entry(value.as_deref().unwrap()).unwrap();
            lines.extend(entry.iter().map(|line| format!("{name} {line}")));
        }
        LdapControl::Unknown { oid, value, .. } if oid == oid::AUTHORIZATION_IDENTITY_RESPONSE => {
            lines.push(line("authorization identity", value.as_deref().unwrap()));
        }
        LdapControl::Unknown { oid, value, .. } if oid == oid::PASSWORD_POLICY => {
            let hex: String = value.as_deref().unwrap().iter().map(|octet| format!("{octet:02x}")).collect();
            lines.push(format!("password policy: {hex}"));
        }
        LdapControl::Unknown { oid, value, .. } if search_control::is_shown(oid) => {
            lines.extend(search_control::lines(oid, value.as_deref().unwrap_or_default()).unwrap());
        }
        LdapControl::Unknown { oid, .. } => lines.push(format!("control: {oid}")),
        other => panic!("the server sent {other:?}"),
    }
}

fn read_entry(value: &[u8]) -> Result<Vec<String>, bindery::protocol::ber::BerError> {
    let mut entry = Reader::new(value).constructed(Tag(0x64))?;
    let mut lines = vec![line("dn", entry.octet_string()?)];
    let mut attributes = entry.sequence()?;
    while !attributes.is_empty() {
        let mut attribute = attributes.sequence()?;
        let name = String::from_utf8_lossy(attribute.octet_string()?).into_owned();
        let mut set = attribute.set()?;
        let mut values = Vec::new();
        while !set.is_empty() {
            values.push(set.octet_string()?);
        }
        attribute_lines(&name, values.into_iter(), &mut lines);
    }
    Ok(lines)
}

fn attribute_lines<'a>(name: &str, values: impl Iterator<Item = &'a [u8]>, lines: &mut Vec<String>) {
    let before = lines.len();
    lines.extend(values.map(|value| line(name, value)));
    if lines.len() == before {
        lines.push(format!("{name}:"));
    }
}

/// A line of LDIF, never folded; text beyond ASCII stays readable.
fn line(name: &str, value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok("") => format!("{name}:"),
        Ok(text) if !text.contains(char::is_control) && !text.starts_with([' ', ':', '<']) && !text.ends_with(' ') => {
            format!("{name}: {text}")
        }
        _ => format!("{name}:: {}", base64::engine::general_purpose::STANDARD.encode(value)),
    }
}

/// The cookie of a paged results response.
pub fn cookie(message: &LdapMsg) -> Option<Vec<u8>> {
    message.ctrl.iter().find_map(|control| match control {
        LdapControl::SimplePagedResults { cookie, .. } => Some(cookie.clone()),
        _ => None,
    })
}
