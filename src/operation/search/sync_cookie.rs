//! Cookies of content synchronization, in OpenLDAP's form: its consumers keep their state in it and send it back changed.
//!
//! ```text
//! cookie := "rid=" consumer *("," name "=" value)
//! value  := of csn: stamps parted by ";", one a server; of sid, delcsn and others: passed over
//! ```
//! The last part of this server's stamp, which slapd leaves at 0, says by which access rules the client was told what there is: its
//! consumers keep that part and no other of our own.

use crate::model::ChangeStamp;

/// What a cookie says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum SyncCookie {
    /// The client's copy is as it was after this change of this server, as far as the rules with this mark let it see that.
    At(ChangeStamp, u32),
    /// The client has nothing yet.
    Initial,
    /// It is none of this server's.
    Unknown,
}

/// Longest consumer number that is sent back.
const LONGEST_CONSUMER: usize = 8;

/// Reads a cookie: the consumer's number, and what it says.
pub(super) fn read(octets: &[u8]) -> (String, SyncCookie) {
    let mut consumer = "000".to_owned();
    let Ok(text) = std::str::from_utf8(octets) else { return (consumer, SyncCookie::Unknown) };
    let mut state = SyncCookie::Initial;
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("rid", number)) if number.len() <= LONGEST_CONSUMER && number.bytes().all(|octet| octet.is_ascii_digit()) => {
                consumer = number.to_owned();
            }
            Some(("csn", stamps)) => state = own(stamps),
            Some(("sid" | "delcsn", _)) => {}
            _ => return (consumer, SyncCookie::Unknown),
        }
    }
    (consumer, state)
}

/// The cookie for a consumer whose copy is as it is after this change, under the rules with this mark (of 24 bits).
pub(super) fn write(consumer: &str, stamp: ChangeStamp, mark: u32) -> Vec<u8> {
    let stamp = stamp.to_string();
    let (stamp, _) = stamp.rsplit_once('#').unwrap_or((&stamp, ""));
    format!("rid={consumer},csn={stamp}#{mark:06x}").into_bytes()
}

/// The stamp of this server, which is number 0.
fn own(stamps: &str) -> SyncCookie {
    let mut stamps = stamps.split(';').map(|text| (ChangeStamp::parse(text.as_bytes()), text));
    match stamps.find(|(stamp, _)| matches!(stamp, Some((_, 0)) | None)) {
        Some((Some((stamp, _)), text)) => {
            let mark = text.rsplit_once('#').and_then(|(_, mark)| u32::from_str_radix(mark, 16).ok());
            mark.map_or(SyncCookie::Unknown, |mark| SyncCookie::At(stamp, mark))
        }
        _ => SyncCookie::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn what_slapd_sends_back_is_read() {
        let stamp = ChangeStamp { time: Timestamp(1_795_000_000_000_000), count: 1 };
        assert_eq!(read(&write("007", stamp, 0xabc)), ("007".to_owned(), SyncCookie::At(stamp, 0xabc)));
        let sent = format!("rid=001,sid=00a,csn=20200101000000.000000Z#000000#001#000000;{stamp},delcsn=x");
        assert_eq!(read(sent.as_bytes()), ("001".to_owned(), SyncCookie::At(stamp, 0)));
        assert_eq!(write("007", stamp, 0), format!("rid=007,csn={stamp}").into_bytes());
        assert_eq!(read(b"rid=001"), ("001".to_owned(), SyncCookie::Initial));
        assert_eq!(read(b"rid=001,sid=001").1, SyncCookie::Initial);
        for unknown in [
            &b"nonsense"[..],
            b"",
            b"\xff",
            b"rid=001,csn=",
            b"rid=001,csn=20200101000000.000000Z#000000#001#000000",
            b"rid=x,csn=y",
        ] {
            assert_eq!(read(unknown).1, SyncCookie::Unknown, "{unknown:?}");
        }
    }
}
