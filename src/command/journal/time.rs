//! Moments as a command line names them.

use crate::model::Timestamp;
use crate::server::world::SystemClock;
use crate::world::Clock as _;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A moment: `2026-11-22`, `2026-11-22T10:15:00Z`, a GeneralizedTime, or how long ago (`30m`, `12h`, `7d`, `2w`).
pub(in crate::command) fn moment(text: &str) -> Result<Timestamp, String> {
    moment_from(text, SystemClock::new().now()).ok_or_else(|| {
        format!(
            "{text:?} is no moment: write 2026-11-22, 2026-11-22T10:15:00Z, 20261122101500Z, or how long ago (30m, 12h, 7d, 2w)"
        )
    })
}

fn moment_from(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Some(ago) = ago(text) {
        return Some(Timestamp(now.0.saturating_sub(ago)));
    }
    if let Ok(date) = text.parse::<jiff::civil::Date>()
        && text.len() == 10
    {
        let days = date.duration_since(jiff::civil::date(1970, 1, 1)).as_secs();
        return Some(Timestamp(days.checked_mul(SECOND)?));
    }
    let rfc3339 = || text.parse::<jiff::Timestamp>().ok().map(|time| Timestamp(time.as_microsecond()));
    Timestamp::from_generalized_time(text.as_bytes()).ok().or_else(rfc3339)
}

fn ago(text: &str) -> Option<i64> {
    let unit = match text.chars().last()? {
        's' => SECOND,
        'm' => 60 * SECOND,
        'h' => 3600 * SECOND,
        'd' => DAY,
        'w' => 7 * DAY,
        _ => return None,
    };
    let digits = text.get(..text.len() - 1)?;
    digits.bytes().all(|digit| digit.is_ascii_digit()).then_some(())?;
    digits.parse::<i64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_days_instants_and_spans() {
        let now = Timestamp(10 * DAY);
        for (text, expected) in [
            ("1970-01-03", 2 * DAY),
            ("1970-01-02T00:00:01Z", DAY + SECOND),
            ("19700102000001Z", DAY + SECOND),
            ("7d", 3 * DAY),
            ("36h", 8 * DAY + DAY / 2),
            ("0s", 10 * DAY),
        ] {
            assert_eq!(moment_from(text, now), Some(Timestamp(expected)), "{text}");
        }
        for text in ["", "yesterday", "d", "-1d", "1970-13-01", "99999999999999999999d"] {
            assert_eq!(moment_from(text, now), None, "{text}");
        }
    }
}
