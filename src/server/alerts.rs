//! What somebody should look at: logged when it is in the journal, and told by `cn=monitor` for a day.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::journal::{Record, RecordKind};
use crate::model::Timestamp;

/// Alerts that are told at once; beyond that the oldest is in the journal alone.
const MOST: usize = 20;
/// Microseconds for which an alert is told.
const DAY: i64 = 86_400_000_000;

/// See the module.
#[derive(Default)]
pub(super) struct Alerts(Mutex<VecDeque<(Timestamp, String)>>);

impl Alerts {
    /// Takes note of records that are durable; of most there is nothing to tell.
    pub(super) fn follow<'a>(&self, records: impl IntoIterator<Item = &'a Record>, now: Timestamp) {
        let is_told = |record: &&Record| matches!(record.kind, RecordKind::Alert | RecordKind::BreakGlass) || is_late(record);
        for record in records.into_iter().filter(is_told) {
            // Logs are kept in clear: no name, only the number that the journal tells the name of.
            let account = record.target.as_ref().and_then(|target| target.uuid.as_deref()).unwrap_or_default();
            let reason = record.reason.unwrap_or_default();
            tracing::warn!(account, reason, "look at the journal: records of type {}", record.kind.name());
            let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            told.truncate(MOST - 1);
            told.push_front((now, text(record)));
        }
    }

    /// Those of the last day, the newest first.
    pub(super) fn told(&self, now: Timestamp) -> Vec<String> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = told.iter().filter(|(time, _)| now.0.saturating_sub(time.0) < DAY);
        recent.map(|(_, text)| text.clone()).collect()
    }
}

/// How many memberships a review waits for, or had to go without; nothing of other records.
fn left_open(record: &Record) -> Option<&str> {
    let is_count = |name: &&str| ["open", "notConfirmed"].contains(name);
    let counts = record.details.iter().find(|(name, _)| record.kind == RecordKind::Review && is_count(name));
    counts.map(|(_, count)| count.as_str()).filter(|count| *count != "0")
}

/// Whether a review is due soon, late or closed, and somebody did not do it.
fn is_late(record: &Record) -> bool {
    record.reason.is_some() && left_open(record).is_some()
}

fn text(record: &Record) -> String {
    let target = record.target.as_ref().map_or("", |target| target.dn.as_str());
    if let Some(count) = left_open(record) {
        let detail = |wanted| record.details.iter().find(|(name, _)| *name == wanted).map_or("", |(_, value)| value.as_str());
        let (reason, due, closes) = (record.reason.unwrap_or_default(), detail("due"), detail("closes"));
        return format!(
            "{reason}: {target}, {count} memberships are not reviewed, due {due}; what is not by {closes} is suspended"
        );
    }
    let from = record.peer.as_deref().unwrap_or("somewhere");
    let reason = record.reason.unwrap_or_default();
    if record.kind == RecordKind::BreakGlass {
        return format!(
            "{reason}: {target}, from {from}; ask why, look at what was done with it in the journal, and set its password anew"
        );
    }
    format!("{reason}: {target}, the last one from {from}; find out who or what tries, the journal has every try")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Named;

    fn alert(number: usize) -> Record {
        let mut record = Record::new(RecordKind::Alert);
        record.target = Some(Named { uuid: None, dn: format!("uid={number}") });
        record.reason = Some("many failed logins in a row");
        record
    }

    #[test]
    fn a_review_that_somebody_has_to_do_is_told() {
        let review = |count: (&'static str, &str), reason| {
            let mut record = Record::new(RecordKind::Review);
            record.target = Some(Named { uuid: None, dn: "cn=spring".to_owned() });
            (record.reason, record.details) = (reason, vec![("due", "D".to_owned()), ("closes", "C".to_owned())]);
            record.details.push((count.0, count.1.to_owned()));
            record
        };
        let alerts = Alerts::default();
        let untold =
            [(("open", "0"), Some("review overdue")), (("notConfirmed", "0"), Some("review closed")), (("open", "2"), None)];
        alerts.follow(&untold.map(|(count, reason)| review(count, reason)), Timestamp(0));
        assert!(alerts.told(Timestamp(0)).is_empty());
        alerts.follow(&[review(("open", "2"), Some("review due soon"))], Timestamp(0));
        let text = "review due soon: cn=spring, 2 memberships are not reviewed, due D; what is not by C is suspended";
        assert_eq!(alerts.told(Timestamp(0)), [text]);
    }

    #[test]
    fn the_use_of_an_emergency_account_is_told() {
        let mut record = Record::new(RecordKind::BreakGlass);
        record.target = Some(Named { uuid: None, dn: "cn=emergency".to_owned() });
        (record.reason, record.peer) = (Some("emergency account used"), Some("192.0.2.7:389".to_owned()));
        let alerts = Alerts::default();
        alerts.follow(&[record], Timestamp(0));
        let text = "emergency account used: cn=emergency, from 192.0.2.7:389; ask why, look at what was done with it in the journal, and set its \
                    password anew";
        assert_eq!(alerts.told(Timestamp(0)), [text]);
    }

    #[test]
    fn the_newest_of_a_day_are_told() {
        let alerts = Alerts::default();
        alerts.follow(&[Record::new(RecordKind::Bind)], Timestamp(0));
        assert!(alerts.told(Timestamp(0)).is_empty());
        for number in 0..30 {
            alerts.follow(&[alert(number)], Timestamp(number as i64));
        }
        let told = alerts.told(Timestamp(29));
        assert_eq!((told.len(), told[0].contains(": uid=29,"), told[19].contains(": uid=10,")), (20, true, true));
        assert_eq!(alerts.told(Timestamp(DAY + 28)).len(), 1);
        assert!(alerts.told(Timestamp(DAY + 29)).is_empty());
    }
}
