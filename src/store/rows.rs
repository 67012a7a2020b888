//! Rows in sled: sealed, cut into pieces of at most 4 KB, and the row `meta` that says which sequence they stand for.
//!
//! | tree | key | value |
//! |---|---|---|
//! | `schema`, `entries`, `memberships`, `account_state`, `whole`, `identifiers` | key of the row ‖ piece (4) | key id (4) ‖ nonce counter (8) ‖ pieces (4) ‖ sealed |
//! | `meta` | `state` | [`Meta`], authenticated |
//! | `meta` | `key` ‖ id (4) | salt of the key with that id |
//!
//! The rows' keys are numbers and keyed hashes (see `Change::rows`), so nothing personal stands there in clear; no key is the beginning of
//! another one in its tree, so the pieces of a row lie side by side.

mod pieces;
#[cfg(test)]
mod tests;

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use pieces::{RowKeys, piece_count, piece_key};
use sled::transaction::{TransactionError, Transactional as _};
use sled::{Db, Tree};

use super::keys::Keys;
use crate::directory::{Row, RowChange, Table};
use crate::world::Entropy;

/// Keys in one sled transaction: more at once and sled's memory grows without bound.
const TRANSACTION_KEYS: usize = 200;
/// Keys written between two flushes. sled writes buffers of 512 KiB in a pool of threads that grows only while more is given to it. A thread that
/// waits there for the end of its file to be cut off holds what all others need, so once every thread of the pool has a buffer to write
/// nobody is left for the cutting, and everything stands still for good. With so few keys there are always threads to spare.
const UNFLUSHED_KEYS: usize = TRANSACTION_KEYS;
/// sled's page cache, in octets. It is only a hint to sled; the directory is in memory anyway.
const CACHE_OCTETS: u64 = 8 * 1024 * 1024;

/// How long a sled of this process that was just dropped may take to let its file go, and how often that is looked at.
const RELEASE_WAIT: Duration = Duration::from_secs(10);
const RELEASE_STEP: Duration = Duration::from_millis(5);

const STATE: &[u8] = b"state";
const KEY: &[u8] = b"key";

/// What is wrong with the checkpoint: words for the log and for `StartNote::Rebuilt`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct RowsError(pub(super) String);

impl From<sled::Error> for RowsError {
    fn from(error: sled::Error) -> RowsError {
        RowsError(format!("sled: {error}"))
    }
}

impl From<crate::journal::SealError> for RowsError {
    fn from(error: crate::journal::SealError) -> RowsError {
        RowsError(error.to_string())
    }
}

fn wrong(problem: &str) -> RowsError {
    RowsError(problem.to_owned())
}

/// What the rows stand for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Meta {
    /// Changes up to this sequence are in.
    pub(super) applied: u64,
    /// Equal to `applied`, or further: then changes of the sequences between are in in part, and applying all of them anew up to here
    /// makes it whole.
    pub(super) target: u64,
    /// Number of rows.
    pub(super) rows: u64,
    /// Digest of the content at `applied`.
    pub(super) digest: [u8; 32],
}

const META_OCTETS: usize = 4 + 8 * 3 + 32;

impl Meta {
    fn encode(&self, key: &[u8; 32]) -> Vec<u8> {
        let mut octets = Vec::with_capacity(META_OCTETS + 32);
        octets.extend_from_slice(&1u32.to_le_bytes());
        octets.extend_from_slice(&self.applied.to_le_bytes());
        octets.extend_from_slice(&self.target.to_le_bytes());
        octets.extend_from_slice(&self.rows.to_le_bytes());
        octets.extend_from_slice(&self.digest);
        let check = blake3::keyed_hash(key, &octets);
        octets.extend_from_slice(check.as_bytes());
        octets
    }

