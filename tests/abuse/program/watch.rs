//! What is looked at while an attack goes on: the server's memory, its own counts, and how a client that behaves fares.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::client::{Client, connect};
use crate::{Failure, Target, message};

/// Between two looks at the server's memory.
const LOOK: Duration = Duration::from_millis(20);
/// Between two searches of the client that behaves.
const BREATH: Duration = Duration::from_millis(2);
/// Between two logins of a person who just came.
const ARRIVALS: Duration = Duration::from_millis(400);
/// Where those who behave come from.
const HOME: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);

/// What was seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// Resident memory in MiB: before, at most, some seconds after.
    pub(crate) memory: [u64; 3],
    /// p99 of the searches of a client that behaves, in microseconds.
    pub(crate) p99: u64,
    pub(crate) searches: usize,
    /// People who logged in over TLS, and those who tried.
    pub(crate) logins: (usize, usize),
    /// The server's own counts since the last look.
    pub(crate) counts: String,
}

/// Watches until it is told to stop.
pub(crate) struct Watching {
    stop: Arc<AtomicBool>,
    memory: JoinHandle<u64>,
    searcher: JoinHandle<Result<Vec<u64>, String>>,
    visitors: JoinHandle<(usize, usize)>,
    before: u64,
}

impl Watching {
    pub(crate) fn start(target: &Arc<Target>) -> Result<Watching, Failure> {
        target.counts()?;
        let (stop, before) = (Arc::new(AtomicBool::new(false)), target.resident()?);
        let spawn = |stop: &Arc<AtomicBool>| (Arc::clone(target), Arc::clone(stop));
        let (it, until) = spawn(&stop);
        let memory = std::thread::spawn(move || {
            let mut most = 0;
            while !until.load(Ordering::Relaxed) {
                most = most.max(it.resident().unwrap_or(0));
                std::thread::sleep(LOOK);
            }
            most
        });
        let (it, until) = spawn(&stop);
        let searcher = std::thread::spawn(move || searches(&it, &until).map_err(|error| error.to_string()));
        let (it, until) = spawn(&stop);
        let visitors = std::thread::spawn(move || visits(&it, &until));
        Ok(Watching { stop, memory, searcher, visitors, before })
    }

    /// Ends it. `rest`: how long after the attack memory is looked at once more.
    pub(crate) fn end(self, target: &Target, rest: Duration) -> Result<Seen, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        let most = self.memory.join().map_err(|_| "the watch broke down")?;
        let mut latencies = self.searcher.join().map_err(|_| "the searcher broke down")??;
        let logins = self.visitors.join().map_err(|_| "the visitors broke down")?;
        let counts = target.counts()?;
        std::thread::sleep(rest);
        latencies.sort_unstable();
        Ok(Seen {
            memory: [self.before, most.max(self.before), target.resident()?],
            p99: latencies.get(latencies.len() * 99 / 100).copied().unwrap_or(0),
            searches: latencies.len(),
            logins,
            counts,
        })
    }
}

/// One that is connected and looks people up, one after the other.
fn searches(target: &Target, until: &AtomicBool) -> Result<Vec<u64>, Failure> {
    let mut client = Client::clear(connect(HOME, target.ldap, None)?)?;
    client.log_in(&target.person(1), target.password())?;
    let (mut latencies, mut id) = (Vec::new(), 1);
    while !until.load(Ordering::Relaxed) {
        id += 1;
        let (request, sent) = (message::search(id, &message::equality("uid", &target.uid(id))), Instant::now());
        match client.ask(&request)? {
            (1, 0) => latencies.push(u64::try_from(sent.elapsed().as_micros())?),
            (entries, code) => return Err(format!("a search was answered with {code} and {entries} entries").into()),
        }
        std::thread::sleep(BREATH);
    }
    Ok(latencies)
}

/// People who come, log in over TLS, look one person up and go.
fn visits(target: &Target, until: &AtomicBool) -> (usize, usize) {
    let (mut served, mut tried) = (0, 0);
    while !until.load(Ordering::Relaxed) {
        tried += 1;
        match visit(target) {
            Ok(()) => served += 1,
            Err(error) => eprintln!("abuse: a visitor was not served: {error}"),
        }
        std::thread::sleep(ARRIVALS);
    }
    (served, tried)
}

fn visit(target: &Target) -> Result<(), Failure> {
    let mut client = Client::tls(connect(HOME, target.ldaps, None)?, &target.trust)?;
    client.log_in(&target.person(2), target.password())?;
    match client.ask(&message::search(2, &message::equality("uid", &target.uid(3))))? {
        (1, 0) => Ok(()),
        (entries, code) => Err(format!("{code} and {entries} entries").into()),
    }
}

impl Target {
    /// Resident memory in MiB.
    pub(crate) fn resident(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no memory in the process status")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? / 1024)
    }

    /// The server's own counts: asked for by a signal, told in its log.
    pub(crate) fn counts(&self) -> Result<String, Failure> {
        let told = |path: &PathBuf| -> Result<Vec<String>, Failure> {
            let log = std::fs::read_to_string(path)?;
            Ok(log
                .lines()
                .filter_map(|line| line.split_once("limits, now and at most: "))
                .map(|(_, counts)| counts.to_owned())
                .collect())
        };
        let before = told(&self.log)?.len();
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).ok_or("no process")?;
        rustix::process::kill_process(pid, Signal::USR1)?;
        for _ in 0..500 {
            std::thread::sleep(LOOK);
            if let Some(counts) = told(&self.log)?.get(before) {
                return Ok(counts.clone());
            }
        }
        Err("the server did not tell its counts".into())
    }
}
