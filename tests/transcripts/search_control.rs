//! Controls of searches: ldapsearch's `-E` to octets, and what the server answers to lines.

use bindery::model::Filter;
use bindery::protocol::ber::{self, BerError, Reader, Tag, Writer};
use bindery::protocol::{Control, oid};
use bytes::{Bytes, BytesMut};
use ldap3_proto::control::LdapControl;

use crate::request;

/// `[!]NAME[=VALUE]` behind `-E`: `sss=[-]ATTRIBUTE[:RULE][/…]`, `vlv=BEFORE/AFTER(/OFFSET/COUNT|:VALUE)`, `mv=(ITEM)…`,
/// `deref=ATTRIBUTE:NAME[,NAME…][;…]`, `subentries=true|false`, `accountUsability`, `effectiveRights[=AUTHZID]`, `dontUseCopy`.
pub fn control(text: &str) -> Control {
    let critical = text.starts_with('!');
    let text = text.trim_start_matches('!');
    let (name, value) = text.split_once('=').map_or((text, ""), |(name, value)| (name, value));
    let (oid, value) = match name {
        "sss" => (oid::SORT, Some(ber::encode(|writer| sort_keys(writer, value)))),
        "vlv" => (oid::VIEW, Some(ber::encode(|writer| view(writer, value)))),
        "mv" => (oid::MATCHED_VALUES, Some(ber::encode(|writer| writer.sequence(|list| items(list, value))))),
        "deref" => (oid::DEREFERENCE, Some(ber::encode(|writer| writer.sequence(|list| dereferences(list, value))))),
        "subentries" => (oid::SUBENTRIES, Some(ber::encode(|writer| writer.boolean(value == "true")))),
        "effectiveRights" => (oid::EFFECTIVE_RIGHTS, (!value.is_empty()).then(|| value.as_bytes().to_vec().into())),
        "accountUsability" => (oid::ACCOUNT_USABILITY, None),
        "dontUseCopy" => (oid::DO_NOT_USE_COPY, None),
        other => panic!("-E {other}: not known"),
    };
    Control { oid: oid.to_owned(), critical, value }
}

fn sort_keys(writer: &mut Writer<'_>, keys: &str) {
    writer.sequence(|list| {
        for key in keys.split('/') {
            let (reverse, key) = key.strip_prefix('-').map_or((false, key), |key| (true, key));
            let (attribute, rule) = key.split_once(':').map_or((key, None), |(attribute, rule)| (attribute, Some(rule)));
            list.sequence(|parts| {
                parts.octet_string(attribute.as_bytes());
                if let Some(rule) = rule {
                    parts.element(Tag::context(0), rule.as_bytes());
                }
                if reverse {
                    parts.boolean_as(Tag::context(1), true);
                }
            });
        }
    });
}

/// `(a=b)(c=*)`
fn items(list: &mut Writer<'_>, items: &str) {
    let (mut depth, mut start) = (0, 0);
    for (at, c) in items.char_indices() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        if c == ')' && depth == 0 {
            list.raw(&request::encoded(&Filter::parse(&items.as_bytes()[start..=at]).unwrap()));
            start = at + 1;
        }
    }
}

fn dereferences(list: &mut Writer<'_>, asked: &str) {
    for one in asked.split(';').filter(|one| !one.is_empty()) {
        let (attribute, names) = one.split_once(':').unwrap();
        list.sequence(|parts| {
            parts.octet_string(attribute.as_bytes());
            let names = names.split(',').filter(|name| !name.is_empty());
            parts.sequence(|list| names.for_each(|name| list.octet_string(name.as_bytes())));
        });
    }
}

fn view(writer: &mut Writer<'_>, asked: &str) {
    let (counts, value) = asked.split_once(':').map_or((asked, None), |(counts, value)| (counts, Some(value)));
    let numbers: Vec<i64> = counts.split('/').map(|number| number.parse().unwrap()).collect();
    writer.sequence(|parts| {
        parts.integer(numbers[0]);
        parts.integer(numbers[1]);
        match value {
            Some(value) => parts.element(Tag::context(1), value.as_bytes()),
            None => parts.constructed(Tag::context_constructed(0), |offset| {
                offset.integer(numbers[2]);
                offset.integer(numbers[3]);
            }),
        }
    });
}

/// Whether [`lines`] knows this response control.
pub fn is_shown(oid: &str) -> bool {
    [oid::SORT_RESPONSE, oid::VIEW_RESPONSE, oid::DEREFERENCE, oid::ACCOUNT_USABILITY].contains(&oid)
}

/// `sorted: CODE [ATTRIBUTE]`, `view: POSITION/COUNT CODE`, `usable: SECONDS` or `usable: no inactive reset expired grace=LOGINS unlock=SECONDS`, `deref ATTRIBUTE: VALUE [NAME=VALUE…]`.
pub fn lines(oid: &str, value: &[u8]) -> Result<Vec<String>, BerError> {
    match oid {
        oid::DEREFERENCE => return dereferenced(value),
        oid::ACCOUNT_USABILITY => return usability(value),
        _ => {}
    }
    let mut outer = Reader::new(value);
    let mut parts = outer.sequence()?;
    outer.finish()?;
    if oid == oid::SORT_RESPONSE {
        let code = parts.enumerated()?;
        let attribute = parts.optional(Tag::context(0))?.map(|name| format!(" {}", String::from_utf8_lossy(name)));
        parts.finish()?;
        return Ok(vec![format!("sorted: {code}{}", attribute.unwrap_or_default())]);
    }
    let (position, count, code) = (parts.integer()?, parts.integer()?, parts.enumerated()?);
    parts.optional(Tag::OCTET_STRING)?;
    parts.finish()?;
    Ok(vec![format!("view: {position}/{count} {code}")])
}

