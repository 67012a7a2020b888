//! Content synchronization and persistent search: what asks for them, and what they answer, as lines.

use bindery::protocol::ber::{self, Reader, Tag};
use bindery::protocol::{Control, oid};
use bytes::{Buf, BytesMut};
use ldap3_proto::LdapMsg;
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{LdapIntermediateResponse, LdapOp};

/// The control of `-E sync=ro[,reload][/COOKIE]`, `-E sync=rp[,reload][/COOKIE]` or `-E ps=TYPES/CHANGESONLY/NOTICES`, without its cookie;
/// and whether the search goes on.
pub fn control(asked: &str, cookie: Option<&[u8]>) -> Option<(Control, bool)> {
    let (kind, value) = asked.split_once('=')?;
    match kind {
        "sync" => {
            let (mode, reload) = value.split_once(',').map_or((value, false), |(mode, _)| (mode, true));
            let persist = mode == "rp";
            let value = ber::encode(|writer| {
                writer.sequence(|parts| {
                    parts.enumerated(if persist { 3 } else { 1 });
                    if let Some(cookie) = cookie {
                        parts.octet_string(cookie);
                    }
                    if reload {
                        parts.boolean(true);
                    }
                });
            });
            Some((Control { oid: oid::SYNC_REQUEST.to_owned(), critical: true, value: Some(value) }, persist))
        }
        "ps" => {
            let parts: Vec<i64> = value.split('/').map(|part| part.parse().unwrap()).collect();
            let [types, changes_only, notices] = parts[..] else { panic!("ps=TYPES/CHANGESONLY/NOTICES") };
            let value = ber::encode(|writer| {
                writer.sequence(|parts| {
                    parts.integer(types);
                    parts.boolean(changes_only != 0);
                    parts.boolean(notices != 0);
                });
            });
            Some((Control { oid: oid::PERSISTENT_SEARCH.to_owned(), critical: true, value: Some(value) }, true))
        }
        _ => None,
    }
}

/// Takes a Sync Info message off the front of `output`: `ldap3_proto` reads three of its four forms otherwise than RFC 4533 has them.
pub fn take_info(output: &mut BytesMut) -> Option<LdapMsg> {
    let length = {
        let mut reader = Reader::new(output);
        let (_, content) = reader.element().ok()?;
        content.as_ptr() as usize - output.as_ptr() as usize + content.len()
    };
    let mut message = Reader::new(&output[..length]).sequence().ok()?;
    let id = message.integer().ok()?;
    let mut response = message.constructed(Tag(0x79)).ok()?;
    let name = response.optional(Tag::context(0)).unwrap().map(|name| String::from_utf8(name.to_vec()).unwrap());
    let value = response.optional(Tag::context(1)).unwrap().map(<[u8]>::to_vec);
    response.finish().unwrap();
    message.finish().unwrap();
    output.advance(length);
    let op = LdapOp::IntermediateResponse(LdapIntermediateResponse::Raw { name, value });
    Some(LdapMsg { msgid: i32::try_from(id).unwrap(), op, ctrl: Vec::new() })
}

/// The line of a Sync Info message.
pub fn info(response: &LdapIntermediateResponse) -> String {
    let LdapIntermediateResponse::Raw { name: Some(name), value: Some(value) } = response else { panic!("{response:?}") };
    assert_eq!(name, oid::SYNC_INFO);
    let mut reader = Reader::new(value);
    let (tag, content) = reader.element().unwrap();
    reader.finish().unwrap();
    let mut parts = Reader::new(content);
    let mut cookie = || text(parts.octet_string().unwrap());
    match (tag.is_constructed(), tag.number()) {
        (false, 0) => format!("info newcookie: {}", text(content)),
        (true, 1) => format!("info refreshDelete: {}", cookie()),
        (true, 2) => format!("info refreshPresent: {}", cookie()),
        (true, 3) => {
            let deletes = parts.optional(Tag::BOOLEAN).unwrap().is_some();
            let mut set = parts.set().unwrap();
            let mut count = 0;
            while !set.is_empty() {
                assert_eq!(set.octet_string().unwrap().len(), 16);
                count += 1;
            }
            format!("info {}: {count}", if deletes { "deleted" } else { "present" })
        }
        _ => panic!("{tag:?}"),
    }
}

/// The line of a control of an entry or at the end, if it is one of these.
pub fn control_line(control: &LdapControl) -> Option<String> {
    match control {
        LdapControl::SyncState { state, entry_uuid, cookie: None } => {
            Some(format!("sync: {} {entry_uuid}", format!("{state:?}").to_lowercase()))
        }
        LdapControl::SyncDone { cookie: Some(cookie), refresh_deletes } => {
            Some(format!("synchronized: {}{}", if *refresh_deletes { "deletes " } else { "" }, text(cookie)))
        }
        LdapControl::Unknown { oid, value: Some(value), .. } if oid == oid::ENTRY_CHANGE_NOTICE => {
            let mut parts = Reader::new(value).sequence().unwrap();
            let kind = match parts.enumerated().unwrap() {
                1 => "add",
                2 => "delete",
                4 => "modify",
                8 => "modDN",
                other => panic!("{other}"),
            };
            let previous = parts.optional(Tag::OCTET_STRING).unwrap().map(|name| format!(" from {}", text(name)));
            let number = parts.integer().unwrap();
            parts.finish().unwrap();
            Some(format!("change: {kind} {number}{}", previous.unwrap_or_default()))
        }
        _ => None,
    }
}

/// The cookie that a message carries.
pub fn cookie(message: &LdapMsg) -> Option<Vec<u8>> {
    if let LdapOp::IntermediateResponse(response) = &message.op {
        let line = info(response);
        let (_, cookie) = line.split_once(": ")?;
        return cookie.starts_with("rid=").then(|| cookie.as_bytes().to_vec());
    }
    message.ctrl.iter().find_map(|control| match control {
        LdapControl::SyncDone { cookie, .. } => cookie.clone(),
        _ => None,
    })
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}
