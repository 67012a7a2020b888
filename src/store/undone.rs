//! The times that restores undid, as the journal tells them: a segment's header says that it begins with a restore, and the record there
//! when, and to which moment.

use super::content::Lineage;
use super::reader::JournalReader;
use crate::directory::UndoneTime;
use crate::model::Timestamp;

/// Times whose changes are not in the content at the journal's end, which is at `end`. Where the journal cannot say it, everything up to the
/// end may be one of them.
pub(super) fn undone(reader: &JournalReader, end: Timestamp) -> Vec<UndoneTime> {
    let restores = reader.restores();
    let lineage = Lineage::to(u64::MAX, &restores);
    let unknown = (Timestamp(i64::MIN), end);
    let on_the_way = restores.iter().filter(|(restore, _)| lineage.holds(*restore));
    let mut times: Vec<UndoneTime> =
        on_the_way.map(|(restore, _)| reader.first_line_of(*restore).and_then(|line| read(&line)).unwrap_or(unknown)).collect();
    if reader.has_unknown_headers() {
        times.push(unknown);
    }
    times
}

/// The moment a record of a restore went back to, and its own.
fn read(line: &str) -> Option<UndoneTime> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    let of_restore = value.get("type")?.as_str()? == "restore";
    let through = value.get("time")?.as_i64()?;
    let after: jiff::Timestamp = value.pointer("/details/time")?.as_str()?.parse().ok()?;
    of_restore.then_some((Timestamp(after.as_microsecond()), Timestamp(through)))
}
