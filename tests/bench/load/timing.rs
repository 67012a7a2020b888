//! How long refused binds take, by what is wrong with them: a guesser must not be able to tell which names exist.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use super::connection::Connection;
use super::{Failure, message, people};

/// resultCode invalidCredentials
const INVALID_CREDENTIALS: u8 = 49;

/// What can be wrong with a bind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    WrongPassword,
    WrongPasswordForeignHash,
    NoPassword,
    UnknownName,
    UnknownSuffix,
}

impl Kind {
    const ALL: [Kind; 5] =
        [Kind::WrongPassword, Kind::WrongPasswordForeignHash, Kind::NoPassword, Kind::UnknownName, Kind::UnknownSuffix];

    fn name(self) -> &'static str {
        match self {
            Kind::WrongPassword => "wrong password, Argon2id stored",
            Kind::WrongPasswordForeignHash => "wrong password, {SSHA} stored",
            Kind::NoPassword => "entry without a password",
            Kind::UnknownName => "unknown name",
            Kind::UnknownSuffix => "unknown suffix",
        }
    }

    fn dn(self, number: u32) -> String {
        match self {
            Kind::WrongPassword => people::dn(0),
            Kind::WrongPasswordForeignHash => people::dn(1),
            Kind::NoPassword => format!("ou=people,{}", people::SUFFIX),
            Kind::UnknownName => format!("uid=nobody{number},ou=people,{}", people::SUFFIX),
            Kind::UnknownSuffix => format!("uid=nobody{number},dc=elsewhere"),
        }
    }
}

/// Tries each kind of bind as often as asked, the kinds in turn, and prints a table of what they took.
pub(crate) fn run(address: SocketAddr, tries: u32) -> Result<String, Failure> {
    let mut connection = Connection::open(address, None)?;
    // The first right bind stores the password anew, by Argon2id.
    connection.exchange(message::bind(1, &people::dn(0), people::PASSWORD))?;
    let mut taken = Kind::ALL.map(|kind| (kind, Vec::with_capacity(tries as usize)));
    for number in 0..tries {
        // Each round begins with another kind, so that none always follows the same one.
        let first = number as usize % taken.len();
        taken.rotate_left(first);
        for (kind, durations) in &mut taken {
            let completed = connection.ask(message::bind(number + 2, &kind.dn(number), "not this one"))?;
            if completed.code != INVALID_CREDENTIALS {
                return Err(format!("{}: answered with {} instead of 49", kind.name(), completed.code).into());
            }
            durations.push(completed.latency);
        }
    }
    taken.sort_by_key(|(kind, _)| Kind::ALL.iter().position(|other| other == kind));
    table(taken)
}

fn table(taken: [(Kind, Vec<Duration>); 5]) -> Result<String, Failure> {
    let mut output =
        format!("{:34}{:>7}{:>9}{:>9}{:>9}{:>9}{:>8}\n", "bind", "tries", "p5 ms", "p25 ms", "p50 ms", "p75 ms", "p95 ms");
    let mut medians = Vec::new();
    for (kind, mut durations) in taken {
        durations.sort_unstable();
        let percentile = |percent: usize| {
            let place = (durations.len() * percent / 100).min(durations.len().saturating_sub(1));
            durations.get(place).map_or(0.0, |it| it.as_secs_f64() * 1000.0)
        };
        write!(output, "{:34}{:>7}", kind.name(), durations.len())?;
        [5, 25, 50, 75].into_iter().try_for_each(|percent| write!(output, "{:>9.2}", percentile(percent)))?;
        writeln!(output, "{:>8.2}", percentile(95))?;
        medians.push(percentile(50));
    }
    let (least, most) = medians.iter().fold((f64::MAX, 0.0_f64), |(least, most), it| (least.min(*it), most.max(*it)));
    writeln!(output, "largest median / smallest median: {:.3}", most / least)?;
    Ok(output)
}