fn dereferenced(value: &[u8]) -> Result<Vec<String>, BerError> {
    let mut outer = Reader::new(value);
    let mut list = outer.sequence()?;
    outer.finish()?;
    let mut lines = Vec::new();
    while !list.is_empty() {
        let mut parts = list.sequence()?;
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let mut line = format!("deref {}: {}", text(parts.octet_string()?), text(parts.octet_string()?));
        let mut attributes = Reader::new(parts.optional(Tag::context_constructed(0))?.unwrap_or_default());
        parts.finish()?;
        while !attributes.is_empty() {
            let mut attribute = attributes.sequence()?;
            let name = text(attribute.octet_string()?);
            let mut values = attribute.set()?;
            while !values.is_empty() {
                line.push_str(&format!(" {name}={}", text(values.octet_string()?)));
            }
        }
        lines.push(line);
    }
    Ok(lines)
}

fn usability(value: &[u8]) -> Result<Vec<String>, BerError> {
    let mut reader = Reader::new(value);
    if let Some(seconds) = reader.optional(Tag::context(0))? {
        reader.finish()?;
        return Ok(vec![format!("usable: {}", ber::integer(seconds)?)]);
    }
    let mut parts = reader.constructed(Tag::context_constructed(1))?;
    reader.finish()?;
    let mut line = "usable: no".to_owned();
    for (number, word) in [(0, "inactive"), (1, "reset"), (2, "expired")] {
        if let Some(flag) = parts.optional(Tag::context(number))? {
            assert!(ber::boolean(flag)?, "what is false is left out");
            line = format!("{line} {word}");
        }
    }
    for (number, word) in [(3, "grace"), (4, "unlock")] {
        if let Some(count) = parts.optional(Tag::context(number))? {
            line = format!("{line} {word}={}", ber::integer(count)?);
        }
    }
    parts.finish()?;
    Ok(vec![line])
}

/// Controls that ldap3_proto 0.9 loses part of, or gives a whole message up over.
const UNREAD: &[&str] = &[oid::SORT_RESPONSE, oid::PASSWORD_POLICY];

/// Takes one message off the front, and such controls out of it.
pub fn take_unread(output: &mut BytesMut) -> (BytesMut, Vec<LdapControl>) {
    let header = ber::Header::read(output).unwrap().expect("the server sends whole messages");
    let whole = output.split_to(header.size + header.length as usize);
    split(&whole).unwrap_or((whole, Vec::new()))
}

/// The URIs of a result, which ldap3_proto 0.9 passes over.
pub fn referral(message: &[u8]) -> Vec<String> {
    let read = || {
        let mut parts = Reader::new(message).sequence().ok()?;
        parts.integer().ok()?;
        let mut result = Reader::new(parts.element().ok()?.1);
        result.enumerated().ok()?;
        result.octet_string().ok()?;
        result.octet_string().ok()?;
        let mut list = Reader::new(result.optional(Tag::context_constructed(3)).ok()??);
        let mut uris = Vec::new();
        while !list.is_empty() {
            uris.push(String::from_utf8(list.octet_string().ok()?.to_vec()).ok()?);
        }
        Some(uris)
    };
    read().unwrap_or_default()
}

fn split(whole: &[u8]) -> Option<(BytesMut, Vec<LdapControl>)> {
    let mut parts = Reader::new(whole).sequence().ok()?;
    let id = parts.integer().ok()?;
    let (tag, operation) = parts.element().ok()?;
    let mut list = parts.constructed(Tag::context_constructed(0)).ok()?;
    let (mut unread, mut others) = (Vec::new(), Vec::new());
    while !list.is_empty() {
        let (_, control) = list.element().ok()?;
        let mut fields = Reader::new(control);
        let name = String::from_utf8(fields.octet_string().ok()?.to_vec()).ok()?;
        if UNREAD.contains(&name.as_str()) {
            let criticality = fields.optional(Tag::BOOLEAN).ok()?.is_some();
            let value = fields.optional(Tag::OCTET_STRING).ok()?.map(<[u8]>::to_vec);
            unread.push(LdapControl::Unknown { oid: name, criticality, value });
        } else {
            others.push(Bytes::copy_from_slice(control));
        }
    }
    let mut rest = BytesMut::new();
    Writer::new(&mut rest).sequence(|message| {
        message.integer(id);
        message.element(tag, operation);
        if !others.is_empty() {
            message.constructed(Tag::context_constructed(0), |list| {
                others.iter().for_each(|control| list.element(Tag::SEQUENCE, control));
            });
        }
    });
    Some((rest, unread))
}
