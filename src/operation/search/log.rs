//! A search of `cn=accesslog`: asks for records, part by part, and sends those that the filter is true for.

use std::collections::VecDeque;
use std::sync::Arc;

use super::begin::{acting, limit, of_no_directory};
use super::sorting::Sorting;
use super::{Phase, Pull, SearchStream, cookie, cost, follow};
use crate::directory::{Directory, Node};
use crate::journal::query::{FoundRecord, LookupRequest, Query};
use crate::model::{EntryId, ResultCode, Scope, Timestamp};
use crate::operation::access::Access;
use crate::operation::accesslog::{self, Place};
use crate::operation::control::Controls;
use crate::operation::refusal::Refusal;
use crate::operation::selection::Selection;
use crate::operation::{Context, root_dse};
use crate::protocol::{LdapResult, SearchRequest};

/// Records that are asked for at once.
const FOUND_AT_ONCE: usize = 64;
/// Records that are read for that.
const READ_AT_ONCE: u64 = 4096;
/// Records that one search, or one page of it, may have read: beyond that it must ask for less.
const MOST_READ: u64 = 500_000;
/// Ranges of records that one result names as unreadable.
const MOST_TOLD: usize = 8;
/// Stands for the log in a page's cookie.
const LOG: EntryId = EntryId(u64::MAX - 1);

/// How far such a search is.
pub(super) struct LogReading {
    query: Query,
    backwards: bool,
    /// The entry above the records, where it is in scope.
    container: Option<Node>,
    /// Found and not yet looked at.
    ready: VecDeque<FoundRecord>,
    /// Goes on behind this sequence.
    from: Option<u64>,
    /// Everything there is was read.
    is_over: bool,
    read: u64,
    /// The search is for this one record.
    is_one: bool,
    failed: Option<ResultCode>,
    /// What could not be read on the way.
    unreadable: Vec<(u64, u64)>,
    /// What was asked, for the journal.
    question: String,
}

/// A part of the records that were asked for.
#[derive(Debug)]
pub struct LogPart {
    /// In the order asked for.
    pub records: Vec<FoundRecord>,
    /// Where to go on; none: that was all.
    pub next: Option<u64>,
    /// Records that were read for it.
    pub read: u64,
    /// First and last sequence of records that could not be read on the way.
    pub unreadable: Vec<(u64, u64)>,
}

/// Begins such a search, for who may read the log: it is recorded before it is pulled.
pub(super) fn begin(
    directory: &Arc<Directory>,
    context: &Context,
    request: &SearchRequest,
    controls: &Controls,
    sorting: Option<Sorting>,
    place: Place,
    selection: Selection,
) -> Result<SearchStream, Refusal> {
    if !accesslog::may_read(directory, context) {
        return Err(Refusal::no_such_object(directory, None));
    }
    if follow::is_asked(controls) || controls.assertion.is_some() {
        return Err(Refusal::new(ResultCode::UnwillingToPerform, "records are neither followed nor asserted"));
    }
    let backwards = order(directory, controls)?;
    sorting.as_ref().map_or(Ok(()), Sorting::only_sorted)?;
    let page = cookie::page(context, request, controls)?;
    let resumed = page.as_ref().and_then(|page| page.resumed.as_ref());
    let holds_container = place == Place::Log && request.scope != Scope::One && resumed.is_none();
    let holds_records = match place {
        Place::Log => request.scope != Scope::Base,
        Place::Record(_) => request.scope != Scope::One,
    };
    let reading = LogReading {
        query: accesslog::question(directory, &request.filter, place),
        backwards,
        container: holds_container.then(|| accesslog::container(directory)),
        ready: VecDeque::new(),
        from: resumed.map(|cookie| cookie.after.0),
        is_over: !holds_records,
        read: 0,
        is_one: matches!(place, Place::Record(_)),
        failed: None,
        unreadable: Vec::new(),
        question: format!("{} {:?} {}", accesslog_name(place), request.scope, accesslog::told(directory, &request.filter)),
    };
    let sent = resumed.map_or(0, |cookie| cookie.sent);
    let subject = context.subject(directory);
    let answer = super::Answer::new(directory, subject, Access::published(directory, context), context.now, selection, controls)?;
    let seconds = limit(request.time_limit, context.settings.limits.time, subject.administrator);
    Ok(SearchStream {
        filter: request.filter.clone(),
        cost: cost(&request.filter),
        sent,
        // Whoever may read the log may read all of it.
        size_limit: limit(request.size_limit, 0, true),
        deadline: seconds.map(|seconds| Timestamp(context.now.0.saturating_add(i64::from(seconds) * 1_000_000))),
        acting: acting(context),
        ..of_no_directory(directory, answer, Phase::Log(Box::new(reading)), sorting, page)
    })
}

fn accesslog_name(place: Place) -> String {
    match place {
        Place::Log => accesslog::ACCESSLOG.to_owned(),
        Place::Record(moment) => format!("reqStart={},{}", moment.to_generalized_time_micros(), accesslog::ACCESSLOG),
    }
}