    fn decode(octets: &[u8], key: &[u8; 32]) -> Option<Meta> {
        let (content, check) = octets.split_at_checked(META_OCTETS)?;
        if blake3::keyed_hash(key, content).as_bytes() != check || content.get(..4)? != 1u32.to_le_bytes() {
            return None;
        }
        let number = |at: usize| Some(u64::from_le_bytes(content.get(at..at + 8)?.try_into().ok()?));
        Some(Meta { applied: number(4)?, target: number(12)?, rows: number(20)?, digest: content.get(28..)?.try_into().ok()? })
    }
}

/// The open sled checkpoint. Used by one thread at a time.
pub(super) struct Rows {
    db: Db,
    file: File,
    entries: Tree,
    memberships: Tree,
    account_state: Tree,
    whole: Tree,
    schema: Tree,
    identifiers: Tree,
    meta_tree: Tree,
    meta: Option<Meta>,
    /// Authenticates `meta`.
    meta_key: [u8; 32],
    /// Which seal key that and the rows' keys are derived from.
    key_check: [u8; 32],
    keys: RowKeys,
    /// Keys written since sled was last flushed.
    unflushed: usize,
}

/// One sled write.
struct Step {
    table: Table,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
    /// What this write does to the number of rows.
    rows: i64,
}

impl Rows {
    /// Opens or makes the sled folder and draws a key for this process. May panic inside sled where the folder is damaged.
    pub(super) fn open(folder: &Path, keys: &Keys, entropy: &dyn Entropy, may_be_new: bool) -> Result<Rows, RowsError> {
        if !wait_until_free(folder) {
            return Err(wrong("sled's file is locked"));
        }
        remove_generating_snapshots(folder);
        let db = sled::Config::new().path(folder).cache_capacity(CACHE_OCTETS).flush_every_ms(None).open()?;
        let file = File::open(folder.join("db")).map_err(|error| RowsError(format!("{}: {error}", folder.display())))?;
        let identity = keys.identity();
        let meta_tree = db.open_tree("meta")?;
        let state = meta_tree.get(STATE)?;
        if state.is_none() && !may_be_new {
            return Err(wrong("the checkpoint is empty or was never finished"));
        }
        // An unfinished one is made anew under the key in force.
        let found = keys.try_each(|key| {
            let meta_key = *key.derive(&identity.salt, "bindery checkpoint meta 1")?;
            let meta = state.as_ref().map(|octets| Meta::decode(octets, &meta_key));
            Ok::<_, RowsError>((meta != Some(None)).then(|| (key.clone(), meta_key, meta.flatten())))
        })?;
        let (seal_key, meta_key, meta) = found.ok_or_else(|| wrong("the row meta is damaged"))?;
        let key_check = identity.check_of(&seal_key).map_err(|error| RowsError(error.to_string()))?;
        let mut rows = Rows {
            entries: db.open_tree("entries")?,
            memberships: db.open_tree("memberships")?,
            account_state: db.open_tree("account_state")?,
            whole: db.open_tree("whole")?,
            schema: db.open_tree("schema")?,
            identifiers: db.open_tree("identifiers")?,
            meta_tree,
            meta,
            meta_key,
            keys: RowKeys::new(seal_key),
            key_check,
            unflushed: 0,
            file,
            db,
        };
        rows.add_key(entropy)?;
        Ok(rows)
    }

    /// What the rows stand for; none while a new checkpoint is being filled.
    pub(super) fn meta(&self) -> Option<Meta> {
        self.meta
    }

    /// Which seal key they are sealed under.
    pub(super) fn key_check(&self) -> [u8; 32] {
        self.key_check
    }

    /// Reads every row.
    pub(super) fn scan(&self, each: &mut dyn FnMut(Row) -> Result<(), RowsError>) -> Result<(), RowsError> {
        let mut count = 0u64;
        for table in Table::ALL {
            let mut pieces = self.tree(table).iter();
            while let Some(first) = pieces.next() {
                each(self.keys.join(table, first?, &mut pieces)?)?;
                count += 1;
            }
        }
        match self.meta {
            Some(meta) if meta.rows != count => Err(RowsError(format!("{count} rows where {} are due", meta.rows))),
            _ => Ok(()),
        }
    }

