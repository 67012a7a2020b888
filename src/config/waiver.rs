//! Waivers: something unsafe that is allowed all the same, with a reason, an owner and an end.

use ipnet::IpNet;
use toml::Spanned;
use toml::value::{Datetime, Offset};

use super::error::{ConfigurationError, Source};
use super::raw::RawWaiver;
use crate::model::Timestamp;

/// What can be waived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaiverName {
    /// Binds and writes without TLS, from the waiver's networks.
    ClearText,
    /// Administrators without a second factor, from the waiver's networks.
    SecondFactor,
    /// Password hashes cheaper than OWASP's floor.
    PasswordHash,
    /// A journal that is to be kept for less than six years.
    JournalRetention,
}

/// A waiver as it was written, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiver {
    /// What it allows.
    pub name: WaiverName,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Refused from this moment on.
    pub until: Timestamp,
    /// Where it holds.
    pub networks: Vec<IpNet>,
}

/// What came of the waivers of a file.
pub(super) struct Waivers {
    /// In force.
    pub(super) valid: Vec<Waiver>,
    /// Their end has passed.
    pub(super) expired: Vec<Waiver>,
    pub(super) warnings: Vec<String>,
}

impl WaiverName {
    /// All of them.
    pub const ALL: [WaiverName; 4] =
        [WaiverName::ClearText, WaiverName::SecondFactor, WaiverName::PasswordHash, WaiverName::JournalRetention];

    /// As written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            WaiverName::ClearText => "clear-text",
            WaiverName::SecondFactor => "second-factor",
            WaiverName::PasswordHash => "password-hash",
            WaiverName::JournalRetention => "journal-retention",
        }
    }

    /// The waiver of this name.
    pub fn from_name(name: &str) -> Option<WaiverName> {
        WaiverName::ALL.into_iter().find(|waiver| waiver.as_str() == name)
    }
}

/// Checks all waivers and tells those that ran out.
pub(super) fn check(source: &Source<'_>, raw: &[Spanned<RawWaiver>], now: Timestamp) -> Result<Waivers, ConfigurationError> {
    let mut waivers = Waivers { valid: Vec::new(), expired: Vec::new(), warnings: Vec::new() };
    for entry in raw {
        let waiver = check_one(source, entry)?;
        if now < waiver.until {
            waivers.valid.push(waiver);
        } else {
            waivers.warnings.push(format!(
                "{}:{}: the waiver {} ran out and is off; {} answers for it: renew it with a new end, or remove it",
                source.file.display(),
                source.line(entry.span().start),
                waiver.name.as_str(),
                waiver.owner
            ));
            waivers.expired.push(waiver);
        }
    }
    Ok(waivers)
}

fn check_one(source: &Source<'_>, raw: &Spanned<RawWaiver>) -> Result<Waiver, ConfigurationError> {
    let waiver = raw.get_ref();
    let missing = |key: &str, remedy: &str| source.error(raw.span(), format!("waiver.{key}"), "is missing", remedy);
    let text = |key: &str, value: &Option<Spanned<String>>, remedy: &str| match value {
        Some(value) if !value.get_ref().trim().is_empty() => Ok(value.get_ref().trim().to_owned()),
        Some(value) => Err(source.error(value.span(), format!("waiver.{key}"), "is empty", remedy)),
        None => Err(missing(key, remedy)),
    };
    let names = "write one of \"clear-text\", \"second-factor\", \"password-hash\", \"journal-retention\"";
    let name = waiver.name.as_ref().ok_or_else(|| missing("name", names))?;
    let known = WaiverName::from_name(name.get_ref());
    let known =
        known.ok_or_else(|| source.error(name.span(), "waiver.name", format!("{:?} cannot be waived", name.get_ref()), names))?;
    let until = waiver.until.as_ref().ok_or_else(|| missing("until", "write a date: until = 2027-02-28"))?;
    let end = moment(until.get_ref())
        .ok_or_else(|| source.error(until.span(), "waiver.until", "is not a day", "write a date: until = 2027-02-28"))?;
    Ok(Waiver {
        name: known,
        reason: text("reason", &waiver.reason, "write why it is needed: reason = \"old ventilators speak no TLS\"")?,
        owner: text("owner", &waiver.owner, "write who answers for it: owner = \"security officer\"")?,
        until: end,
        networks: networks(source, waiver)?,
    })
}

/// The networks written, or loopback.
fn networks(source: &Source<'_>, waiver: &RawWaiver) -> Result<Vec<IpNet>, ConfigurationError> {
    const REMEDY: &str = "write networks with their length: networks = [\"10.1.0.0/16\"]";
    let Some(written) = &waiver.networks else { return Ok(loopback()) };
    if written.get_ref().is_empty() {
        return Err(source.error(written.span(), "waiver.networks", "is empty, so the waiver allows nothing", REMEDY));
    }
    let each = written.get_ref().iter().map(|network| {
        let read = network.get_ref().parse::<IpNet>();
        let problem = || format!("{:?} is no network", network.get_ref());
        read.map(|network| network.trunc()).map_err(|_| source.error(network.span(), "waiver.networks", problem(), REMEDY))
    });
    each.collect()
}

/// 127.0.0.0/8 and ::1.
fn loopback() -> Vec<IpNet> {
    use std::net::{Ipv4Addr, Ipv6Addr};
    let v4 = ipnet::Ipv4Net::new(Ipv4Addr::new(127, 0, 0, 0), 8).map(IpNet::from);
    let v6 = ipnet::Ipv6Net::new(Ipv6Addr::LOCALHOST, 128).map(IpNet::from);
    v4.into_iter().chain(v6).collect()
}

/// A date is its first moment, a local time is taken as UTC; the clock alone is no moment.
fn moment(written: &Datetime) -> Option<Timestamp> {
    let date = written.date?;
    let time = written.time;
    let date = jiff::civil::date(i16::try_from(date.year).ok()?, i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?);
    let seconds = time
        .map_or(0, |time| i64::from(time.hour) * 3600 + i64::from(time.minute) * 60 + i64::from(time.second.unwrap_or_default()));
    let offset = match written.offset {
        Some(Offset::Custom { minutes }) => i64::from(minutes) * 60,
        Some(Offset::Z) | None => 0,
    };
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_microsecond();
    midnight.checked_add((seconds - offset).checked_mul(1_000_000)?).map(Timestamp)
}
