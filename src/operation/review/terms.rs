//! What a campaign must say of itself when it is added or changed, and that its items are the server's.

use super::super::grant::{is_class, reference, set};
use super::scope::{self, Found, MOST_ITEMS, Scope};
use super::{
    APPLICATION, CAMPAIGN, DUE_DATE, GRACE_DAYS, GROUP, ITEM, ITEM_COUNT, MANAGER, OPEN_COUNT, OPENED_TIME, REMINDED_TIME,
    REMINDER_DAYS, REVIEWER, STATE, campaign, item_state,
};
use crate::directory::{Directory, MembershipAttribute, Node};
use crate::model::{CampaignState, EntryId, ResultCode, Timestamp, Value};
use crate::operation::Authority;
use crate::operation::draft::Draft;
use crate::operation::refusal::Refusal;
use crate::operation::write::{Write, not_permitted};

/// Most days of grace, and before the due date that somebody is reminded.
const MOST_DAYS: i64 = 366;
/// Most reminders of a campaign.
const MOST_REMINDERS: usize = 20;

/// Judges what is added: the items of a campaign; nothing for any other entry.
///
/// Only administrators open campaigns: what nobody confirms is suspended, whoever may change the group otherwise.
pub(crate) fn added(write: &Write<'_>, draft: &mut Draft<'_>) -> Result<Option<Opening>, Refusal> {
    if write.context.authority == Authority::Installation {
        return Ok(None);
    }
    check_no_item(draft, false)?;
    if !has_class(draft, CAMPAIGN)? {
        return Ok(None);
    }
    let (head, now) = (write.head, write.context.now);
    check_administrator(write)?;
    check_terms(head, draft)?;
    for (name, values) in [
        (STATE, CampaignState::Open.name().to_owned()),
        (OPENED_TIME, now.to_generalized_time()),
        (REMINDED_TIME, now.to_generalized_time_micros()),
    ] {
        set(head, &mut draft.entry, name, vec![values]);
    }
    check_time(head, draft, None, now)?;
    let named = |name| reference(head, name).map(|attribute| draft.members.entries(attribute)).unwrap_or_default();
    let scope = Scope { groups: named(GROUP), managers: named(MANAGER), applications: named(APPLICATION) };
    if scope.groups.is_empty() && scope.managers.is_empty() && scope.applications.is_empty() {
        let text = "a reviewCampaign names what is reviewed: reviewGroup, reviewManager or reviewApplication";
        return Err(Refusal::new(ResultCode::ObjectClassViolation, text));
    }
    let items = scope::find(head, &scope).map_err(|_| {
        let text = format!("more than {MOST_ITEMS} memberships in one campaign; add one for each group or manager");
        Refusal::new(ResultCode::AdminLimitExceeded, text)
    })?;
    for name in [ITEM_COUNT, OPEN_COUNT] {
        set(head, &mut draft.entry, name, vec![items.len().to_string()]);
    }
    Ok(Some(Opening { items: items.into_iter().collect() }))
}

/// The items of a campaign that is being opened.
pub(crate) struct Opening {
    pub(super) items: Vec<Found>,
}

/// Judges a changed campaign: its scope is that of its opening, and what is closed stays so.
pub(crate) fn changed(write: &Write<'_>, node: &Node, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let (head, now) = (write.head, write.context.now);
    let is_campaign = campaign(head, node).is_some();
    if write.context.authority == Authority::Installation || !(is_campaign || differs(head, node, draft, &["objectClass"])) {
        return Ok(());
    }
    check_no_item(draft, item_state(head, node).is_some())?;
    let Some((state, times)) = campaign(head, node) else {
        // No other entry becomes one.
        return if has_class(draft, CAMPAIGN)? { Err(not_so("a reviewCampaign is added, nothing becomes one")) } else { Ok(()) };
    };
    if !has_class(draft, CAMPAIGN)? {
        return Err(not_so("a reviewCampaign stays one"));
    }
    let named = |name: &str| reference(head, name);
    let scope = [GROUP, MANAGER, APPLICATION].map(named);
    let refers_differently = |of: &[Option<MembershipAttribute>]| {
        draft.members.differences().any(|(membership, _)| of.contains(&Some(membership.attribute())))
    };
    if refers_differently(&scope) {
        return Err(not_so("what a campaign reviews is taken down when it is opened; add another campaign"));
    }
    let moves = differs(head, node, draft, &[DUE_DATE, GRACE_DAYS, REMINDER_DAYS]);
    if !moves && !refers_differently(&[named(REVIEWER)]) {
        return Ok(());
    }
    check_administrator(write)?;
    check_terms(head, draft)?;
    if moves {
        if state == CampaignState::Closed {
            return Err(not_so("the campaign is closed; add another one"));
        }
        set(head, &mut draft.entry, REMINDED_TIME, vec![now.to_generalized_time_micros()]);
        check_time(head, draft, Some(times.due), now)?;
    }
    Ok(())
}

