//! Times of certificates: UTCTime and GeneralizedTime as microseconds since 1970.

use crate::model::Timestamp;

/// `YYMMDDhhmm[ss]` and a zone; years 50 to 99 are of the twentieth century (RFC 5280 section 4.1.2.5.1).
pub(super) fn utc(text: &[u8]) -> Option<i64> {
    let year: u8 = std::str::from_utf8(text.get(..2)?).ok()?.parse().ok()?;
    let century: &[u8] = if year >= 50 { b"19" } else { b"20" };
    general(&[century, text].concat())
}

pub(super) fn general(text: &[u8]) -> Option<i64> {
    Timestamp::from_generalized_time(text).ok().map(|moment| moment.0)
}
