//! Which attributes of an entry a client asked for (RFC 4511 section 4.5.1.8, RFC 3673, RFC 4529, RFC 3866), and their encoding.

mod part;

use bytes::{Bytes, BytesMut};

use super::access::Readable;
use crate::directory::{Computed, Directory, MembershipAttribute, Node, ValuesFilter};
use crate::model::schema::{AttributeDescription, ObjectClass, Schema};
use crate::model::{AttributeTypeId, AttributeView, Section};
use crate::protocol::ber::{Tag, Writer};
use part::Part;

/// A list of attributes, resolved once per search.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    all_user: bool,
    all_operational: bool,
    named: Vec<Named>,
    computed: Vec<Computed>,
    /// Asked for under names of their own.
    parts: Vec<Part>,
    types_only: bool,
    /// Members that a group finds by searching are left out.
    only_kept: bool,
}

/// A description asked for, which covers subtypes and more options.
#[derive(Clone, Debug)]
struct Named {
    types: Vec<AttributeTypeId>,
    options: Vec<String>,
}

impl Selection {
    /// Most attributes one list may name: each costs time at every attribute of every entry.
    pub(crate) const MAXIMUM: usize = 1000;

    /// Resolves a list: empty means `*`, `1.1` nothing unless other names stand beside it, unknown names are left out.
    pub(crate) fn new(directory: &Directory, attributes: &[String], types_only: bool) -> Selection {
        let schema = directory.schema();
        let mut selection = Selection {
            all_user: attributes.is_empty(),
            all_operational: false,
            named: Vec::new(),
            computed: Vec::new(),
            parts: Vec::new(),
            types_only,
            only_kept: false,
        };
        for attribute in attributes {
            match attribute.as_str() {
                "*" => selection.all_user = true,
                "+" => selection.all_operational = true,
                "1.1" => {}
                name => match Part::parse(directory, name) {
                    Some(part) if selection.parts.iter().any(|other| other.is_of_same(&part)) => {}
                    Some(part) => selection.parts.push(part),
                    None => selection.add_named(schema, name),
                },
            }
        }
        selection.computed = selection.computed(directory);
        selection
    }

    /// Leaves out what is worked out from other entries or from logins, and parts of attributes: followers are not told when it changes
    /// (RFC 4533 section 3.2).
    pub(crate) fn only_synchronized(&mut self) {
        self.computed.retain(|computed| computed.section() == Section::User);
        self.parts.clear();
        self.only_kept = true;
    }

    fn computed(&self, directory: &Directory) -> Vec<Computed> {
        let plain = self.named.iter().filter(|named| named.options.is_empty());
        let named: Vec<Computed> = plain.flat_map(|named| &named.types).filter_map(|&id| directory.computed(id)).collect();
        let covers = |computed: &Computed| match computed.section() {
            _ if *computed == Computed::Reserved => named.contains(computed),
            Section::User if self.all_user => true,
            Section::Operational if self.all_operational => true,
            _ => named.contains(computed),
        };
        directory.all_computed().filter(covers).collect()
    }

    /// Leaves out what only administrators may read.
    pub(crate) fn for_others(mut self) -> Selection {
        self.computed.retain(|computed| *computed != Computed::Reserved);
        self
    }

    fn add_named(&mut self, schema: &Schema, name: &str) {
        if let Some(class) = name.strip_prefix('@') {
            self.add_class(schema, class);
        } else if let Ok(AttributeDescription { attribute_type, options, .. }) = schema.describe(name) {
            self.named.push(Named { types: schema.with_subtypes(attribute_type).to_vec(), options });
        }
    }

    /// RFC 4529: every attribute the class and those above it require or allow.
    fn add_class(&mut self, schema: &Schema, name: &str) {
        let Some(class) = schema.object_class(name) else { return };
        let mut types = Vec::new();
        for class in class_and_superiors(schema, class) {
            if class.name().eq_ignore_ascii_case("extensibleObject") {
                self.all_user = true;
            }
            types.extend(class.must.iter().chain(&class.may).flat_map(|&id| schema.with_subtypes(id)));
        }
        types.sort_unstable();
        types.dedup();
        self.named.push(Named { types, options: Vec::new() });
    }

    fn covers(&self, attribute: &AttributeView<'_>) -> bool {
        let all = match attribute.section {
            Section::User => self.all_user,
            Section::Operational => self.all_operational,
            Section::Secret => return false,
        };
        all || self.named.iter().any(|named| named.covers(attribute))
    }

    /// As [`Selection::encode`] for an entry that is made when it is read: everything it has is in its block.
    pub(crate) fn encode_block(&self, directory: &Directory, node: &Node, values: Option<&ValuesFilter>) -> Bytes {
        let mut output = BytesMut::new();
        let mut writer = Writer::new(&mut output);
        match values {
            Some(values) if !self.types_only => self.encode_kept(&mut writer, directory, node, values, &Readable::All),
            _ => self.encode_attributes(&mut writer, node, false, &Readable::All),
        }
        output.freeze()
    }

