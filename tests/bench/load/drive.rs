//! One measurement: all connections driven by one thread, each sending its next request when the last one was answered.

use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};

use super::connection::{self, Connection};
use super::workload::{self, Random, Workload};
use super::{Failure, RunArguments, login, message};

/// How long outstanding requests may take after the end of the measurement.
const DRAIN: Duration = Duration::from_secs(20);

/// What was counted in the measured time.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) microseconds: Vec<u32>,
    /// Wrong passwords refused meanwhile.
    storm: u64,
    failures: u64,
    /// What was wrong with the first failure.
    first_failure: Option<String>,
}

impl Counts {
    pub(crate) fn done(&mut self, latency: Duration) -> Result<(), Failure> {
        self.microseconds.push(u32::try_from(latency.as_micros())?);
        Ok(())
    }

    pub(crate) fn failed(&mut self, what: String) {
        self.failures += 1;
        self.first_failure.get_or_insert(what);
    }

    pub(crate) fn add(&mut self, other: Counts) {
        self.microseconds.extend(other.microseconds);
        self.storm += other.storm;
        self.failures += other.failures;
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }

    fn percentile(&self, hundredth: usize) -> u32 {
        self.microseconds.get(self.microseconds.len() * hundredth / 100).copied().unwrap_or(0)
    }

    /// One line of `key=value`. A single operation that fails fails the run: it would be too fast.
    fn line(mut self, arguments: &RunArguments, elapsed: f64, cpu: f64) -> Result<String, Failure> {
        if let Some(first) = self.first_failure {
            let all = self.microseconds.len();
            return Err(
                format!("{:?}: {} of {all} operations failed, the first: {first}", arguments.workload, self.failures).into()
            );
        }
        self.microseconds.sort_unstable();
        let operations = self.microseconds.len().max(1) as f64;
        Ok(format!(
            "server={} workload={} transport={} connections={} storm={} pace={} operations={operations} operations_per_second={:.1} \
             p50_us={} p99_us={} cpu_us={:.1} storm_per_second={:.1}",
            arguments.server,
            format!("{:?}", arguments.workload).to_lowercase(),
            if arguments.ca.is_some() { "tls" } else { "tcp" },
            connections(arguments),
            arguments.storm,
            arguments.pace,
            operations / elapsed,
            self.percentile(50),
            self.percentile(99),
            cpu / operations,
            self.storm as f64 / elapsed,
        ))
    }
}

/// Runs it; one line.
pub(crate) fn run(arguments: &RunArguments) -> Result<String, Failure> {
    if arguments.workload.binds_known() {
        bind_once(arguments)?;
    }
    if arguments.workload == Workload::Login {
        let warm_up = login::run(arguments, Duration::from_secs_f64(arguments.warm_up))?;
        drop(warm_up);
        let (cpu_before, start) = (cpu_microseconds(arguments.pid)?, Instant::now());
        let counts = login::run(arguments, Duration::from_secs_f64(arguments.seconds))?;
        let cpu = cpu_microseconds(arguments.pid)? - cpu_before;
        return counts.line(arguments, start.elapsed().as_secs_f64(), cpu);
    }
    let mut open = open(arguments)?;
    let warm = Instant::now() + Duration::from_secs_f64(arguments.warm_up);
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (number, driven) in open.iter_mut().enumerate() {
        epoll::add(&poll, driven.connection.socket(), epoll::EventData::new_u64(number as u64), epoll::EventFlags::IN)?;
        driven.connection.send()?;
        if let Some(pace) = &mut driven.pace {
            // Evenly spread over the connections.
            pace.next = Instant::now() + pace.interval.mul_f64(number as f64 / f64::from(arguments.connections));
        }
    }
    turn(&poll, &mut open, warm, true)?;
    let (cpu_before, start) = (cpu_microseconds(arguments.pid)?, Instant::now());
    let counts = turn(&poll, &mut open, start + Duration::from_secs_f64(arguments.seconds), true)?;
    let (elapsed, cpu) = (start.elapsed().as_secs_f64(), cpu_microseconds(arguments.pid)? - cpu_before);
    turn(&poll, &mut open, Instant::now() + DRAIN, false)?;
    counts.line(arguments, elapsed, cpu)
}

/// A first right bind may store the password in another form: that is done before the clock starts.
fn bind_once(arguments: &RunArguments) -> Result<(), Failure> {
    let tls = arguments.ca.as_deref().map(connection::trust).transpose()?;
    let mut connection = Connection::open(arguments.address, tls.as_ref())?;
    (0..workload::accounts(arguments)).try_for_each(|number| connection.exchange(workload::bind(1, number)))
}