/// 53: an item stays where it is.
pub(crate) fn check_move(head: &Directory, node: &Node) -> Result<(), Refusal> {
    if item_state(head, node).is_some() { Err(not_so("an item stays in its campaign, under its name")) } else { Ok(()) }
}

/// 53 for the removal of items alone: a campaign goes as a whole. 50 for that of a campaign by others than administrators.
pub(crate) fn check_removable(write: &Write<'_>, entries: &[EntryId]) -> Result<(), Refusal> {
    let head = write.head;
    for node in entries.iter().filter_map(|id| head.node(*id)) {
        if campaign(head, node).is_some() {
            check_administrator(write)?;
        }
        let campaign_stays = || node.parent.is_some_and(|campaign| !entries.contains(&campaign));
        if item_state(head, node).is_some() && campaign_stays() {
            return Err(not_so("an item goes with its campaign"));
        }
    }
    Ok(())
}

pub(super) fn not_so(text: &str) -> Refusal {
    Refusal::new(ResultCode::UnwillingToPerform, text).because("review")
}

fn check_no_item(draft: &Draft<'_>, was: bool) -> Result<(), Refusal> {
    if was || !has_class(draft, ITEM)? {
        return Ok(());
    }
    Err(not_so("items of reviews are made by the server; add a reviewCampaign"))
}

fn check_administrator(write: &Write<'_>) -> Result<(), Refusal> {
    if write.context.subject(write.head).administrator { Ok(()) } else { Err(not_permitted()) }
}

fn check_terms(head: &Directory, draft: &Draft<'_>) -> Result<(), Refusal> {
    let constraint = |text: String| Err(Refusal::new(ResultCode::ConstraintViolation, text));
    for (name, least) in [(GRACE_DAYS, 0), (REMINDER_DAYS, 1)] {
        for value in values(draft, name) {
            let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok());
            if !number.is_some_and(|number| (least..=MOST_DAYS).contains(&number)) {
                return constraint(format!("{name}: a number from {least} to {MOST_DAYS}"));
            }
        }
    }
    if values(draft, REMINDER_DAYS).len() > MOST_REMINDERS {
        return constraint(format!("{REMINDER_DAYS}: {MOST_REMINDERS} reminders at most"));
    }
    for name in [GROUP, MANAGER, APPLICATION, REVIEWER] {
        let attribute = reference(head, name);
        if let Some(outside) = attribute.and_then(|attribute| draft.members.first_outside(attribute)) {
            return constraint(format!("{name}: there is no entry {}", String::from_utf8_lossy(outside)));
        }
    }
    Ok(())
}

/// Where the campaign stands by its moments as they are to be: 19 where it would be over at once, or late with another due date than
/// `before`.
fn check_time(head: &Directory, draft: &mut Draft<'_>, before: Option<Timestamp>, now: Timestamp) -> Result<(), Refusal> {
    let entry = draft.entry.build();
    let Some((_, times)) = head.campaign_of(&entry) else { return Ok(()) };
    if times.closes <= now || (times.due <= now && before != Some(times.due)) {
        return Err(Refusal::new(ResultCode::ConstraintViolation, "reviewDueDate: is over already"));
    }
    set(head, &mut draft.entry, STATE, vec![times.state(CampaignState::Open, now).name().to_owned()]);
    Ok(())
}

/// Whether an entry is to have other values of one of these attributes.
fn differs(head: &Directory, node: &Node, draft: &Draft<'_>, names: &[&str]) -> bool {
    names.iter().any(|name| {
        let Some(attribute_type) = head.schema().attribute_type(name) else { return false };
        !node.entry.values(attribute_type.id).eq(values(draft, name).iter().map(AsRef::as_ref))
    })
}

fn has_class(draft: &Draft<'_>, class: &str) -> Result<bool, Refusal> {
    Ok(draft.object_classes()?.iter().any(|it| is_class(draft.schema, it.as_bytes(), class)))
}

fn values<'d>(draft: &'d Draft<'_>, name: &str) -> &'d [Value] {
    let attribute_type = draft.schema.attribute_type(name);
    let found = attribute_type.and_then(|it| draft.entry.get(it.id, it.name()));
    found.map(|attribute| attribute.values.as_slice()).unwrap_or_default()
}
