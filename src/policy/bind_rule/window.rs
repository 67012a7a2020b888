//! Hours of the week in a time zone: `Mon-Fri 07:00-19:00 America/Chicago`.
//!
//! ```text
//! window := days SP hours SP zone
//! days   := part *( "," part )      part := day [ "-" day ]     Mon … Sun, over the end of the week too
//! hours  := HH:MM "-" HH:MM         the second up to 24:00; before the first: of the next day
//! zone   := a name of the IANA time zone database
//! ```

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::model::Timestamp;

const MINUTES_PER_DAY: u16 = 24 * 60;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Such hours.
#[derive(Clone, Debug)]
pub struct TimeWindow {
    /// From Monday on: the days on which the hours begin.
    days: [bool; 7],
    /// Minutes of the day: from this one on.
    from: u16,
    /// Up to this one. At most `from`: into the next day.
    to: u16,
    zone: TimeZone,
}

impl TimeWindow {
    /// Reads one; else what is wrong with it.
    pub fn read(text: &str) -> Result<TimeWindow, String> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let [days, hours, zone] = words.as_slice() else {
            return Err("is not of the form Mon-Fri 07:00-19:00 America/Chicago".to_owned());
        };
        let (from, to) = read_hours(hours).ok_or_else(|| format!("{hours:?} are no hours; write them like 07:00-19:00"))?;
        let zone = TimeZoneDatabase::bundled()
            .get(zone)
            .map_err(|_| format!("{zone:?} is no time zone; write a name like America/Chicago"))?;
        Ok(TimeWindow { days: read_days(days)?, from, to, zone })
    }

    /// Whether a moment is in it, by the clocks of its time zone.
    pub fn contains(&self, moment: Timestamp) -> bool {
        let Ok(moment) = jiff::Timestamp::from_microsecond(moment.0) else { return false };
        let local = self.zone.to_datetime(moment);
        let minute = local.hour().unsigned_abs() as u16 * 60 + local.minute().unsigned_abs() as u16;
        let today = local.weekday().to_monday_zero_offset().unsigned_abs() as usize;
        let begins_on = |day: usize| self.days.get(day % 7).copied().unwrap_or(false);
        if self.from < self.to {
            begins_on(today) && (self.from..self.to).contains(&minute)
        } else {
            (begins_on(today) && minute >= self.from) || (begins_on(today + 6) && minute < self.to)
        }
    }
}

fn read_days(text: &str) -> Result<[bool; 7], String> {
    let wrong = || format!("{text:?} are no days; write them like Mon-Fri or Mon,Wed,Sat-Sun");
    let day = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name)).ok_or_else(wrong);
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (day(first)?, day(last)?),
            None => (day(part)?, day(part)?),
        };
        let count = (last + 7 - first) % 7;
        for number in first..=first + count {
            if let Some(found) = days.get_mut(number % 7) {
                *found = true;
            }
        }
    }
    Ok(days)
}

fn read_hours(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-')?;
    let minutes = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        let number = |text: &str, most: u16| {
            let plain = text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_digit());
            text.parse::<u16>().ok().filter(|number| plain && *number <= most)
        };
        Some(number(hours, 24)? * 60 + number(minutes, 59)?).filter(|minute| *minute <= MINUTES_PER_DAY)
    };
    let (from, to) = (minutes(from)?, minutes(to)?);
    (from < MINUTES_PER_DAY && from != to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(window: &str, moment: &str) -> bool {
        let moment: jiff::Timestamp = moment.parse().unwrap();
        TimeWindow::read(window).unwrap().contains(Timestamp(moment.as_microsecond()))
    }

    #[test]
    fn hours_are_those_of_the_zone_to_the_microsecond() {
        let window = "Mon-Fri 07:00-19:00 America/Chicago";
        // Friday, 6 November 2026, in winter: six hours behind.
        assert!(!holds(window, "2026-11-06T12:59:59.999999Z"));
        assert!(holds(window, "2026-11-06T13:00:00Z"));
        assert!(holds(window, "2026-11-07T00:59:59.999999Z"), "Saturday in Greenwich");
        assert!(!holds(window, "2026-11-07T01:00:00Z"));
        assert!(!holds(window, "2026-11-07T15:00:00Z"), "Saturday");
        // Friday, 30 October 2026, in summer: five hours behind.
        assert!(holds(window, "2026-10-30T12:00:00Z"));
        assert!(!holds(window, "2026-10-30T11:59:59.999999Z"));
    }

    #[test]
    fn nights_belong_to_the_day_they_begin_on() {
        let window = "Fri,sat-SUN 22:00-06:00 UTC";
        for (moment, inside) in [
            ("2026-11-05T23:00:00Z", false),
            ("2026-11-06T05:00:00Z", false),
            ("2026-11-06T22:00:00Z", true),
            ("2026-11-07T05:59:59Z", true),
            ("2026-11-07T06:00:00Z", false),
            ("2026-11-09T05:59:59Z", true),
            ("2026-11-09T22:00:00Z", false),
        ] {
            assert_eq!(holds(window, moment), inside, "{moment}");
        }
        assert!(holds("Sun-Tue 00:00-24:00 UTC", "2026-11-03T23:59:59Z"));
        assert!(!holds("Sun-Tue 00:00-24:00 UTC", "2026-11-04T00:00:00Z"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, part) in [
            ("", "is not of the form"),
            ("Mon-Fri 07:00-19:00", "is not of the form"),
            ("Mon-Fri 07:00-19:00 Mars/Olympus", "\"Mars/Olympus\" is no time zone"),
            ("Mo 07:00-19:00 UTC", "\"Mo\" are no days"),
            ("Mon, 07:00-19:00 UTC", "are no days"),
            ("Mon 7-19 UTC", "are no hours"),
            ("Mon 07:60-19:00 UTC", "are no hours"),
            ("Mon 07:00-24:01 UTC", "are no hours"),
            ("Mon 07:00-07:00 UTC", "are no hours"),
            ("Mon 24:00-07:00 UTC", "are no hours"),
            ("Mon +7:00-07:00 UTC", "are no hours"),
        ] {
            let problem = TimeWindow::read(text).unwrap_err();
            assert!(problem.contains(part), "{text}: {problem}");
        }
    }
}