    /// As [`Selection::encode`], without the values that are not kept and the attributes that then have none (RFC 3876). Types alone
    /// are sent as they are. An item about an attribute that may not be searched is Undefined.
    pub(crate) fn encode_matched(&self, directory: &Directory, node: &Node, values: &ValuesFilter, readable: &Readable) -> Bytes {
        if self.types_only {
            return self.encode(directory, node, readable);
        }
        let mut output = BytesMut::new();
        let mut writer = Writer::new(&mut output);
        self.encode_kept(&mut writer, directory, node, values, readable);
        let shown = |computed: Computed| is_readable(directory, readable, computed) && is_searched(directory, readable, computed);
        let computed = self.computed.iter().filter(|computed| shown(**computed));
        for computed in computed.filter(|computed| computed.is_present(directory, node)) {
            write_some(&mut writer, computed.name(directory.schema()), &values.computed(directory, *computed, node));
        }
        for part in self.parts.iter().filter(|part| shown(part.computed())) {
            if let Some((description, read)) = part.read(directory, node) {
                write_some(&mut writer, &description, &values.among(directory, part.computed(), read));
            }
        }
        output.freeze()
    }

    fn encode_kept(
        &self,
        writer: &mut Writer<'_>,
        directory: &Directory,
        node: &Node,
        values: &ValuesFilter,
        readable: &Readable,
    ) {
        let may = |id: AttributeTypeId| readable.contains(id) && readable.searches(id);
        let shown = |attribute: &AttributeView<'_>| self.covers(attribute) && may(attribute.attribute_type);
        for attribute in node.entry.attributes().filter(shown) {
            let keeps = |value: &&[u8]| values.keeps(directory, attribute.attribute_type, attribute.description, value);
            let kept: Vec<Bytes> = attribute.values().filter(keeps).map(Bytes::copy_from_slice).collect();
            write_some(writer, attribute.description, &kept);
        }
    }

    /// The PartialAttributes of an entry that were asked for and may be read, concatenated. Secrets never are.
    pub(crate) fn encode(&self, directory: &Directory, node: &Node, readable: &Readable) -> Bytes {
        let computed = self.present(directory, node, readable);
        let whole_user_section = self.all_user && !self.all_operational && !self.types_only && reads_all_of_user(node, readable);
        let user = node.entry.encoded_section(Section::User);
        if whole_user_section && self.named.is_empty() && self.parts.is_empty() && computed.is_empty() {
            return node.entry.block().slice_ref(user);
        }
        let mut output = BytesMut::with_capacity(user.len().min(64 * 1024));
        let mut writer = Writer::new(&mut output);
        if whole_user_section {
            writer.raw(user);
        }
        self.encode_attributes(&mut writer, node, whole_user_section, readable);
        for computed in computed {
            let name = computed.name(directory.schema());
            if let Computed::Members(attribute) = computed
                && !self.types_only
                && (self.only_kept || !directory.is_dynamic(node))
            {
                write_members(&mut writer, name, directory, node, attribute);
                continue;
            }
            let values = match computed {
                Computed::Members(MembershipAttribute::Member) if !self.only_kept => directory.all_member_values(node),
                Computed::MemberOf => directory.all_groups_of(node.id).iter().map(|id| directory.dn_text(id).into()).collect(),
                other => other.values(directory, node),
            };
            if self.types_only && !values.is_empty() {
                write_type(&mut writer, name);
            } else if !values.is_empty() {
                write_attribute(&mut writer, name, &values);
            }
        }
        let parts = self.parts.iter().filter(|part| is_readable(directory, readable, part.computed()));
        for part in parts.filter_map(|part| part.read(directory, node)) {
            let (description, values) = part;
            write_attribute(&mut writer, &description, if self.types_only { &[] } else { &values });
        }
        output.freeze()
    }

    /// The computed attributes that were asked for and that the entry has.
    fn present(&self, directory: &Directory, node: &Node, readable: &Readable) -> Vec<Computed> {
        // Most entries have none, and few have more than one: that is asked once, not for each attribute there is.
        let has_any = directory.has_memberships(node.id) && self.computed.iter().any(|it| matches!(it, Computed::Members(_)));
        let members = if has_any { directory.membership_attributes(node.id) } else { Vec::new() };
        let is_present = |computed: &Computed| match computed {
            computed if !is_readable(directory, readable, *computed) => false,
            Computed::Members(attribute) => {
                let is_dynamic = || *attribute == MembershipAttribute::Member && !self.only_kept && directory.is_dynamic(node);
                members.contains(attribute) || is_dynamic()
            }
            Computed::MemberOf => !directory.all_groups_of(node.id).is_empty(),
            other => other.is_present(directory, node),
        };
        self.computed.iter().copied().filter(is_present).collect()
    }

