//! Change sequence numbers, as entryCSN and contextCSN write them: OpenLDAP's form, of which this server is server 000.

use super::Timestamp;

/// When a change was made, and a count that tells changes of one microsecond apart. Later changes are greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ChangeStamp {
    /// Policy time of the change.
    pub time: Timestamp,
    /// 0 to 0xffffff
    pub count: u32,
}

impl ChangeStamp {
    /// Reads `YYYYmmddHHMMSS.ffffffZ#cccccc#sss#mmmmmm` (count, server and modifier in hexadecimal): the stamp and the server.
    pub fn parse(text: &[u8]) -> Option<(ChangeStamp, u16)> {
        let mut parts = std::str::from_utf8(text).ok()?.split('#');
        let time = Timestamp::from_generalized_time(parts.next()?.as_bytes()).ok()?;
        let mut number = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|octet| octet.is_ascii_hexdigit()))?;
            u32::from_str_radix(part, 16).ok()
        };
        let (count, server, _modifier) = (number(6)?, number(3)?, number(6)?);
        let server = u16::try_from(server).ok()?;
        parts.next().is_none().then_some((ChangeStamp { time, count }, server))
    }

    /// The stamp of a change made at `now` after one with this stamp.
    pub fn following(self, now: Timestamp, count: u32) -> ChangeStamp {
        let wanted = ChangeStamp { time: now, count: count & 0xff_ffff };
        if wanted > self { wanted } else { ChangeStamp { time: Timestamp(self.time.0.saturating_add(1)), count: wanted.count } }
    }
}

impl std::fmt::Display for ChangeStamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{:06x}#000#000000", self.time.to_generalized_time_micros(), self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_what_slapd_writes() {
        let stamp = ChangeStamp { time: Timestamp(1_795_000_000_000_001), count: 0xabc };
        assert_eq!(stamp.to_string(), "20261118110640.000001Z#000abc#000#000000");
        assert_eq!(ChangeStamp::parse(stamp.to_string().as_bytes()), Some((stamp, 0)));
        let (_, server) = ChangeStamp::parse(b"20261118110640.000001Z#000000#00a#000000").unwrap();
        assert_eq!(server, 10);
        for bad in
            ["", "20261118110640Z", "20261118110640Z#1#000#000000", "20261118110640Z#000000#000#000000#", "x#000000#000#000000"]
        {
            assert_eq!(ChangeStamp::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(ChangeStamp::parse(b"20261118110640.000001Z#+00000#000#000000"), None);
    }

    #[test]
    fn stamps_only_grow() {
        let last = ChangeStamp { time: Timestamp(50), count: 3 };
        assert_eq!(last.following(Timestamp(51), 0), ChangeStamp { time: Timestamp(51), count: 0 });
        assert_eq!(last.following(Timestamp(50), 4), ChangeStamp { time: Timestamp(50), count: 4 });
        assert_eq!(last.following(Timestamp(50), 3), ChangeStamp { time: Timestamp(51), count: 3 });
        assert!(last.following(Timestamp(7), 9) > last);
    }
}
