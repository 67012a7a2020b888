//! Logins that were verified a moment ago: which account, as it is now, with which password.

use aws_lc_rs::hmac;

use super::PendingBind;
use crate::directory::Directory;
use crate::model::{EntryId, Secret};
use crate::operation::standing::Standing;
use crate::operation::{Context, account};
use crate::policy::password::{HashAnswer, LoginTag, is_normalized};

/// What a bind says of its password, for the session: it decides what follows the committer's answer.
#[derive(Clone, Debug, Default)]
pub enum Proof {
    /// Nothing that is worth remembering.
    #[default]
    None,
    /// A run of the hash found it right: the login may be remembered with the value that is stored from now on.
    Verified(LoginTag, Secret),
    /// No run was needed. Where the login is refused all the same, one is due.
    Recalled,
}

impl PendingBind {
    /// Under which tag this login may be remembered or recalled; none where it would not be allowed with the right password.
    pub fn tag(&self) -> Option<&LoginTag> {
        self.tag.as_ref()
    }

    /// What came of the password.
    pub fn proof(&self) -> Proof {
        if self.app.is_some() {
            return Proof::Recalled;
        }
        match (&self.answer, &self.tag) {
            (Some(HashAnswer::Recalled(_)), _) => Proof::Recalled,
            (Some(HashAnswer::Verified { matched: Some(matched), rehashed }), Some(tag)) => {
                Proof::Verified(tag.clone(), rehashed.as_ref().unwrap_or(matched).clone())
            }
            _ => Proof::None,
        }
    }
}

/// The tag of a login; none where logins are not remembered, or where this one is refused whatever the password.
pub(super) fn tag(directory: &Directory, context: &Context, pending: &PendingBind, given: &Secret) -> Option<LoginTag> {
    let settings = context.settings.remembered_logins.as_ref()?;
    let account = pending.account.filter(|_| pending.refusal.is_none())?;
    // The run that is due where such a login is refused after all is one, and this password costs two.
    if !is_normalized(given.expose()) {
        return None;
    }
    let standing = Standing::of(directory, account);
    if standing.barrier(context.now, pending.method.is_password()).is_some() || standing.waits(&context.peer, context.now) {
        return None;
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, settings.key.expose());
    let mut mac = hmac::Context::with_key(&key);
    put_version(directory, account, &mut mac)?;
    mac.update(given.expose());
    Some(LoginTag { account, mac: mac.sign().as_ref().try_into().ok()? })
}

/// What changes with anything that bears on the account: entryCSN moves with every modification, its name with a rename of it or of an entry
/// above it, its groups with its rights. Login times and a rehash of the same password change none of them.
fn put_version(directory: &Directory, account: EntryId, mac: &mut hmac::Context) -> Option<()> {
    let mut put = |octets: &[u8]| {
        mac.update(&(octets.len() as u64).to_be_bytes());
        mac.update(octets);
    };
    put(&account.0.to_be_bytes());
    put(&account::version(directory, Some(account))?);
    put(directory.dn_text(account).as_bytes());
    let groups = directory.group_set_of(account);
    let mut numbers = Vec::with_capacity(groups.len() * 8);
    groups.iter().for_each(|group| numbers.extend_from_slice(&group.0.to_be_bytes()));
    put(&numbers);
    Some(())
}
