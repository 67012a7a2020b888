//! The root DSE (RFC 4512 section 5.1) and the subschema entry (section 4.2): made when they are read.

use super::accesslog::ACCESSLOG;
use super::monitor::{MONITOR, is_monitor, monitor};
use super::write::is_subschema;
use super::{Context, ListenerKind, control, sessions};
use crate::directory::SUBSCHEMA;
use crate::directory::{Directory, FilterContext, Node, PreparedFilter, Truth};
use crate::model::schema::{RdnKey, Schema};
use crate::model::{Dn, EntryBuilder, EntryId, Filter, Value};
use crate::protocol::oid;

/// The number of entries that are in no directory.
pub(crate) const NO_ENTRY: EntryId = EntryId(u64::MAX);

/// An entry that is in no directory, where the name is one's: the root DSE, the subschema entry, the monitor for who may read it.
pub(crate) fn special(directory: &Directory, context: &Context, dn: &Dn) -> Option<Node> {
    if dn.is_empty() {
        Some(root_dse(directory, context))
    } else if is_subschema(directory, dn) {
        Some(subschema(directory))
    } else if is_monitor(directory, dn) {
        monitor(directory, context)
    } else {
        sessions::entry(directory, context, dn)
    }
}

/// The root DSE as this connection sees it: what is offered depends on TLS and certificate.
pub(crate) fn root_dse(directory: &Directory, context: &Context) -> Node {
    let mut extensions = vec![
        oid::WHO_AM_I,
        oid::PASSWORD_MODIFY,
        oid::CANCEL,
        oid::START_TRANSACTION,
        oid::END_TRANSACTION,
        oid::REFRESH,
        oid::ACCOUNT_REPORT,
        oid::POLICY_TEST,
        oid::EXPLAIN,
        oid::APP_PASSWORD,
        oid::OTP_ENROLMENT,
    ];
    if context.settings.start_tls && context.peer.listener == ListenerKind::Ldap {
        extensions.push(oid::START_TLS);
    }
    if context.peer.listener == ListenerKind::Ldapi {
        extensions.extend([oid::BACKUP, oid::KEY_ROTATION, oid::JOURNAL_READ, oid::CLOCK_CONFIRMATION]);
    }
    let features = [
        oid::MODIFY_INCREMENT,
        oid::ALL_OPERATIONAL,
        oid::OBJECT_CLASS_ATTRIBUTES,
        oid::TRUE_FALSE_FILTERS,
        oid::LANGUAGE_TAGS,
        oid::LANGUAGE_RANGES,
    ];
    let mut entry = SpecialEntry::new(directory.schema());
    entry.set("objectClass", ["top", "binderyRootDSE"]);
    entry.set("structuralObjectClass", ["binderyRootDSE"]);
    entry.set("namingContexts", [directory.suffix().to_string()]);
    entry.set("dynamicSubtrees", [directory.suffix().to_string()]);
    entry.set("supportedControl", control::supported());
    entry.set("supportedExtension", extensions);
    entry.set("supportedFeatures", features);
    entry.set("supportedLDAPVersion", ["3"]);
    entry.set("supportedSASLMechanisms", sasl_mechanisms(context));
    entry.set("subschemaSubentry", [SUBSCHEMA]);
    if context.settings.monitor.is_there() {
        entry.set("monitorContext", [MONITOR]);
        entry.set("auditContext", [ACCESSLOG]);
    }
    entry.set("entryDN", [""]);
    entry.set("vendorName", ["Bindery"]);
    entry.set("vendorVersion", [context.settings.version]);
    entry.into_node("")
}

/// What would be taken from this connection now.
fn sasl_mechanisms(context: &Context) -> Vec<&'static str> {
    let certificate = context.tls.as_ref().is_some_and(|tls| tls.certificate.is_some());
    let mut mechanisms = Vec::new();
    if certificate || context.peer.ldapi_identity.is_some() {
        mechanisms.push("EXTERNAL");
    }
    if context.is_confidential() {
        mechanisms.push("PLAIN");
    }
    mechanisms
}

/// The subschema entry.
pub(crate) fn subschema(directory: &Directory) -> Node {
    let schema = directory.schema();
    let mut entry = SpecialEntry::new(schema);
    entry.set("objectClass", ["top", "subentry", "subschema", "extensibleObject"]);
    entry.set("cn", ["Subschema"]);
    entry.set("structuralObjectClass", ["subentry"]);
    entry.set("entryDN", [SUBSCHEMA]);
    entry.set("subschemaSubentry", [SUBSCHEMA]);
    entry.set("hasSubordinates", ["FALSE"]);
    entry.set("numSubordinates", ["0"]);
    entry.set("ldapSyntaxes", schema.published_syntaxes());
    entry.set("matchingRules", schema.published_matching_rules());
    entry.set("matchingRuleUse", schema.published_matching_rule_use());
    entry.set("attributeTypes", schema.published_attribute_types());
    entry.set("objectClasses", schema.published_object_classes());
    entry.set("dITContentRules", schema.published_dit_content_rules());
    entry.set("nameForms", schema.published_name_forms());
    entry.set("dITStructureRules", schema.published_dit_structure_rules());
    if let Some(last) = directory.last_revision() {
        entry.set("modifiersName", [&last.by]);
        entry.set("modifyTimestamp", [last.at.to_generalized_time()]);
    }
    entry.into_node(SUBSCHEMA)
}

/// Whether a filter is True for such an entry.
pub(crate) fn matches(directory: &Directory, filter: &Filter, node: &Node) -> bool {
    // By far the most common one, and the subschema entry is large.
    if matches!(filter, Filter::Present(name) if name.eq_ignore_ascii_case("objectClass")) {
        return true;
    }
    let context = FilterContext { directory, may_search: &|_, _| true };
    PreparedFilter::new(directory, filter).evaluate(&context, node) == Truth::True
}

pub(super) struct SpecialEntry<'a> {
    schema: &'a Schema,
    builder: EntryBuilder,
}

impl<'a> SpecialEntry<'a> {
    pub(super) fn new(schema: &'a Schema) -> SpecialEntry<'a> {
        SpecialEntry { schema, builder: EntryBuilder::default() }
    }

    /// An attribute the schema does not define is left out.
    pub(super) fn set<T: AsRef<str>>(&mut self, name: &str, values: impl IntoIterator<Item = T>) {
        if let Some(it) = self.schema.attribute_type(name) {
            let values = values.into_iter().map(|value| Value::copy_from_slice(value.as_ref().as_bytes())).collect();
            self.builder.set(it.id, it.name(), it.section(), values);
        }
    }

    /// The same with octets.
    pub(super) fn set_octets(&mut self, name: &str, values: Vec<Value>) {
        if let Some(it) = self.schema.attribute_type(name) {
            self.builder.set(it.id, it.name(), it.section(), values);
        }
    }

    pub(super) fn into_node(self, name: &str) -> Node {
        let rdn_key = RdnKey(Box::default());
        Node { id: NO_ENTRY, parent: None, name: name.to_owned(), rdn_key, entry: self.builder.build() }
    }
}
