//! Counts for the top of a page.

use super::super::managed_account::AccountKind;
use super::{Account, DAY, Reporting};

/// Upper ends of the days since the last login, of all but the last two columns.
pub(super) const LOGIN_DAYS: [i64; 4] = [7, 30, 90, 365];
/// Weeks ahead that ends are counted for.
pub(super) const WEEKS: usize = 13;

/// What a directory comes to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Overview {
    /// Entries of any kind.
    pub entries: u64,
    /// Accounts of people.
    pub people: u64,
    /// Accounts of applications.
    pub services: u64,
    /// Accounts for emergencies.
    pub emergencies: u64,
    /// Of all accounts: disabled or ended.
    pub over: u64,
    /// Accounts that are not over by days since the last login: up to 7, 30, 90, 365, longer ago, never.
    pub logins: [u64; 6],
    /// Accounts that end in each of the coming weeks.
    pub ends: [u64; WEEKS],
}

/// Counts.
pub fn overview(reporting: &Reporting<'_>) -> Overview {
    let Reporting { directory, at, .. } = reporting;
    let mut overview = Overview { entries: directory.entry_count(), ..Overview::default() };
    for account in Account::all(directory) {
        match account.kind {
            AccountKind::Person => overview.people += 1,
            AccountKind::Service => overview.services += 1,
            AccountKind::BreakGlass => overview.emergencies += 1,
        }
        if account.is_over(*at) {
            overview.over += 1;
            continue;
        }
        let column = match account.facts.last_login {
            None => LOGIN_DAYS.len() + 1,
            Some(last) => {
                let days = at.0.saturating_sub(last.0) / DAY;
                LOGIN_DAYS.iter().position(|limit| days < *limit).unwrap_or(LOGIN_DAYS.len())
            }
        };
        if let Some(count) = overview.logins.get_mut(column) {
            *count += 1;
        }
        let week = account.end().map(|(end, _)| end.0.saturating_sub(at.0) / (7 * DAY));
        if let Some(count) = week.and_then(|week| overview.ends.get_mut(usize::try_from(week).ok()?)) {
            *count += 1;
        }
    }
    overview
}
