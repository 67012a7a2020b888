//! Since when an account is disabled: what disables it is a flag that says no time, so the server writes one beside it.

use super::draft::Draft;
use super::write::Write;
use super::{Authority, standing};
use crate::directory::Node;
use crate::model::{AccountAttribute, Value};
use crate::policy::account::Facts;

const SINCE: &str = "accountDisabledTime";
/// What disables an account, whatever the time.
const FLAGS: [AccountAttribute; 3] =
    [AccountAttribute::Disabled, AccountAttribute::UserAccountControl, AccountAttribute::NsAccountLock];

/// Writes the time where the change disables the account, and takes it away where nothing disables it any more. What a file that is
/// imported says stays. `node`: the entry as it is, if there is one.
pub(crate) fn settle(write: &Write<'_>, node: Option<&Node>, draft: &mut Draft<'_>) {
    if write.context.authority == Authority::Installation {
        return;
    }
    let before = node.map(|node| standing::facts(write.head, node.id)).unwrap_or_default();
    let was = before.is_disabled();
    let is = will_be(draft);
    let values = match (was, is) {
        (true, true) => return,
        (false, true) => vec![Value::from(write.context.now.to_generalized_time())],
        (_, false) if before.disabled_since.is_none() => return,
        (_, false) => Vec::new(),
    };
    if let Some(since) = draft.schema.attribute_type(SINCE) {
        draft.entry.set(since.id, since.name(), since.section(), values);
    }
}

fn will_be(draft: &Draft<'_>) -> bool {
    let mut facts = Facts::default();
    for flag in FLAGS {
        let attribute_type = draft.schema.attribute_type(flag.name());
        let attribute = attribute_type.and_then(|it| draft.entry.get(it.id, it.name()));
        attribute.iter().flat_map(|attribute| &attribute.values).for_each(|value| facts.note(flag, value));
    }
    facts.is_disabled()
}
