//! What an entry that is somebody's account must say of itself (class managedAccount): its kind, who answers for it, where it is used.
//!
//! | accountKind | accountOwner | accountNetwork |
//! |---|---|---|
//! | `person`, or none | – | – |
//! | `service` | needed | needed |
//! | `breakglass` | needed | – |

use ipnet::IpNet;

use super::draft::Draft;
use super::refusal::Refusal;
use super::write::Write;
use super::{Authority, stamp};
use crate::directory::{Computed, Directory, MembershipAttribute, Node};
use crate::model::schema::Schema;
use crate::model::{Dn, ResultCode, Value};

const KIND: &str = "accountKind";
const OWNER: &str = "accountOwner";
const NETWORK: &str = "accountNetwork";
const PROOFING: [&str; 2] = ["accountProofedBy", "accountProofedTime"];

/// What kind of account an entry is, by its accountKind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountKind {
    /// Somebody's own; also where nothing is said.
    Person,
    /// An application's.
    Service,
    /// For emergencies.
    BreakGlass,
}

impl AccountKind {
    fn named(name: &[u8]) -> Option<AccountKind> {
        let kinds =
            [(&b"person"[..], AccountKind::Person), (b"service", AccountKind::Service), (b"breakglass", AccountKind::BreakGlass)];
        kinds.into_iter().find(|(kind, _)| name.eq_ignore_ascii_case(kind)).map(|(_, kind)| kind)
    }

    /// Of an entry.
    pub fn of(directory: &Directory, node: &Node) -> AccountKind {
        let kind = directory.schema().attribute_type(KIND).and_then(|kind| node.entry.first(kind.id));
        kind.and_then(AccountKind::named).unwrap_or(AccountKind::Person)
    }

    /// What an account of this kind must have.
    fn needs(self) -> &'static [&'static str] {
        match self {
            AccountKind::Person => &[],
            AccountKind::Service => &[OWNER, NETWORK],
            AccountKind::BreakGlass => &[OWNER],
        }
    }
}

/// 21 for a kind there is none of and for what is no network, 65 for an account that is no person and lacks what it needs. What an entry
/// lacked before (`before`: the entry as it was, if it was), because its owner was deleted for example, is not asked for.
pub(crate) fn check(write: &Write<'_>, before: Option<&Node>, draft: &Draft<'_>) -> Result<(), Refusal> {
    let head = write.head;
    let kind = match values(draft, KIND).first() {
        Some(value) => AccountKind::named(value).ok_or_else(|| invalid(KIND, 0))?,
        None => AccountKind::Person,
    };
    for (index, value) in values(draft, NETWORK).iter().enumerate() {
        if !std::str::from_utf8(value).is_ok_and(|text| text.parse::<IpNet>().is_ok()) {
            return Err(invalid(NETWORK, index));
        }
    }
    let lacked = |name| before.is_some_and(|node| AccountKind::of(head, node).needs().contains(&name) && !had(head, node, name));
    match kind.needs().iter().find(|name| !has(head, draft, name) && !lacked(**name)) {
        Some(name) => {
            let kind = if kind == AccountKind::Service { "service" } else { "breakglass" };
            let text = format!("an account of kind '{kind}' requires attribute '{name}'");
            Err(Refusal::new(ResultCode::ObjectClassViolation, text))
        }
        None => check_proofing(write, before, draft),
    }
}

/// 50 where somebody says of an account that is the own creation that it is the person it says: two must have seen that.
fn check_proofing(write: &Write<'_>, before: Option<&Node>, draft: &Draft<'_>) -> Result<(), Refusal> {
    let schema = write.head.schema();
    let stored =
        |node: &Node, name: &str| schema.attribute_type(name).and_then(|it| node.entry.first(it.id).map(Value::copy_from_slice));
    let is_new = |name: &str| {
        let value = values(draft, name).first();
        value.is_some() && value != before.and_then(|node| stored(node, name)).as_ref()
    };
    if write.context.authority == Authority::Installation || !PROOFING.into_iter().any(is_new) {
        return Ok(());
    }
    let key = |name: &[u8]| Dn::parse(name).ok().map(|dn| schema.dn_key(&dn));
    // Who acts as somebody else is both of them.
    let own = write.context.identity.entry.map(|id| write.head.dn_text(id));
    let actors = [Some(stamp::actor_name(write.head, write.context)), own].into_iter().flatten();
    let actors: Vec<_> = actors.filter_map(|name| key(name.as_bytes())).collect();
    let is_by_actor = |node: &Node| {
        let mut creators = [stored(node, "creatorsName"), stored(node, stamp::CREATING_ACTOR)].into_iter().flatten();
        creators.any(|name| key(&name).is_none_or(|creator| actors.contains(&creator)))
    };
    // What is being added has the one who adds it as its creator.
    if before.is_none_or(is_by_actor) {
        let text = "an account is proofed by somebody else than its creator";
        return Err(Refusal::new(ResultCode::InsufficientAccessRights, text));
    }
    Ok(())
}

fn invalid(name: &str, index: usize) -> Refusal {
    Refusal::new(ResultCode::InvalidAttributeSyntax, format!("{name}: value #{index} invalid per syntax"))
}

fn values<'d>(draft: &'d Draft<'_>, name: &str) -> &'d [Value] {
    let attribute_type = draft.schema.attribute_type(name);
    let found = attribute_type.and_then(|it| draft.entry.get(it.id, it.name()));
    found.map(|attribute| attribute.values.as_slice()).unwrap_or_default()
}

fn has(head: &Directory, draft: &Draft<'_>, name: &str) -> bool {
    match members(head, draft.schema, name) {
        Some(attribute) => draft.members.count(attribute) > 0,
        None => !values(draft, name).is_empty(),
    }
}

fn had(head: &Directory, node: &Node, name: &str) -> bool {
    match members(head, head.schema(), name) {
        Some(attribute) => head.member_count(node.id, attribute) > 0,
        None => head.schema().attribute_type(name).is_some_and(|it| node.entry.first(it.id).is_some()),
    }
}

fn members(head: &Directory, schema: &Schema, name: &str) -> Option<MembershipAttribute> {
    match head.computed(schema.attribute_type(name)?.id)? {
        Computed::Members(attribute) => Some(attribute),
        _ => None,
    }
}
