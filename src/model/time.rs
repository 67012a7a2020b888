//! Moments, and how LDAP writes them (GeneralizedTime, RFC 4517 section 3.3.13).

/// A moment in microseconds since 1970-01-01T00:00:00Z. Leap seconds are not counted, as in POSIX.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(pub i64);

/// Why a text is no GeneralizedTime.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a GeneralizedTime (YYYYMMDDHH[MM[SS]][.fraction](Z|+hhmm))")]
pub struct GeneralizedTimeError;

impl Timestamp {
    /// Reads a GeneralizedTime with any of its options: minutes or seconds left out, a fraction after `.` or `,`, `Z` or
    /// an offset. What lies below a microsecond is cut off. A leap second (60) is read as the next second.
    pub fn from_generalized_time(text: &[u8]) -> Result<Timestamp, GeneralizedTimeError> {
        let _ = text;
        todo!()
    }

    /// `20261122101500Z`: whole seconds, as createTimestamp is written.
    pub fn to_generalized_time(self) -> String {
        todo!()
    }

    /// `20261122101500.000123Z`: with six digits after the point, as reqStart and entryCSN are written.
    pub fn to_generalized_time_micros(self) -> String {
        todo!()
    }

    /// `2026-11-22T10:15:00.000123Z` (RFC 3339), for people and the journal.
    pub fn to_rfc3339(self) -> String {
        todo!()
    }
}
