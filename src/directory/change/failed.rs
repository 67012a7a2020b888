//! How failed logins are written within an account's bookkeeping.
//!
//! ```text
//! in a row ‖ locked? ‖ end of pause? ‖ times ‖ number of sources ‖ (name ‖ times)*
//! times := number ‖ time*
//! ```

use super::ChangeError;
use super::codec::{Reader, damaged, put_octets, put_time};
use crate::model::{FailedLogins, FailingSource, Timestamp};

pub(super) fn put(output: &mut Vec<u8>, failed: &FailedLogins) {
    output.extend_from_slice(&failed.in_a_row.to_be_bytes());
    for time in [failed.locked, failed.pause_end] {
        output.push(u8::from(time.is_some()));
        if let Some(time) = time {
            put_time(output, time);
        }
    }
    put_times(output, &failed.times);
    put_count(output, failed.sources.len());
    for source in &failed.sources {
        put_octets(output, source.name.as_bytes());
        put_times(output, &source.times);
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<FailedLogins, ChangeError> {
    let mut failed = FailedLogins {
        in_a_row: reader.count()?,
        locked: reader.optional_time()?,
        pause_end: reader.optional_time()?,
        times: times(reader, FailedLogins::MAXIMUM_TIMES)?,
        sources: Vec::new(),
    };
    for _ in 0..count(reader, FailedLogins::MAXIMUM_SOURCES)? {
        let name = reader.text()?;
        failed.sources.push(FailingSource { name, times: times(reader, FailedLogins::MAXIMUM_TIMES_OF_SOURCE)? });
    }
    Ok(failed)
}

fn put_count(output: &mut Vec<u8>, count: usize) {
    output.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
}

fn put_times(output: &mut Vec<u8>, times: &[Timestamp]) {
    put_count(output, times.len());
    times.iter().for_each(|time| put_time(output, *time));
}

fn count(reader: &mut Reader<'_>, most: usize) -> Result<usize, ChangeError> {
    let count = reader.count()? as usize;
    if count > most { Err(damaged("more failed logins than are kept")) } else { Ok(count) }
}

fn times(reader: &mut Reader<'_>, most: usize) -> Result<Vec<Timestamp>, ChangeError> {
    (0..count(reader, most)?).map(|_| reader.time()).collect()
}
