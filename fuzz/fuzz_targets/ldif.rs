//! Records that are read can be written, and then read as the same records.
#![no_main]

use bindery::model::ldif::{LdifReader, LdifRecord};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let records: Vec<LdifRecord> = LdifReader::new(data).flatten().map(without_line).collect();
    let mut written = Vec::new();
    for record in &records {
        record.write(&mut written).expect("memory takes all that is written");
    }
    let again: Vec<LdifRecord> =
        LdifReader::new(written.as_slice()).map(|record| without_line(record.expect("written by us"))).collect();
    assert_eq!(again, records);
});

fn without_line(record: LdifRecord) -> LdifRecord {
    LdifRecord { line: 0, ..record }
}
