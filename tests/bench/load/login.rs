//! What an application does for each user who logs in, on a new connection each time: one thread for each client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connection::{self, Connection};
use super::drive::Counts;
use super::workload::{self, Random};
use super::{Failure, RunArguments, message, people};

/// Who the application is.
const APPLICATION: u32 = 0;

/// Logs people in for that long.
pub(crate) fn run(arguments: &RunArguments, time: Duration) -> Result<Counts, Failure> {
    let tls = arguments.ca.as_deref().map(connection::trust).transpose()?;
    let end = Instant::now() + time;
    let mut all = Counts::default();
    let counted: Vec<Result<Counts, String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..arguments.connections)
            .map(|number| {
                let tls = tls.as_ref();
                scope.spawn(move || client(arguments, tls, number, end).map_err(|error| error.to_string()))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a client broke down".to_owned()))).collect()
    });
    for counts in counted {
        all.add(counts?);
    }
    Ok(all)
}

fn client(
    arguments: &RunArguments,
    tls: Option<&Arc<rustls::ClientConfig>>,
    number: u32,
    end: Instant,
) -> Result<Counts, Failure> {
    let mut random = Random::new(arguments.seed.wrapping_mul(1000).wrapping_add(number.into()));
    let mut counts = Counts::default();
    while Instant::now() < end {
        let start = Instant::now();
        let person = random.below(workload::accounts(arguments));
        let answers = login(arguments, tls, person)?;
        if answers != [(0, 0), (0, 1), (0, 0), (6, 0)] {
            counts.failed(format!("code and entries of bind, search, bind, compare: {answers:?}"));
        }
        counts.done(start.elapsed())?;
    }
    Ok(counts)
}

fn login(arguments: &RunArguments, tls: Option<&Arc<rustls::ClientConfig>>, person: u32) -> Result<[(u8, u32); 4], Failure> {
    let mut connection = Connection::open(arguments.address, tls)?;
    let mut ask = |request| connection.ask(request).map(|completed| (completed.code, completed.entries));
    let answers = [
        ask(workload::bind(1, APPLICATION))?,
        ask(message::search(2, person))?,
        ask(workload::bind(3, person))?,
        ask(message::compare_member(4, &people::ward(person % people::WARD_GROUPS), person))?,
    ];
    connection.tell(&message::unbind(5))?;
    Ok(answers)
}
