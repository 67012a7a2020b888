//! What is sent beside an entry for the Get Effective Rights control: `entryLevelRights` and `attributeLevelRights` as 389 has them, and, where
//! they are asked for by name, `aclRights` and `aclRightsInfo` as Sun's server and OpenDJ do.

use bytes::{Bytes, BytesMut};

use crate::directory::{Directory, Node};
use crate::model::{AttributeTypeId, ResultCode, Section};
use crate::operation::access::{Access, Readable};
use crate::operation::control::EffectiveRightsRequest;
use crate::operation::refusal::Refusal;
use crate::operation::selection::write_attribute;
use crate::operation::write::not_permitted;
use crate::operation::{Context, account};
use crate::policy::access::Right;
use crate::protocol::ber::Writer;

/// Rights on the entry itself: 389's letters and the others' names. What is read or written of an entry is a matter of its attributes.
const OF_ENTRY: [(Right, char, &str); 4] =
    [(Right::Create, 'a', "add"), (Right::Delete, 'd', "delete"), (Right::Rename, 'n', "rename"), (Right::Proxy, 'p', "proxy")];
/// Rights on an attribute.
const OF_ATTRIBUTE: [(Right, char, &str); 5] = [
    (Right::Read, 'r', "read"),
    (Right::Search, 's', "search"),
    (Right::Compare, 'c', "compare"),
    (Right::AddValue, 'w', "add-value"),
    (Right::DeleteValue, 'o', "delete-value"),
];

/// Whose rights are told, decided once per search.
pub(super) struct EffectiveRights {
    access: Access,
    /// As answers name it.
    who: String,
    named: Vec<(String, AttributeTypeId)>,
    all_user: bool,
    all_operational: bool,
    acl_rights: bool,
    acl_rights_info: bool,
}

impl EffectiveRights {
    /// 50 for rights of others that who asks may not know: those alone who may read the rules may know what these come to.
    pub(super) fn new(
        directory: &Directory,
        context: &Context,
        own: &Access,
        request: &EffectiveRightsRequest,
        attributes: &[String],
    ) -> Result<EffectiveRights, Refusal> {
        let asking = context.subject_entry(directory);
        let who = match request.identity.as_deref() {
            None => asking,
            Some(b"dn:" | b"") => None,
            Some(identity) => {
                let found = account::by_authorization_identity(directory, identity);
                if found.is_none() && own.reads_rules(directory) {
                    return Err(Refusal::new(ResultCode::UnwillingToPerform, "there is no such identity"));
                }
                Some(found.ok_or_else(not_permitted)?)
            }
        };
        if who != asking && !own.reads_rules(directory) {
            return Err(not_permitted());
        }
        let access = Access::of(directory, who, context.peer.address, &context.identity.factors, context.now);
        let schema = directory.schema();
        let is = |wanted: &str| attributes.iter().any(|name| name.eq_ignore_ascii_case(wanted));
        let mut named: Vec<(String, AttributeTypeId)> = Vec::new();
        for name in attributes.iter().chain(&request.attributes) {
            let Some(found) = schema.attribute_type(name).filter(|_| !name.contains(';')) else { continue };
            if named.iter().all(|(_, id)| *id != found.id) {
                named.push((found.name().to_owned(), found.id));
            }
        }
        Ok(EffectiveRights {
            access,
            who: who.map(|id| directory.dn_text(id)).unwrap_or_default(),
            all_user: attributes.is_empty() || is("*"),
            all_operational: is("+"),
            acl_rights: is("aclRights"),
            acl_rights_info: is("aclRightsInfo"),
            named,
        })
    }

