//! When time alone makes something else of review campaigns.

use super::Directory;
use crate::model::schema::Schema;
use crate::model::{AttributeTypeId, CampaignState, CampaignTimes, Entry, Timestamp};

/// Microseconds of a day.
const DAY: i64 = 86_400 * 1_000_000;

/// What of a campaign's entry time goes by.
#[derive(Clone, Copy)]
pub(super) struct CampaignTypes {
    state: AttributeTypeId,
    due: AttributeTypeId,
    grace: AttributeTypeId,
    reminder: AttributeTypeId,
    reminded: AttributeTypeId,
}

impl CampaignTypes {
    pub(super) fn new(schema: &Schema) -> Option<CampaignTypes> {
        let id = |name| schema.attribute_type(name).map(|it| it.id);
        Some(CampaignTypes {
            state: id("reviewState")?,
            due: id("reviewDueDate")?,
            grace: id("reviewGraceDays")?,
            reminder: id("reviewReminderDays")?,
            reminded: id("reviewRemindedTime")?,
        })
    }
}

impl Directory {
    /// State and moments of a review campaign; none for any other entry.
    pub fn campaign_of(&self, entry: &Entry) -> Option<(CampaignState, CampaignTimes)> {
        let types = self.fixed.campaign_types?;
        let state = CampaignState::named(entry.first(types.state)?)?;
        let time = |id| Timestamp::from_generalized_time(entry.first(id)?).ok();
        let days = |value: &[u8]| std::str::from_utf8(value).ok()?.parse().ok().map(|days: i64| days.saturating_mul(DAY));
        let due = time(types.due)?;
        let grace = entry.first(types.grace).and_then(days).unwrap_or(0).max(0);
        let reminders = entry.values(types.reminder).filter_map(days).map(|before| Timestamp(due.0.saturating_sub(before)));
        let times = CampaignTimes {
            due,
            closes: Timestamp(due.0.saturating_add(grace)),
            reminders: reminders.collect(),
            reminded: time(types.reminded).unwrap_or(Timestamp::EARLIEST),
        };
        Some((state, times))
    }
}