    /// Writes what is in the block and asked for; the user section is left out where it was written whole.
    fn encode_attributes(&self, writer: &mut Writer<'_>, node: &Node, without_user: bool, readable: &Readable) {
        for attribute in node.entry.attributes() {
            let written = without_user && attribute.section == Section::User;
            if written || !self.covers(&attribute) || !readable.contains(attribute.attribute_type) {
                continue;
            }
            if self.types_only {
                write_type(writer, attribute.description);
            } else {
                writer.raw(attribute.encoded);
            }
        }
    }
}

/// Whether every attribute of the user section may be read.
fn reads_all_of_user(node: &Node, readable: &Readable) -> bool {
    let of_user = |attribute: &AttributeView<'_>| attribute.section == Section::User;
    match readable {
        Readable::All => true,
        Readable::These(these) => node.entry.attributes().filter(of_user).all(|it| these.reads(it.attribute_type)),
    }
}

fn is_readable(directory: &Directory, readable: &Readable, computed: Computed) -> bool {
    match readable {
        Readable::All => true,
        Readable::These(these) => computed.attribute_type(directory.schema()).is_some_and(|it| these.reads(it)),
    }
}

fn is_searched(directory: &Directory, readable: &Readable, computed: Computed) -> bool {
    computed.attribute_type(directory.schema()).is_some_and(|it| readable.searches(it))
}

impl Named {
    fn covers(&self, attribute: &AttributeView<'_>) -> bool {
        self.types.contains(&attribute.attribute_type) && covers_options(&self.options, attribute.description)
    }
}

/// A class and all above it, each once.
pub(crate) fn class_and_superiors<'a>(schema: &'a Schema, class: &'a ObjectClass) -> Vec<&'a ObjectClass> {
    let mut classes = vec![class];
    let mut next = 0;
    while let Some(class) = classes.get(next).copied() {
        for superior in class.superiors.iter().filter_map(|&index| schema.object_classes().get(index)) {
            if !classes.iter().any(|known| known.oid == superior.oid) {
                classes.push(superior);
            }
        }
        next += 1;
    }
    classes
}

/// Whether a description carries every option asked for. `lang-de-` asks for a range: `lang-de` and all below it (RFC 3866 section 4).
pub(crate) fn covers_options(asked: &[String], description: &str) -> bool {
    asked.iter().all(|asked| {
        description.split(';').skip(1).any(|option| match asked.strip_suffix('-') {
            Some(range) if asked.starts_with("lang-") => {
                option.strip_prefix(range).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            }
            _ => option == asked,
        })
    })
}

/// An attribute with these values; nothing without any.
fn write_some(writer: &mut Writer<'_>, description: &str, values: &[Bytes]) {
    if !values.is_empty() {
        write_attribute(writer, description, values);
    }
}

/// The listed members of a group, straight from the entries' names: there may be hundreds of thousands.
fn write_members(writer: &mut Writer<'_>, name: &str, directory: &Directory, node: &Node, attribute: MembershipAttribute) {
    let first = directory.some_member_values(node.id, attribute, 0, 1).first().map_or(0, Bytes::len);
    let length = directory.member_count(node.id, attribute).saturating_mul(first + 4);
    writer.reserve(length.saturating_add(length / 8));
    writer.constructed_about(Tag::SEQUENCE, length + name.len() + 8, |writer| {
        writer.octet_string(name.as_bytes());
        writer.constructed_about(Tag::SET, length, |writer| {
            directory.each_member_value(node.id, attribute, 0, |name, behind| writer.octet_string_of(name, behind));
        });
    });
}

fn write_type(writer: &mut Writer<'_>, description: &str) {
    write_attribute(writer, description, &[]);
}

/// One PartialAttribute.
pub(crate) fn write_attribute(writer: &mut Writer<'_>, description: &str, values: &[Bytes]) {
    let length: usize = values.iter().map(|value| value.len() + 4).sum();
    writer.constructed_about(Tag::SEQUENCE, length + description.len() + 8, |writer| {
        writer.octet_string(description.as_bytes());
        writer.constructed_about(Tag::SET, length, |writer| values.iter().for_each(|value| writer.octet_string(value)));
    });
}

#[cfg(test)]
mod tests {
    use super::covers_options;

    #[test]
    fn options_asked_for_must_be_there_and_ranges_cover_what_is_below() {
        let covers = |asked: &[&str], description: &str| {
            covers_options(&asked.iter().map(|&option| option.to_owned()).collect::<Vec<_>>(), description)
        };
        assert!(covers(&[], "description;lang-en"));
        assert!(covers(&["lang-en"], "description;lang-en"));
        assert!(!covers(&["lang-en"], "description"));
        assert!(!covers(&["lang-en"], "description;lang-en-gb"));
        assert!(covers(&["lang-en-"], "description;lang-en-gb"));
        assert!(covers(&["lang-en-"], "description;lang-en"));
        assert!(!covers(&["lang-en-"], "description;lang-enx"));
        assert!(!covers(&["lang-en-"], "description"));
    }
}