    /// Writes the outcome of all changes after `meta().applied` up to `through`, whose digest is given. Not durable before
    /// [`Rows::flush`].
    ///
    /// All but the last transaction leave `meta.target` ahead of `meta.applied`. A crash in between is repaired by doing the same again:
    /// the rows say what is afterwards, not what to do, so a second time is harmless, and after it the digest of `through` must fit.
    /// That needs no digest of states in between, and none is ever read as if it were whole.
    pub(super) fn apply(&mut self, changes: Vec<RowChange>, through: u64, digest: [u8; 32]) -> Result<(), RowsError> {
        let before = self.meta.unwrap_or_default();
        let mut steps = Vec::new();
        let mut meta = Meta { target: through, ..before };
        for change in changes {
            self.add_steps(change, &mut steps)?;
            while steps.len() >= TRANSACTION_KEYS {
                let rest = steps.split_off(TRANSACTION_KEYS - 1);
                self.write(&steps, &mut meta, true)?;
                steps = rest;
            }
        }
        meta = Meta { applied: through, digest, ..meta };
        self.write(&steps, &mut meta, true)
    }

    /// Breaks off like a crash in the middle of [`Rows::apply`], after so many transactions.
    #[cfg(test)]
    pub(super) fn apply_partly(&mut self, changes: Vec<RowChange>, through: u64, transactions: usize) -> Result<(), RowsError> {
        let mut steps = Vec::new();
        for change in changes {
            self.add_steps(change, &mut steps)?;
        }
        let mut meta = Meta { target: through, ..self.meta.unwrap_or_default() };
        steps.chunks(TRANSACTION_KEYS - 1).take(transactions).try_for_each(|chunk| self.write(chunk, &mut meta, true))
    }

    /// Fills a new checkpoint. Until [`Rows::finish_filling`] there is no `meta`: a crash in between leaves a folder that is refused
    /// and filled anew.
    pub(super) fn fill(&mut self, changes: Vec<RowChange>, meta: &mut Meta) -> Result<(), RowsError> {
        let mut steps = Vec::new();
        for change in changes {
            self.add_steps(change, &mut steps)?;
            while steps.len() >= TRANSACTION_KEYS {
                let rest = steps.split_off(TRANSACTION_KEYS);
                self.write(&steps, meta, false)?;
                steps = rest;
            }
        }
        self.write(&steps, meta, false)
    }

    /// Declares what was filled in whole.
    pub(super) fn finish_filling(&mut self, mut meta: Meta) -> Result<(), RowsError> {
        self.flush()?;
        self.write(&[], &mut meta, true)?;
        self.flush()
    }

    /// Makes everything written so far durable: sled's own flush does not reach the device on Linux.
    pub(super) fn flush(&self) -> Result<(), RowsError> {
        self.db.flush()?;
        self.file.sync_data().map_err(|error| RowsError(format!("sled's file: {error}")))
    }

    fn tree(&self, table: Table) -> &Tree {
        match table {
            Table::Entries => &self.entries,
            Table::Memberships => &self.memberships,
            Table::AccountState => &self.account_state,
            Table::Meta => &self.whole,
            Table::Schema => &self.schema,
            Table::Identifiers => &self.identifiers,
        }
    }

    fn add_key(&mut self, entropy: &dyn Entropy) -> Result<(), RowsError> {
        let mut last = 0;
        for row in self.meta_tree.scan_prefix(KEY) {
            let (key, salt) = row?;
            let id = key.get(KEY.len()..).and_then(|id| id.try_into().ok()).map(u32::from_be_bytes);
            let salt: Option<[u8; 32]> = salt.as_ref().try_into().ok();
            let (Some(id), Some(salt)) = (id, salt) else { return Err(wrong("a key row is damaged")) };
            self.keys.add(id, &salt)?;
            last = last.max(id);
        }
        let id = last.checked_add(1).ok_or_else(|| wrong("no key numbers are left"))?;
        let mut salt = [0; 32];
        entropy.fill(&mut salt);
        self.keys.add_own(id, &salt)?;
        self.meta_tree.insert([KEY, &id.to_be_bytes()].concat(), &salt)?;
        Ok(())
    }