    /// The attributes beside an entry's own. `shown`: what who asks may read: presence of others is not told.
    pub(super) fn encoded(&self, directory: &Directory, node: &Node, shown: &Readable) -> Bytes {
        let mut output = BytesMut::new();
        let mut writer = Writer::new(&mut output);
        let mut write = |name: &str, value: String| write_attribute(&mut writer, name, &[Bytes::from(value)]);
        let allows = |right, attribute| self.access.weigh(directory, right, node, attribute).allowed;
        let attributes = self.attributes(directory, node, shown);

        let mut entry = String::new();
        entry.extend(self.access.sees(directory, node).then_some('v'));
        entry.extend(
            OF_ENTRY.iter().filter(|(right, ..)| *right != Right::Proxy && allows(*right, None)).map(|(_, letter, _)| letter),
        );
        write("entryLevelRights", or_none(entry));
        let letters = |id: AttributeTypeId| {
            let given = OF_ATTRIBUTE.iter().filter(|(right, ..)| allows(*right, Some(id)));
            or_none(given.map(|(_, letter, _)| letter).collect())
        };
        let all: Vec<String> = attributes.iter().map(|(name, id)| format!("{name}:{}", letters(*id))).collect();
        write("attributeLevelRights", all.join(", "));
        if self.acl_rights {
            let bit = |right, attribute| u8::from(allows(right, attribute));
            let any = |right| u8::from(attributes.iter().any(|(_, id)| allows(right, Some(*id))));
            let (read, write_any) = (u8::from(self.access.sees(directory, node)), any(Right::AddValue) | any(Right::DeleteValue));
            write(
                "aclRights;entryLevel",
                format!(
                    "add:{},delete:{},read:{read},write:{write_any},proxy:{}",
                    bit(Right::Create, None),
                    bit(Right::Delete, None),
                    bit(Right::Proxy, None)
                ),
            );
            for (name, id) in &attributes {
                let of = |right| bit(right, Some(*id));
                let writes = of(Right::Replace) | of(Right::AddValue) & of(Right::DeleteValue);
                write(
                    &format!("aclRights;attributeLevel;{name}"),
                    format!(
                        "search:{},read:{},compare:{},write:{writes},selfwrite_add:0,selfwrite_delete:0,proxy:{}",
                        of(Right::Search),
                        of(Right::Read),
                        of(Right::Compare),
                        bit(Right::Proxy, None)
                    ),
                );
            }
        }
        if self.acl_rights_info {
            for (right, _, name) in OF_ENTRY {
                write(&format!("aclRightsInfo;logs;entryLevel;{name}"), self.told(directory, node, right, None));
            }
            for (attribute, id) in &attributes {
                for (right, _, name) in OF_ATTRIBUTE {
                    let told = self.told(directory, node, right, Some((attribute, *id)));
                    write(&format!("aclRightsInfo;logs;attributeLevel;{name};{attribute}"), told);
                }
            }
        }
        output.freeze()
    }

    /// Those asked for by name, and those that the entry has, as far as who asks may read them.
    fn attributes(&self, directory: &Directory, node: &Node, shown: &Readable) -> Vec<(String, AttributeTypeId)> {
        let mut attributes = self.named.clone();
        for attribute in node.entry.attributes() {
            let wanted = match attribute.section {
                Section::User => self.all_user,
                Section::Operational => self.all_operational,
                Section::Secret => false,
            };
            let id = attribute.attribute_type;
            if wanted && shown.contains(id) && attributes.iter().all(|(_, known)| *known != id) {
                attributes.push((directory.schema().attribute_type_by_id(id).name().to_owned(), id));
            }
        }
        attributes
    }

    fn told(&self, directory: &Directory, node: &Node, right: Right, attribute: Option<(&str, AttributeTypeId)>) -> String {
        let weighed = self.access.weigh(directory, right, node, attribute.map(|(_, id)| id));
        let said = if weighed.allowed { "allowed" } else { "not allowed" };
        let by = match weighed.because {
            Some(because) => because.to_owned(),
            None => weighed.rules.iter().map(|rule| format!("{rule:?}")).collect::<Vec<_>>().join(", "),
        };
        format!(
            "acl_summary(main): access {said}({}) on entry/attr({}, {}) to ({}) (not proxied) (reason: {by})",
            right.name(),
            directory.dn_text(node.id),
            attribute.map_or("NULL", |(name, _)| name),
            self.who
        )
    }
}

fn or_none(letters: String) -> String {
    if letters.is_empty() { "none".to_owned() } else { letters }
}
