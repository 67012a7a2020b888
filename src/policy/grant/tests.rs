//! Each rule of decisions about grants, job codes among them.

use super::*;
use crate::model::schema::Schema;

const ANNA: Identifier = [1; 16];
const BERT: Identifier = [2; 16];
const CARL: Identifier = [3; 16];
const DORA: Identifier = [4; 16];
const SECOND: i64 = 1_000_000;
const NOW: Timestamp = Timestamp(1000 * SECOND);
const ONE: GroupTerms = GroupTerms { approvals: 1, maximum: None };
const TWO: GroupTerms = GroupTerms { approvals: 2, maximum: Some(60) };

/// Asked for by Bert, for Anna, for a minute from now on.
fn pending() -> Grant {
    Grant {
        state: GrantState::Pending,
        window: window(None, Some(60)),
        requesters: vec![BERT],
        member: Some(ANNA),
        approvals: Vec::new(),
    }
}

/// Seconds from now.
fn window(from: Option<i64>, until: Option<i64>) -> GrantWindow {
    let at = |seconds| Timestamp(NOW.0 + seconds * SECOND);
    GrantWindow { from: from.map(at), until: until.map(at) }
}

fn approver(id: Identifier) -> Decider {
    Decider { id, may_decide: true, has_factor: true }
}

fn code(result: Result<Outcome, Refused>) -> u32 {
    result.map_or_else(|refused| refused.code.number(), |_| 0)
}

fn by(decider: &Decider, grant: &Grant, decision: Decision) -> Result<Outcome, Refused> {
    decide(&ONE, grant, decider, decision, None, NOW)
}

const ALL: [Decision; 4] = [Decision::Approve, Decision::Deny, Decision::Revoke, Decision::Reviewed];

#[test]
fn who_asked_or_gets_it_decides_nothing_but_to_give_it_up() {
    for party in [ANNA, BERT] {
        let codes = ALL.map(|decision| code(by(&approver(party), &pending(), decision)));
        assert_eq!(codes, [50, 50, 0, 50]);
        // Not even an approver's right or a second factor is needed for that.
        let powerless = Decider { id: party, may_decide: false, has_factor: false };
        assert_eq!(by(&powerless, &pending(), Decision::Revoke), Ok(Outcome::Revoked));
    }
    // Who asked first is a party as much as who changed the terms since.
    let changed = Grant { requesters: vec![BERT, CARL], ..pending() };
    for asked in [BERT, CARL] {
        assert_eq!(code(by(&approver(asked), &changed, Decision::Approve)), 50);
    }
    assert_eq!(code(by(&approver(DORA), &changed, Decision::Approve)), 0);
    // Asking for oneself is fine: somebody else decides.
    let own = Grant { requesters: vec![ANNA], ..pending() };
    assert_eq!(by(&approver(CARL), &own, Decision::Approve), Ok(Outcome::Approved(GrantState::Active)));
    // Nobody is the one who is gone.
    let orphan = Grant { requesters: Vec::new(), member: None, ..pending() };
    assert_eq!(code(by(&approver(CARL), &orphan, Decision::Approve)), 0);
}

#[test]
fn only_approvers_with_a_second_factor_decide() {
    let active = Grant { state: GrantState::Active, ..pending() };
    for decision in ALL {
        let stranger = Decider { id: CARL, may_decide: false, has_factor: true };
        assert_eq!(code(by(&stranger, &active, decision)), 50);
        let weak = Decider { id: CARL, may_decide: true, has_factor: false };
        assert_eq!(code(by(&weak, &active, decision)), 8);
    }
}

#[test]
fn different_approvers_are_counted() {
    let first = decide(&TWO, &pending(), &approver(CARL), Decision::Approve, None, NOW);
    assert_eq!(first, Ok(Outcome::Waits { missing: 1 }));
    let once = Grant { approvals: vec![CARL], ..pending() };
    assert_eq!(code(decide(&TWO, &once, &approver(CARL), Decision::Approve, None, NOW)), 53);
    let second = decide(&TWO, &once, &approver(DORA), Decision::Approve, None, NOW);
    assert_eq!(second, Ok(Outcome::Approved(GrantState::Active)));
    // One who denies is enough.
    assert_eq!(decide(&TWO, &once, &approver(CARL), Decision::Deny, None, NOW), Ok(Outcome::Revoked));
    // A group that asks for none asks for one.
    let none = GroupTerms { approvals: 0, maximum: None };
    assert_eq!(code(decide(&none, &pending(), &approver(CARL), Decision::Approve, None, NOW)), 0);
}

