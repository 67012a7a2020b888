//! Moments, and how LDAP writes them (GeneralizedTime, RFC 4517 section 3.3.13).

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, date};

/// A moment in microseconds since 1970-01-01T00:00:00Z. Leap seconds are not counted, as in POSIX.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(pub i64);

/// Why a text is no GeneralizedTime.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a GeneralizedTime (YYYYMMDDHH[MM[SS]][.fraction](Z|+hhmm))")]
pub struct GeneralizedTimeError;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;
const MICROS_PER_HOUR: i64 = 60 * MICROS_PER_MINUTE;
const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

impl Timestamp {
    /// The first moment that four digits of a year can spell: 0000-01-01T00:00:00Z.
    pub const EARLIEST: Timestamp = Timestamp(-62_167_219_200 * MICROS_PER_SECOND);
    /// The last such moment: 9999-12-31T23:59:59.999999Z.
    pub const LATEST: Timestamp = Timestamp(253_402_300_800 * MICROS_PER_SECOND - 1);

    /// Reads a GeneralizedTime with any of its options: minutes or seconds left out, a fraction after `.` or `,`, `Z` or
    /// an offset. What lies below a microsecond is cut off. A leap second (60) is read as the next second. A moment that
    /// its offset moves out of the years 0000 to 9999 is an error.
    pub fn from_generalized_time(text: &[u8]) -> Result<Timestamp, GeneralizedTimeError> {
        let mut reader = Reader { rest: text };
        let year = reader.number(4)?;
        let (month, day) = (reader.number_up_to(12)?, reader.number_up_to(31)?);
        let midnight = day_start(year, month, day)?;

        let mut micros = reader.number_up_to(23)? * MICROS_PER_HOUR;
        let mut unit = MICROS_PER_HOUR;
        if reader.next_is_digit() {
            micros += reader.number_up_to(59)? * MICROS_PER_MINUTE;
            unit = MICROS_PER_MINUTE;
            if reader.next_is_digit() {
                micros += reader.number_up_to(60)? * MICROS_PER_SECOND;
                unit = MICROS_PER_SECOND;
            }
        }
        if reader.take(b'.') || reader.take(b',') {
            micros += reader.fraction_of(unit)?;
        }
        micros -= reader.offset()?;

        // A day and an offset of under a day cannot overflow what the years 0000 to 9999 span.
        let moment = Timestamp(midnight + micros);
        if moment < Timestamp::EARLIEST || moment > Timestamp::LATEST { Err(GeneralizedTimeError) } else { Ok(moment) }
    }

    /// `20261122101500Z`: whole seconds, as createTimestamp is written. A moment outside of [`Timestamp::EARLIEST`] to
    /// [`Timestamp::LATEST`] is written as the nearer of the two, here and below.
    pub fn to_generalized_time(self) -> String {
        self.civil().strftime("%Y%m%d%H%M%SZ").to_string()
    }

    /// `20261122101500.000123Z`: with six digits after the point, as reqStart and entryCSN are written.
    pub fn to_generalized_time_micros(self) -> String {
        self.civil().strftime("%Y%m%d%H%M%S.%6fZ").to_string()
    }

    /// `2026-11-22T10:15:00.000123Z` (RFC 3339), for people and the journal.
    pub fn to_rfc3339(self) -> String {
        self.civil().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
    }

    /// Reads what [`Timestamp::to_rfc3339`] writes, and any other instant of RFC 3339.
    pub fn from_rfc3339(text: &str) -> Option<Timestamp> {
        text.parse::<jiff::Timestamp>().ok().map(|time| Timestamp(time.as_microsecond()))
    }

    /// The moment on the calendar of UTC. (A civil time, because jiff's instants end a day before the year 9999 does.)
    fn civil(self) -> DateTime {
        let moment = self.clamp(Timestamp::EARLIEST, Timestamp::LATEST);
        EPOCH.saturating_add(SignedDuration::from_micros(moment.0))
    }
}

/// Microseconds from 1970 to the start of a day.
fn day_start(year: i64, month: i64, day: i64) -> Result<i64, GeneralizedTimeError> {
    let part = |number: i64| i8::try_from(number).map_err(|_| GeneralizedTimeError);
    let year = i16::try_from(year).map_err(|_| GeneralizedTimeError)?;
    let date = Date::new(year, part(month)?, part(day)?).map_err(|_| GeneralizedTimeError)?;
    Ok(date.duration_since(EPOCH.date()).as_secs() * MICROS_PER_SECOND)
}