/// Oldest first, unless the newest are asked for first.
fn order(directory: &Directory, controls: &Controls) -> Result<bool, Refusal> {
    let Some(sort) = &controls.sort else { return Ok(false) };
    let is_start = |name: &str| directory.schema().attribute_type(name).is_some_and(|it| it.name() == "reqStart");
    match sort.keys.as_slice() {
        [key] if is_start(&key.attribute) => Ok(key.reverse),
        _ => Err(Refusal::new(ResultCode::UnwillingToPerform, "records are sorted by reqStart alone")),
    }
}

impl LogReading {
    /// Tells whoever asked where the answer is not whole.
    fn result(&self, code: ResultCode) -> LdapResult {
        if self.unreadable.is_empty() {
            return LdapResult::of(code);
        }
        let ranges: Vec<String> = self.unreadable.iter().map(|(first, last)| format!("{first} to {last}")).collect();
        LdapResult::with(code, format!("not whole: records {} cannot be read; see bindery journal verify", ranges.join(", ")))
    }
}

impl SearchStream {
    /// What is recorded of the search before it may be pulled, where it reads the journal.
    pub fn question(&self) -> Option<&str> {
        match &self.phase {
            Phase::Log(reading) => Some(&reading.question),
            _ => None,
        }
    }

    /// What [`Pull::Fetch`] asked for, or why there is nothing.
    pub fn supply(&mut self, part: Result<LogPart, ResultCode>) {
        let Phase::Log(reading) = &mut self.phase else { return };
        match part {
            Ok(LogPart { records, next, read, unreadable }) => {
                let room = MOST_TOLD.saturating_sub(reading.unreadable.len());
                reading.unreadable.extend(unreadable.into_iter().take(room));
                reading.ready.extend(records);
                reading.read = reading.read.saturating_add(read);
                reading.from = next.or(reading.from);
                reading.is_over = next.is_none();
            }
            Err(code) => reading.failed = Some(code),
        }
    }

    /// Looks at the next record; nothing where it does not match.
    pub(super) fn read_log(&mut self, budget: &mut u32) -> Option<Pull> {
        let Phase::Log(reading) = &mut self.phase else { return None };
        if *budget == 0 {
            return Some(Pull::Pause);
        }
        if let Some(code) = reading.failed {
            return Some(self.end(LdapResult::with(code, "the journal cannot be read; the server's log says why")));
        }
        if let Some(node) = reading.container.take() {
            return self.send_record(&node, None, budget);
        }
        if let Some(found) = reading.ready.pop_front() {
            let node = accesslog::node_of(&self.directory, &found);
            return self.send_record(&node, Some(found.record.sequence), budget);
        }
        if reading.is_over {
            let is_missing = reading.is_one && self.sent == 0;
            let code = if is_missing { ResultCode::NoSuchObject } else { ResultCode::Success };
            let result = reading.result(code);
            return Some(self.end(result));
        }
        if reading.read >= MOST_READ {
            let text = "too many records to look at; ask for less time, or for a type, a person or a result";
            return Some(self.end(LdapResult::with(ResultCode::AdminLimitExceeded, text)));
        }
        let (query, backwards, from) = (reading.query.clone(), reading.backwards, reading.from);
        Some(Pull::Fetch(Box::new(LookupRequest { query, backwards, from, most_found: FOUND_AT_ONCE, most_read: READ_AT_ONCE })))
    }

    fn log_result(&self, code: ResultCode) -> LdapResult {
        match &self.phase {
            Phase::Log(reading) => reading.result(code),
            _ => LdapResult::of(code),
        }
    }

    fn send_record(&mut self, node: &Node, sequence: Option<u64>, budget: &mut u32) -> Option<Pull> {
        *budget = budget.saturating_sub(self.cost);
        if !root_dse::matches(&self.directory, &self.filter, node) {
            return None;
        }
        if let Some(cookie) = self.page.as_ref().and_then(|page| page.next_cookie(self.sent)) {
            return Some(self.last(self.log_result(ResultCode::Success), Some(&cookie)));
        }
        if self.size_limit.is_some_and(|limit| self.sent >= limit) {
            return Some(self.end(self.log_result(ResultCode::SizeLimitExceeded)));
        }
        self.sent = self.sent.saturating_add(1);
        if let Some(page) = &mut self.page {
            // The container stands before the first record, and behind none.
            let backwards = matches!(&self.phase, Phase::Log(reading) if reading.backwards);
            page.sent(LOG, EntryId(sequence.unwrap_or(if backwards { u64::MAX } else { 0 })));
        }
        Some(Pull::Reply(self.answer.special(&self.directory, &node.name, node)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_not_whole_says_which_records_are_missing() {
        let reading = |unreadable| LogReading {
            query: Query::default(),
            backwards: false,
            container: None,
            ready: VecDeque::new(),
            from: None,
            is_over: true,
            read: 0,
            is_one: false,
            failed: None,
            unreadable,
            question: String::new(),
        };
        assert_eq!(reading(Vec::new()).result(ResultCode::Success), LdapResult::of(ResultCode::Success));
        let told = reading(vec![(5, 7), (9, 9)]).result(ResultCode::Success);
        assert_eq!(told.code, ResultCode::Success);
        assert_eq!(told.diagnostic, "not whole: records 5 to 7, 9 to 9 cannot be read; see bindery journal verify");
    }
}