#[test]
fn each_state_allows_its_decisions() {
    use GrantState::{Active, Expired, Pending, Revoked, Scheduled, Suspended};
    let codes = |state| ALL.map(|decision| code(by(&approver(CARL), &Grant { state, ..pending() }, decision)));
    assert_eq!(codes(Pending), [0, 0, 0, 53]);
    let later = Grant { state: Scheduled, window: window(Some(10), Some(20)), ..pending() };
    assert_eq!(ALL.map(|decision| code(by(&approver(CARL), &later, decision))), [53, 53, 0, 53]);
    assert_eq!(codes(Scheduled), codes(Active), "its moment has come");
    assert_eq!(codes(Active), [53, 53, 0, 0]);
    assert_eq!(codes(Suspended), [0, 53, 0, 53]);
    assert_eq!(codes(Expired), [53; 4]);
    assert_eq!(codes(Revoked), [53; 4]);
}

#[test]
fn time_is_judged_at_the_decision() {
    let at = |window| by(&approver(CARL), &Grant { window, ..pending() }, Decision::Approve);
    assert_eq!(at(window(Some(1), Some(60))), Ok(Outcome::Approved(GrantState::Scheduled)));
    assert_eq!(at(window(Some(0), Some(60))), Ok(Outcome::Approved(GrantState::Active)));
    assert_eq!(at(window(Some(-60), Some(60))), Ok(Outcome::Approved(GrantState::Active)));
    assert_eq!(at(window(None, None)), Ok(Outcome::Approved(GrantState::Active)));
    // Over by now, whatever is stored.
    assert_eq!(at(window(None, Some(0))).unwrap_err().text, "the grant is expired; ask for another");
}

#[test]
fn no_grant_is_longer_than_the_group_allows() {
    let check = |from, until| check_window(&TWO, window(from, until), NOW).map_err(|refused| refused.text);
    assert_eq!(check(None, Some(60)), Ok(()));
    assert_eq!(check(Some(100), Some(160)), Ok(()));
    assert_eq!(check(Some(-100), Some(60)), Ok(()), "what lies behind does not count");
    assert!(check(None, Some(61)).unwrap_err().contains("last 60 seconds at most"));
    assert!(check(Some(100), Some(161)).unwrap_err().contains("last 60 seconds at most"));
    assert!(check(None, None).unwrap_err().contains("end after 60 seconds"));
    assert!(check(None, Some(0)).unwrap_err().contains("over already"));
    assert!(check(Some(20), Some(20)).unwrap_err().contains("before grantNotBefore"));
    assert_eq!(check_window(&ONE, window(None, None), NOW), Ok(()));
    // The longest there is does not overflow.
    let endless = GroupTerms { approvals: 1, maximum: Some(i64::MAX) };
    let whole = GrantWindow { from: Some(Timestamp(i64::MIN)), until: Some(Timestamp(i64::MAX)) };
    assert_eq!(check_window(&endless, whole, NOW), Ok(()));
    // Judged again when it is approved.
    let longer = Grant { window: window(None, Some(61)), ..pending() };
    assert_eq!(code(decide(&TWO, &longer, &approver(CARL), Decision::Approve, None, NOW)), 19);
}

#[test]
fn an_obstacle_keeps_from_approval_and_from_nothing_else() {
    let obstacle = || Some("uid=anna is in cn=dispensers".to_owned());
    let decided = |decision| decide(&ONE, &pending(), &approver(CARL), decision, obstacle(), NOW);
    let refused = decided(Decision::Approve).unwrap_err();
    assert_eq!((refused.code.number(), refused.text.as_str()), (53, "uid=anna is in cn=dispensers"));
    assert_eq!(code(decided(Decision::Deny)), 0);
    assert_eq!(code(decided(Decision::Revoke)), 0);
}

#[test]
fn decisions_have_names() {
    assert_eq!(Decision::named(b"Approve"), Some(Decision::Approve));
    assert_eq!(Decision::named(b"approved"), None);
}

#[test]
fn job_codes_are_compared_by_the_attribute_s_rule() {
    let schema = Schema::embedded().unwrap();
    let has = |code: &str, attribute: &str, value: &str| {
        let attribute = schema.attribute_type(attribute).unwrap().id;
        let values = |id| (id == attribute).then_some(value.as_bytes()).into_iter();
        JobCode::read(&schema, code.as_bytes()).unwrap().is_of(&schema, values)
    };
    assert!(has("employeeType=RN ICU", "employeeType", "rn  icu"));
    assert!(!has("employeeType=RN", "departmentNumber", "RN"));
    assert!(has("RN", "employeeType", "rn") && has("RN", "departmentNumber", "rn"));
    assert!(!has("RN", "title", "RN") && !has("RN", "employeeType", "RNA"));
    assert!(has("title=Head\\, ward", "title", "head, ward"));
    for wrong in ["noSuch=1", "userPassword=x", "title=a+cn=b", "=x"] {
        assert_eq!(JobCode::read(&schema, wrong.as_bytes()), Err(JobCodeError), "{wrong}");
    }
}