    /// The writes one row needs. The first piece comes last: while it is the old one, it tells how many old pieces there are.
    fn add_steps(&mut self, change: RowChange, steps: &mut Vec<Step>) -> Result<(), RowsError> {
        let RowChange { table, key, value } = change;
        let old = self.tree(table).get(piece_key(&key, 0))?.map_or(Ok(0), |piece| piece_count(&piece))?;
        let pieces = match &value {
            Some(value) => self.keys.cut(table, &key, value)?,
            None => Vec::new(),
        };
        let kept = u32::try_from(pieces.len()).map_err(|_| wrong("too many pieces"))?;
        for number in (kept.max(1)..old).rev() {
            steps.push(Step { table, key: piece_key(&key, number), value: None, rows: 0 });
        }
        let is_new = old == 0;
        for (number, piece) in pieces.into_iter().enumerate().rev() {
            let number = u32::try_from(number).map_err(|_| wrong("too many pieces"))?;
            let rows = i64::from(number == 0 && is_new);
            steps.push(Step { table, key: piece_key(&key, number), value: Some(piece), rows });
        }
        if value.is_none() && !is_new {
            steps.push(Step { table, key: piece_key(&key, 0), value: None, rows: -1 });
        }
        Ok(())
    }

    /// One transaction over all trees: atomic under kill -9, and under a power cut a prefix of the transactions survives.
    fn write(&mut self, steps: &[Step], meta: &mut Meta, with_meta: bool) -> Result<(), RowsError> {
        let change: i64 = steps.iter().map(|step| step.rows).sum();
        meta.rows = meta.rows.checked_add_signed(change).ok_or_else(|| wrong("fewer rows than none"))?;
        let state = meta.encode(&self.meta_key);
        let outcome = (
            &self.entries,
            &self.memberships,
            &self.account_state,
            &self.whole,
            &self.schema,
            &self.identifiers,
            &self.meta_tree,
        )
            .transaction(|(entries, memberships, account_state, whole, schema, identifiers, meta_tree)| {
                for step in steps {
                    let tree = match step.table {
                        Table::Entries => entries,
                        Table::Memberships => memberships,
                        Table::AccountState => account_state,
                        Table::Meta => whole,
                        Table::Schema => schema,
                        Table::Identifiers => identifiers,
                    };
                    match &step.value {
                        Some(value) => tree.insert(step.key.as_slice(), value.as_slice())?,
                        None => tree.remove(step.key.as_slice())?,
                    };
                }
                if with_meta {
                    meta_tree.insert(STATE, state.as_slice())?;
                }
                Ok(())
            });
        outcome.map_err(|error: TransactionError<()>| RowsError(format!("sled: {error:?}")))?;
        if with_meta {
            self.meta = Some(*meta);
        }
        self.unflushed = self.unflushed.saturating_add(steps.len());
        if self.unflushed >= UNFLUSHED_KEYS {
            self.db.flush()?;
            self.unflushed = 0;
        }
        Ok(())
    }
}

/// Waits until nobody has sled's file locked: its pool of threads may hold on to it for a moment after it was dropped. The folder's own
/// lock keeps other servers away, so false means a foreign program.
pub(super) fn wait_until_free(folder: &Path) -> bool {
    let Ok(file) = File::open(folder.join("db")) else { return true };
    let tries = RELEASE_WAIT.as_millis() / RELEASE_STEP.as_millis();
    (0..tries).any(|_| {
        let is_free = !matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        if !is_free {
            std::thread::sleep(RELEASE_STEP);
        }
        is_free
    })
}

/// sled cannot open a folder with one of these, ever; they hold nothing.
fn remove_generating_snapshots(folder: &Path) {
    let Ok(items) = std::fs::read_dir(folder) else { return };
    for item in items.flatten() {
        let name = item.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            let _ = std::fs::remove_file(item.path());
        }
    }
}
