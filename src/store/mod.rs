//! Files: journal segments, the sled checkpoint, sealing, the start-up check. Nothing else knows sled or a file's layout.

mod backup;
mod checkpoint;
mod content;
pub mod disk;
mod fill;
mod header;
mod identity;
mod keys;
mod lines;
mod lookup;
mod mark;
mod open;
mod past;
mod positions;
mod reader;
mod replay;
mod restore;
mod rewrite;
mod rotate;
mod rows;
mod seal;
mod segment;
mod snapshot;
mod space;
#[cfg(test)]
mod tests;
mod tree;
mod undone;

pub use backup::{BackupFacts, BackupFile, BackupSink, MANIFEST, check_files, is_file_name, write_backup};
pub use checkpoint::{Checkpoint, CheckpointWatch};
pub use lines::{read_lines, segment_of, sequence_at};
pub use lookup::{Found, JournalLookup, SegmentFacts};
pub use open::{
    Opened, Progress, StartNote, StoreError, StoreOptions, create, elsewhere, folder_of_journal, node, open, open_with,
    read_frames, read_frames_around,
};
pub use past::{EachPiece, Past, PastPiece, PastTarget};
pub use positions::{PositionFile, StreamPosition, adopt_positions};
pub use reader::{Damage, is_gap};
pub use restore::{NewerJournal, PresentFolder, RestoreFacts, RestoreTarget, newer_journal, put_in_place, restore};
pub use rotate::{KeyChange, Rotated, Rotation, RotationStep};
pub use segment::{AppendError, Journal};
pub use snapshot::{DamagedSnapshot, Position, SNAPSHOTS_KEPT, SnapshotFacts, Snapshots, Taken};
pub use space::Space;
pub use tree::{TreeFiles, TreeWriter};
