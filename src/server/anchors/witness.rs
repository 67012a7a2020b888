//! A witness (c2sp.org/tlog-witness): it is shown that the journal only grew since it last looked, and cosigns the checkpoint.
//!
//! ```text
//! POST PREFIX/add-checkpoint     old SIZE, proof of consistency, empty line, checkpoint
//! 200                            lines with cosignatures, kept with the checkpoint
//! 409                            the size that it saw last: asked again from there
//! ```

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{Anchor, folder, http};
use crate::config::WitnessSettings;
use crate::journal::SignedTreeHead;
use crate::journal::cosignature::WitnessKey;
use crate::journal::tree::consistency_proof;
use crate::operation::monitor::HealthLevel;
use crate::server::notary::NotaryWatch;
use crate::store::TreeFiles;

/// The witness's view differs from the journal: nothing else can be.
const CONFLICT: u16 = 409;
const UNPROCESSABLE: u16 = 422;

/// A witness.
pub(super) struct Witness {
    pub(super) settings: WitnessSettings,
    pub(super) key: WitnessKey,
    pub(super) files: TreeFiles,
    pub(super) data: PathBuf,
    pub(super) notary: Arc<NotaryWatch>,
    /// What it cosigned last, as far as is known.
    pub(super) known: u64,
}

impl Anchor for Witness {
    fn place(&self) -> String {
        format!("the witness {} at {}", self.key.name(), self.settings.url)
    }

    fn anchor(&mut self, head: &SignedTreeHead) -> Result<(), String> {
        let asked = self.known.min(head.head.size);
        let mut answer = self.ask(asked, head)?;
        if answer.status == CONFLICT {
            let seen = self.seen(&answer, asked, head)?;
            answer = self.ask(seen, head)?;
        }
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        if answer.status == CONFLICT || answer.status == UNPROCESSABLE {
            return Err(self.disagrees(&format!("saw a journal that did not only grow (status {})", answer.status)));
        }
        if answer.status != 200 {
            let said: String = text.chars().filter(|character| !character.is_control()).take(200).collect();
            return Err(format!("it answered {} {said}", answer.status));
        }
        // Whatever keys it signs with: those of others say nothing here.
        let lines: String = text.split_inclusive('\n').filter(|line| line.starts_with("— ") && line.ends_with('\n')).collect();
        let note = format!("{}{lines}", head.note);
        if self.key.cosigned(&note).is_none() {
            return Err("it answered without a cosignature by the key that is configured".to_owned());
        }
        folder::keep(&self.data, head, &format!("{}.cosigned.checkpoint", plain(self.key.name())), note.as_bytes())
            .map_err(|error| format!("its cosignature cannot be kept: {error}"))?;
        self.known = head.head.size;
        Ok(())
    }
}

impl Witness {
    fn ask(&self, old: u64, head: &SignedTreeHead) -> Result<http::Answer, String> {
        let proof = consistency_proof(&self.files, old, head.head.size).map_err(|error| error.to_string())?;
        let mut body = format!("old {old}\n");
        for hash in proof {
            // Writing to a String does not fail.
            let _ = writeln!(body, "{}", BASE64_STANDARD.encode(hash));
        }
        let _ = write!(body, "\n{}", head.note);
        let url = format!("{}/add-checkpoint", self.settings.url.trim_end_matches('/'));
        http::post(&url, self.settings.tls_authorities.as_deref(), "text/plain; charset=utf-8", body.as_bytes())
    }

    /// The size that the witness says it saw last.
    fn seen(&mut self, answer: &http::Answer, asked: u64, head: &SignedTreeHead) -> Result<u64, String> {
        let text = String::from_utf8_lossy(&answer.body);
        let seen: u64 = text.trim_end().parse().map_err(|_| "it answered 409 without a size".to_owned())?;
        if seen > head.head.size {
            let size = head.head.size;
            return Err(self.disagrees(&format!(
                "saw {seen} records, and the journal has {size}: it was cut off, or an older data folder was put in its place"
            )));
        }
        if seen == asked {
            return Err(self.disagrees(&format!("saw other records among the first {seen}")));
        }
        self.known = seen;
        Ok(seen)
    }

    fn disagrees(&self, how: &str) -> String {
        let text = format!("{} {how}; find out with: bindery journal verify", self.place());
        self.notary.set_trouble(HealthLevel::Red, Some(text.clone()));
        text
    }
}

/// A name as part of a file's.
pub(super) fn plain(name: &str) -> String {
    let fits = |character: char| character.is_ascii_alphanumeric() || character == '-';
    name.chars().map(|character| if fits(character) { character } else { '_' }).take(64).collect()
}
