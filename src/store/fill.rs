//! Making a new checkpoint from a directory value: at a start that found none it can trust, and while serving when sled has failed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use super::keys::Keys;
use super::open::sync_real_folder;
use super::rows::{Meta, Rows, RowsError};
use crate::directory::{Directory, RowChange};
use crate::world::Entropy;

/// Rows handed to sled at once while a checkpoint is filled.
const FILL_ROWS: usize = 2000;
/// Rows between two flushes while a checkpoint is filled.
const FILL_FLUSH_ROWS: u64 = 50_000;

/// Where the checkpoint stands and what seals it.
#[derive(Clone)]
pub(super) struct SledPlace {
    pub(super) data: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) keys: Keys,
    pub(super) entropy: Arc<dyn Entropy>,
}

impl SledPlace {
    /// Fills a new sled folder; there is none, or one that was never finished. `each` hears how many rows are in and says whether to go on.
    pub(super) fn fill(&self, directory: &Directory, through: u64, each: &mut dyn FnMut(u64) -> bool) -> Result<Rows, RowsError> {
        let rows = guarded(|| self.fill_rows(directory, through, each))?;
        sync_real_folder(&self.folder)
            .and_then(|()| sync_real_folder(&self.data))
            .map_err(|error| RowsError(error.to_string()))?;
        Ok(rows)
    }

    fn fill_rows(&self, directory: &Directory, through: u64, each: &mut dyn FnMut(u64) -> bool) -> Result<Rows, RowsError> {
        let mut rows = Rows::open(&self.folder, &self.keys, &*self.entropy, true)?;
        let mut meta = Meta { applied: through, target: through, rows: 0, digest: directory.digest().to_bytes() };
        let mut puts: Vec<RowChange> = Vec::with_capacity(FILL_ROWS);
        let mut done = 0;
        for row in directory.rows() {
            puts.push(row.into());
            done += 1;
            if puts.len() == FILL_ROWS {
                rows.fill(std::mem::take(&mut puts), &mut meta)?;
                if !each(done) {
                    return Err(RowsError("filling was broken off".to_owned()));
                }
            }
            if done % FILL_FLUSH_ROWS == 0 {
                rows.flush()?;
            }
        }
        rows.fill(puts, &mut meta)?;
        rows.finish_filling(meta)?;
        Ok(rows)
    }
}

/// sled panics on some damaged files; that is one more way to fail.
pub(super) fn guarded<T>(run: impl FnOnce() -> Result<T, RowsError>) -> Result<T, RowsError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(RowsError("sled panicked".to_owned())))
}
