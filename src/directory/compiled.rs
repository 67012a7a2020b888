//! What is compiled of the entries of a kind that decide about people (password policies, bind rules): once after one of them changed, by
//! whoever asks first, and then only looked up.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use super::{Directory, IdSet};

/// Kinds of entries that something is compiled of, known by their object class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleKind {
    /// pwdPolicy
    PasswordPolicy,
    /// bindRule
    BindRule,
    /// accessRule
    AccessRule,
    /// auditRule
    AuditRule,
}

impl RuleKind {
    /// All of them.
    pub const ALL: [RuleKind; 4] = [RuleKind::PasswordPolicy, RuleKind::BindRule, RuleKind::AccessRule, RuleKind::AuditRule];

    /// The object class of its entries.
    pub fn class(self) -> &'static str {
        match self {
            RuleKind::PasswordPolicy => "pwdPolicy",
            RuleKind::BindRule => "bindRule",
            RuleKind::AccessRule => "accessRule",
            RuleKind::AuditRule => "auditRule",
        }
    }
}

/// What is compiled of the entries of one kind. It may rely on these entries, on the schema and on the names of entries; when one of
/// these changes it is compiled anew.
pub trait Compiled: Any + Send + Sync + Sized {
    /// Of which entries. One kind has one compiled form.
    const KIND: RuleKind;

    /// Reads the entries.
    fn compile(directory: &Directory, entries: &IdSet) -> Self;
}

/// The compiled form, once somebody asked for it; shared by all values of the directory that would come to the same.
#[derive(Clone, Default)]
pub(super) struct Slot(Arc<OnceLock<Arc<dyn Any + Send + Sync>>>);

impl Slot {
    pub(super) fn renew(&mut self) {
        *self = Slot::default();
    }
}

impl Directory {
    /// The compiled form of this value's entries of a kind. Costs a reference count, and the compiling where nobody asked since one of
    /// them changed.
    pub fn compiled<T: Compiled>(&self) -> Arc<T> {
        let (entries, slot) = self.kinds.rules(T::KIND);
        let compile = || Arc::new(T::compile(self, entries));
        let kept = slot.0.get_or_init(|| compile());
        Arc::clone(kept).downcast().unwrap_or_else(|_| compile())
    }

    /// Of two values that were published one after the other, another one where the compiled form may be another.
    pub fn rule_version(&self, kind: RuleKind) -> u64 {
        self.kinds.version(kind)
    }

    /// The entries of a kind.
    pub fn rule_entries(&self, kind: RuleKind) -> &IdSet {
        self.kinds.rules(kind).0
    }
}
