//! Any octets as what stands in a segment: nothing panics, groups that were written read back, and no octet of one can change unseen.
//!
//! Input: two octets for the place of a flip, then pieces: length, octets; in turn a record's line and its changes. All of it is also read as a
//! group, as a line and as changes.
#![no_main]

use std::sync::{Arc, OnceLock};

use bindery::directory::{Change, Directory};
use bindery::journal::{
    Frame, FramePart, GroupHeader, LineStamp, SealError, Sealer, encode_group, read_group, read_group_header,
};
use bindery::model::Dn;
use bindery::model::schema::Schema;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    read_anything(data);
    if let Some((&[low, high], pieces)) = data.split_first_chunk() {
        write_and_flip(&frames(pieces), usize::from(u16::from_le_bytes([low, high])));
    }
});

fn read_anything(data: &[u8]) {
    let _ = read_group_header(data);
    if let Ok(group) = read_group(data) {
        let _ = group.open(&Tagged);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = LineStamp::parse(text);
    }
    let mut input = data;
    let mut directory = empty_directory();
    while let Ok(change) = Change::decode(&mut input) {
        let mut octets = Vec::new();
        change.encode(&mut octets);
        assert_eq!(Change::decode(&mut octets.as_slice()).as_ref(), Ok(&change));
        // Rows first: a change that cannot be applied must still not break the checkpoint's thread.
        let _ = change.rows(&[0; 32]);
        if directory.apply(&change).is_err() {
            break;
        }
    }
}

fn frames(mut pieces: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut sequence = 1;
    while let Some(line) = piece(&mut pieces) {
        let changes = piece(&mut pieces).unwrap_or_default().to_vec();
        let salt = if changes.is_empty() { [0; 16] } else { [7; 16] };
        let frame = Frame { sequence, line: String::from_utf8_lossy(line).into_owned(), changes, salt };
        sequence = frame.last_sequence() + 1;
        frames.push(frame);
    }
    frames
}

fn piece<'a>(pieces: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (&length, rest) = pieces.split_first()?;
    let (piece, rest) = rest.split_at(usize::from(length).min(rest.len()));
    *pieces = rest;
    Some(piece)
}

fn write_and_flip(frames: &[Frame], place: usize) {
    let count = frames.iter().map(Frame::records).sum::<u64>() as u32;
    let header = GroupHeader { count, first: 1, previous_durable: 0, digest: [3; 32] };
    let mut octets = Vec::new();
    encode_group(&header, frames, &Tagged, &mut octets).expect("small frames are sealed");
    let group = read_group(&octets).expect("what was written is a group");
    assert_eq!((&group.header, group.length), (&header, octets.len()));
    assert_eq!(group.open(&Tagged).as_deref(), Ok(frames));
    let at = place % octets.len();
    octets[at] ^= 1 << (place % 8);
    assert!(read_group(&octets).is_err(), "a flipped bit at {at} was not seen");
    octets[at] ^= 1 << (place % 8);
    octets.truncate(at);
    assert!(read_group(&octets).is_err(), "a group of {at} octets is not whole");
}

/// Seals with a checksum over the place and the octets.
struct Tagged;

impl Tagged {
    fn tag(part: FramePart, sequence: u64, octets: &[u8]) -> [u8; 8] {
        let mut sum = sequence ^ if part == FramePart::Record { 1 << 63 } else { 0 };
        for &octet in octets {
            sum = (sum.rotate_left(5) ^ u64::from(octet)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        sum.to_le_bytes()
    }
}

impl Sealer for Tagged {
    fn seal(&self, part: FramePart, sequence: u64, octets: &[&[u8]], output: &mut Vec<u8>) -> Result<(), SealError> {
        let plain = octets.concat();
        output.extend_from_slice(&Tagged::tag(part, sequence, &plain));
        output.extend_from_slice(&plain);
        Ok(())
    }

    fn open(&self, part: FramePart, sequence: u64, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (tag, plain) = sealed.split_first_chunk::<8>().ok_or(SealError)?;
        if *tag == Tagged::tag(part, sequence, plain) { Ok(plain.to_vec()) } else { Err(SealError) }
    }
}

fn empty_directory() -> Directory {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| Arc::new(Schema::embedded().expect("the embedded schema loads")));
    let suffix = Dn::parse(b"dc=mercy,dc=example").expect("a DN");
    Directory::new(Arc::clone(schema), suffix, &[], [0; 32])
}