/// A connection and what it does.
struct Driven {
    connection: Connection,
    workload: Workload,
    storm: bool,
    /// None: the next request follows the answer.
    pace: Option<Pace>,
}

/// When a connection sends.
#[derive(Clone, Copy)]
struct Pace {
    interval: Duration,
    /// When the next request is due.
    next: Instant,
    /// The last one was answered.
    waits: bool,
}

impl Driven {
    /// What follows an answer.
    fn go_on(&mut self) -> Result<(), Failure> {
        match &mut self.pace {
            None => self.connection.send(),
            Some(pace) => {
                pace.waits = true;
                self.send_if_due(Instant::now())
            }
        }
    }

    fn send_if_due(&mut self, now: Instant) -> Result<(), Failure> {
        match &mut self.pace {
            Some(pace) if pace.waits && pace.next <= now => {
                pace.waits = false;
                let due = pace.next;
                pace.next += pace.interval;
                self.connection.send_since(due)
            }
            _ => Ok(()),
        }
    }

    /// When the next request is due, where it waits for that.
    fn due(&self) -> Option<Instant> {
        self.pace.filter(|pace| pace.waits).map(|pace| pace.next)
    }
}

/// Connects, binds, and encodes what each connection will ask.
fn open(arguments: &RunArguments) -> Result<Vec<Driven>, Failure> {
    let tls = arguments.ca.as_deref().map(connection::trust).transpose()?;
    let password = std::fs::read_to_string(&arguments.password_file)?;
    let mut random = Random::new(arguments.seed);
    let measured = (0..connections(arguments)).map(|number| (number, arguments.workload, false));
    let storm = (0..arguments.storm).map(|number| (number, Workload::BindWrong, true));
    measured
        .chain(storm)
        .map(|(number, workload, storm)| {
            let mut connection = Connection::open(arguments.address, tls.as_ref())?;
            if !workload.binds() {
                connection.exchange(message::bind(1, &arguments.bind_dn, &password))?;
            }
            if let Some(request) = workload::preparation(arguments, workload) {
                connection.ask(request)?;
            }
            connection.drive(workload::requests(arguments, workload, number, &mut random)?)?;
            let paced = arguments.pace > 0 && !storm;
            let interval = Duration::from_secs_f64(f64::from(arguments.connections) / f64::from(arguments.pace.max(1)));
            let pace = paced.then(|| Pace { interval, next: Instant::now(), waits: false });
            Ok(Driven { connection, workload, storm, pace })
        })
        .collect()
}

fn connections(arguments: &RunArguments) -> u32 {
    if arguments.workload == Workload::Rename { 1 } else { arguments.connections }
}

/// Takes answers until `end`; sends the next request for each if `going_on`, else ends when none is outstanding.
fn turn(poll: &impl std::os::fd::AsFd, open: &mut [Driven], end: Instant, going_on: bool) -> Result<Counts, Failure> {
    let mut counts = Counts::default();
    // Those that only wait for their time are not outstanding at the end.
    let mut outstanding = open.iter().filter(|driven| going_on || driven.due().is_none()).count();
    let mut events = Vec::with_capacity(open.len());
    while outstanding > 0 {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return if going_on { Ok(counts) } else { Err("the server did not answer in time".into()) };
        }
        let mut wait = left;
        if going_on {
            let now = Instant::now();
            open.iter_mut().try_for_each(|driven| driven.send_if_due(now))?;
            let due = open.iter().filter_map(Driven::due).min();
            wait = due.map_or(left, |due| left.min(due.saturating_duration_since(now)));
        }
        events.clear();
        epoll::wait(poll, rustix::buffer::spare_capacity(&mut events), Some(&Timespec::try_from(wait)?))?;
        for event in &events {
            let driven = open.get_mut(event.data.u64() as usize).ok_or("an event of no connection")?;
            let Some(completed) = driven.connection.receive()? else { continue };
            if (completed.code, completed.entries) != driven.workload.expected() {
                counts.failed(format!("code {}, {} entries", completed.code, completed.entries));
            }
            if driven.storm {
                counts.storm += 1;
            } else {
                counts.done(completed.latency)?;
            }
            if going_on {
                driven.go_on()?;
            } else {
                outstanding -= 1;
            }
        }
    }
    Ok(counts)
}

/// User and system time of a process with all its threads, in microseconds.
fn cpu_microseconds(pid: u32) -> Result<f64, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the program's name in parentheses and may hold anything.
    let fields = stat.rsplit_once(") ").ok_or("no process status")?.1;
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(ticks as f64 * 1e6 / rustix::param::clock_ticks_per_second() as f64)
}
