//! Searches of a connection that wait for the directory to change: they cost nothing until it does.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::watch;

use crate::operation::search::SearchStream;
use crate::protocol::MessageId;

type Change = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Searches that wait, and what they wait for.
#[derive(Default)]
pub(super) struct Parked {
    searches: Vec<(MessageId, Box<SearchStream>)>,
    change: Option<Change>,
}

impl Parked {
    /// Parks a search that saw everything published before `changes` was asked for.
    pub(super) fn park(&mut self, id: MessageId, search: Box<SearchStream>, changes: watch::Receiver<()>) {
        self.searches.push((id, search));
        // What is awaited already was asked for earlier and misses nothing either.
        if self.change.is_none() {
            self.change = Some(next_change(changes));
        }
    }

    /// Drops a search.
    pub(super) fn remove(&mut self, id: MessageId) {
        self.searches.retain(|(parked, _)| *parked != id);
        self.rest();
    }

    /// Drops all.
    pub(super) fn clear(&mut self) {
        self.searches.clear();
        self.rest();
    }

    /// Ready with all of them when something was published.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Vec<(MessageId, Box<SearchStream>)>> {
        let Some(change) = &mut self.change else { return Poll::Pending };
        match change.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                self.change = None;
                Poll::Ready(std::mem::take(&mut self.searches))
            }
        }
    }

    fn rest(&mut self) {
        if self.searches.is_empty() {
            self.change = None;
        }
    }
}

/// Nothing more is published once the committer is gone.
fn next_change(mut changes: watch::Receiver<()>) -> Change {
    Box::pin(async move {
        match changes.changed().await {
            Ok(()) => (),
            Err(_) => std::future::pending().await,
        }
    })
}