/// What is left of the text.
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn next_is_digit(&self) -> bool {
        self.rest.first().is_some_and(u8::is_ascii_digit)
    }

    fn take(&mut self, octet: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == octet => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn digit(&mut self) -> Option<i64> {
        let (first, rest) = self.rest.split_first()?;
        if !first.is_ascii_digit() {
            return None;
        }
        self.rest = rest;
        Some(i64::from(first - b'0'))
    }

    fn number(&mut self, digits: usize) -> Result<i64, GeneralizedTimeError> {
        let mut number = 0;
        for _ in 0..digits {
            number = number * 10 + self.digit().ok_or(GeneralizedTimeError)?;
        }
        Ok(number)
    }

    /// Two digits.
    fn number_up_to(&mut self, largest: i64) -> Result<i64, GeneralizedTimeError> {
        let number = self.number(2)?;
        if number > largest { Err(GeneralizedTimeError) } else { Ok(number) }
    }

    /// One digit or more as a fraction of `unit` microseconds.
    fn fraction_of(&mut self, unit: i64) -> Result<i64, GeneralizedTimeError> {
        // An hour has fewer than 10^10 microseconds, so digits beyond these move nothing that is kept.
        const DIGITS_READ: usize = 20;
        let (mut numerator, mut denominator) = (0i128, 1i128);
        let mut digits = 0;
        while let Some(digit) = self.digit() {
            if digits < DIGITS_READ {
                numerator = numerator * 10 + i128::from(digit);
                denominator *= 10;
            }
            digits += 1;
        }
        if digits == 0 {
            return Err(GeneralizedTimeError);
        }
        i64::try_from(i128::from(unit) * numerator / denominator).map_err(|_| GeneralizedTimeError)
    }

    /// `Z` or `+hh[mm]` or `-hh[mm]`, and nothing after it: microseconds ahead of UTC.
    fn offset(&mut self) -> Result<i64, GeneralizedTimeError> {
        let sign = if self.take(b'Z') {
            0
        } else if self.take(b'+') {
            1
        } else if self.take(b'-') {
            -1
        } else {
            return Err(GeneralizedTimeError);
        };
        let mut offset = 0;
        if sign != 0 {
            offset = self.number_up_to(23)? * MICROS_PER_HOUR;
            if self.next_is_digit() {
                offset += self.number_up_to(59)? * MICROS_PER_MINUTE;
            }
        }
        if self.rest.is_empty() { Ok(sign * offset) } else { Err(GeneralizedTimeError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<String> {
        Timestamp::from_generalized_time(text.as_bytes()).ok().map(Timestamp::to_rfc3339)
    }

    #[test]
    fn reads_every_option() {
        for (text, expected) in [
            ("199412161032Z", "1994-12-16T10:32:00.000000Z"),     // RFC 4517
            ("199412160532-0500", "1994-12-16T10:32:00.000000Z"), // RFC 4517
            ("1994121610Z", "1994-12-16T10:00:00.000000Z"),
            ("20261122101500Z", "2026-11-22T10:15:00.000000Z"),
            ("20261122101500.5Z", "2026-11-22T10:15:00.500000Z"),
            ("20261122101500,123456999Z", "2026-11-22T10:15:00.123456Z"),
            ("2026112210.25Z", "2026-11-22T10:15:00.000000Z"),
            ("202611221015.1Z", "2026-11-22T10:15:06.000000Z"),
            ("20261122101500+02", "2026-11-22T08:15:00.000000Z"),
            ("20261231235960Z", "2027-01-01T00:00:00.000000Z"),
            ("20240229000000Z", "2024-02-29T00:00:00.000000Z"),
            ("19691231235959.999999Z", "1969-12-31T23:59:59.999999Z"),
            ("00000101000000Z", "0000-01-01T00:00:00.000000Z"),
            ("99991231235959Z", "9999-12-31T23:59:59.000000Z"),
            ("20260101000000.99999999999999999999999999999999999999999Z", "2026-01-01T00:00:00.999999Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_none() {
        for text in [
            "",
            "Z",
            "2026",
            "20261122",
            "2026112210",
            "20261122101500",
            "20261122101500z",
            "20261122101500.Z",
            "20261322101500Z",
            "20260229000000Z",
            "20261100101500Z",
            "20261122241500Z",
            "20261122106000Z",
            "20261122101561Z",
            "2026112210150Z",
            "20261122101500Zx",
            "20261122101500+2",
            "20261122101500+2400",
            "20261122101500+0260",
            " 20261122101500Z",
            "99991231235960Z",
            "99991231235959-0001",
            "00000101000000+0001",
            "20261122101500.-5Z",
            "2026112210150\u{663}Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn writes_the_forms() {
        let moment = Timestamp(1_795_342_500_000_123);
        assert_eq!(moment.to_generalized_time(), "20261122101500Z");
        assert_eq!(moment.to_generalized_time_micros(), "20261122101500.000123Z");
        assert_eq!(moment.to_rfc3339(), "2026-11-22T10:15:00.000123Z");
    }

    #[test]
    fn moments_beyond_four_digits_are_written_as_the_nearest() {
        assert_eq!(Timestamp(i64::MAX).to_rfc3339(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp(i64::MIN).to_generalized_time_micros(), "00000101000000.000000Z");
    }

    proptest! {
        #[test]
        fn generalized_time_round_trips(micros in Timestamp::EARLIEST.0..=Timestamp::LATEST.0) {
            let moment = Timestamp(micros);
            prop_assert_eq!(Timestamp::from_generalized_time(moment.to_generalized_time_micros().as_bytes()), Ok(moment));
            let seconds = Timestamp(micros.div_euclid(MICROS_PER_SECOND) * MICROS_PER_SECOND);
            prop_assert_eq!(Timestamp::from_generalized_time(moment.to_generalized_time().as_bytes()), Ok(seconds));
        }

        #[test]
        fn agrees_with_the_calendar_of_jiff(second in -62_167_219_200i64..253_402_207_200) {
            let expected = jiff::Timestamp::from_second(second).unwrap().strftime("%Y%m%d%H%M%SZ").to_string();
            prop_assert_eq!(Timestamp(second * MICROS_PER_SECOND).to_generalized_time(), expected);
        }

        #[test]
        fn arbitrary_octets_do_not_panic(octets in proptest::collection::vec(any::<u8>(), 0..40), text in "[0-9]{8,16}[.,]?[0-9]{0,3}[Z+-]?[0-9]{0,4}") {
            let _ = Timestamp::from_generalized_time(&octets);
            let _ = Timestamp::from_generalized_time(text.as_bytes());
        }
    }
}
