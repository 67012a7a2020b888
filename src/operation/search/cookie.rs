//! Pages (RFC 2696): a cookie says where a search goes on. It is sealed with a key of the installation over the session, the identity and
//! the request, so one that was altered, or brought to another connection or search, is refused and nothing is kept between pages.
//!
//! ```text
//! cookie := 1 ‖ root (8) ‖ after (8) ‖ sent so far (4) ‖ place in a sorted search ‖ seal (16)
//! ```

use crate::model::{EntryId, ResultCode};
use crate::operation::Context;
use crate::operation::control::Controls;
use crate::operation::refusal::Refusal;
use crate::protocol::{LdapResult, SearchRequest};

const FORMAT: u8 = 1;
const FIXED: usize = 21;
const SEAL: usize = 16;
/// A longer place is not put into a cookie: the next page then begins behind as many entries as were sent.
const LONGEST_PLACE: usize = 4096;

/// Where a page ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cookie {
    /// The root that was being walked.
    pub(super) root: EntryId,
    /// The last entry sent.
    pub(super) after: EntryId,
    /// Entries sent on all pages: size limits count them together.
    pub(super) sent: u32,
    /// Its place, where the search is sorted; empty: too long to be told.
    pub(super) place: Vec<u8>,
}

/// One page under way.
pub(super) struct Page {
    /// Entries on this page; none: no bound.
    size: Option<u32>,
    on_page: u32,
    last: Option<(EntryId, EntryId)>,
    place: Vec<u8>,
    /// Where the page before ended.
    pub(super) resumed: Option<Cookie>,
    key: [u8; 32],
}

/// Reads the control of a search: 2 for a cookie that is not of this connection and search; size 0 with a cookie gives the search up.
pub(super) fn page(context: &Context, request: &SearchRequest, controls: &Controls) -> Result<Option<Page>, Refusal> {
    let Some(asked) = &controls.paged else { return Ok(None) };
    let key = key(context, request, controls);
    let mut resumed = None;
    if !asked.cookie.is_empty() {
        let cookie = Cookie::open(&asked.cookie, &key);
        resumed = Some(cookie.ok_or_else(|| Refusal::new(ResultCode::ProtocolError, "paged results cookie is invalid"))?);
        if asked.size == 0 {
            let result = LdapResult::with(ResultCode::Success, "search abandoned by pagedResult size=0");
            return Err(Refusal::of_result(result));
        }
    }
    // Size 0 without a cookie asks for an estimate, which this server does not make: all entries come on one page.
    let size = Some(asked.size).filter(|&size| size > 0);
    Ok(Some(Page { size, on_page: 0, last: None, place: Vec::new(), resumed, key }))
}

impl Page {
    /// Notes an entry that was sent.
    pub(super) fn sent(&mut self, root: EntryId, entry: EntryId) {
        self.on_page = self.on_page.saturating_add(1);
        self.last = Some((root, entry));
    }

    /// Notes the place of that entry in a sorted search.
    pub(super) fn sent_from(&mut self, place: &[u8]) {
        self.place.clear();
        if place.len() <= LONGEST_PLACE {
            self.place.extend_from_slice(place);
        }
    }

    /// The cookie for the next page once this one is full.
    pub(super) fn next_cookie(&self, sent: u32) -> Option<Vec<u8>> {
        let (root, after) = self.last?;
        let full = self.size.is_some_and(|size| self.on_page >= size);
        full.then(|| Cookie { root, after, sent, place: self.place.clone() }.seal(&self.key))
    }
}

impl Cookie {
    fn seal(&self, key: &[u8; 32]) -> Vec<u8> {
        let mut octets = vec![FORMAT];
        octets.extend(self.root.0.to_be_bytes());
        octets.extend(self.after.0.to_be_bytes());
        octets.extend(self.sent.to_be_bytes());
        octets.extend(&self.place);
        let seal = blake3::keyed_hash(key, &octets);
        octets.extend(seal.as_bytes().iter().take(SEAL));
        octets
    }

    fn open(octets: &[u8], key: &[u8; 32]) -> Option<Cookie> {
        let (sealed, _) = octets.split_at_checked(octets.len().checked_sub(SEAL)?)?;
        let (fixed, place) = sealed.split_at_checked(FIXED)?;
        let number = |from: usize| Some(u64::from_be_bytes(fixed.get(from..from + 8)?.try_into().ok()?));
        let sent = u32::from_be_bytes(fixed.get(17..FIXED)?.try_into().ok()?);
        let cookie = Cookie { root: EntryId(number(1)?), after: EntryId(number(9)?), sent, place: place.to_vec() };
        // Sealing what was read must give the same octets: format and length are compared as well.
        let expected = crate::model::Secret::new(cookie.seal(key));
        (expected == crate::model::Secret::from(octets)).then_some(cookie)
    }
}

/// What identifies the list that views of one search show (contextID of a virtual list view).
pub(super) fn view_context(context: &Context, request: &SearchRequest, controls: &Controls) -> Vec<u8> {
    if controls.view.is_none() {
        return Vec::new();
    }
    let seal = blake3::keyed_hash(&key(context, request, controls), b"view");
    seal.as_bytes().iter().take(SEAL).copied().collect()
}

/// The key for one search of one identity on one connection.
fn key(context: &Context, request: &SearchRequest, controls: &Controls) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("bindery paged results cookie");
    let mut part = |octets: &[u8]| {
        hasher.update(&(octets.len() as u64).to_be_bytes()).update(octets);
    };
    part(context.settings.hash_key.expose());
    part(&context.session.to_be_bytes());
    part(&context.acting_number().map_or(u64::MAX, |entry| entry.0).to_be_bytes());
    part(&request.base);
    part(&[request.scope as u8, request.deref as u8, u8::from(request.types_only)]);
    part(request.filter.to_string().as_bytes());
    part(&(request.attributes.len() as u64).to_be_bytes());
    request.attributes.iter().for_each(|attribute| part(attribute.as_bytes()));
    for key in controls.sort.iter().flat_map(|sort| &sort.keys) {
        part(key.attribute.as_bytes());
        part(key.rule.as_deref().unwrap_or_default().as_bytes());
        part(&[u8::from(key.reverse)]);
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_opens_with_its_own_key_only() {
        let cookie = Cookie { root: EntryId(3), after: EntryId(u64::MAX), sent: 77, place: vec![0, 1, 2] };
        let sealed = cookie.seal(&[1; 32]);
        assert_eq!(Cookie::open(&sealed, &[1; 32]), Some(cookie));
        assert_eq!(Cookie::open(&sealed, &[2; 32]), None);
        for place in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert_eq!(Cookie::open(&altered, &[1; 32]), None, "octet {place}");
        }
        assert_eq!(Cookie::open(&sealed[..sealed.len() - 1], &[1; 32]), None);
        assert_eq!(Cookie::open(&[sealed, vec![0]].concat(), &[1; 32]), None);
    }
}
