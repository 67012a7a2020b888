//! An authority of time stamps (RFC 3161 over HTTP): its signed word that a checkpoint was there at a time.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Anchor, folder, http};
use crate::config::TimeStampSettings;
use crate::journal::SignedTreeHead;
use crate::journal::time_stamp;
use crate::server::tls;
use crate::world::Entropy;

/// An authority.
pub(super) struct Authority {
    pub(super) settings: TimeStampSettings,
    pub(super) data: PathBuf,
    pub(super) entropy: Arc<dyn Entropy>,
}

impl Anchor for Authority {
    fn place(&self) -> String {
        format!("the time stamps of {}", self.settings.url)
    }

    fn anchor(&mut self, head: &SignedTreeHead) -> Result<(), String> {
        let authorities = tls::authorities(&self.settings.authorities).map_err(|error| error.to_string())?;
        let mut nonce = [0; 8];
        self.entropy.fill(&mut nonce);
        let text = head.text();
        let question = time_stamp::request(text, nonce).map_err(|error| error.to_string())?;
        let kind = "application/timestamp-query";
        let answer = http::post(&self.settings.url, self.settings.tls_authorities.as_deref(), kind, &question)?;
        if answer.status != 200 {
            return Err(format!("it answered {}", answer.status));
        }
        let (token, time) = time_stamp::take(&answer.body, text, nonce, &authorities).map_err(|error| error.to_string())?;
        tracing::debug!(size = head.head.size, time = time.to_rfc3339(), "a checkpoint was stamped");
        let host = self.settings.url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let name = super::witness::plain(host);
        folder::keep(&self.data, head, &format!("{name}.checkpoint"), head.note.as_bytes())
            .and_then(|()| folder::keep(&self.data, head, &format!("{name}.tst"), &token))
            .map_err(|error| format!("its time stamp cannot be kept: {error}"))
    }
}
