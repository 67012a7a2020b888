//! One measurement: all connections driven by one thread, each sending its next request when the last one was answered.

use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};

use super::connection::{self, Connection};
use super::{Failure, RunArguments, Workload, message, people};

/// Requests encoded ahead for each connection; they start over when they are used up.
const REQUESTS: u32 = 4_096;
/// How long outstanding requests may take after the end of the measurement.
const DRAIN: Duration = Duration::from_secs(20);

/// What was counted in the measured time.
#[derive(Default)]
struct Counts {
    microseconds: Vec<u32>,
    failures: u64,
    /// The resultCode and the number of entries of the first failure.
    first_failure: Option<(u8, u32)>,
}

impl Counts {
    fn percentile(&self, hundredth: usize) -> u32 {
        self.microseconds.get(self.microseconds.len() * hundredth / 100).copied().unwrap_or(0)
    }
}

/// Runs it; one line of `key=value`. A single operation that fails fails the run: it would be too fast.
pub(crate) fn run(arguments: &RunArguments) -> Result<String, Failure> {
    let mut open = open(arguments)?;
    let warm = Instant::now() + Duration::from_secs_f64(arguments.warm_up);
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (number, connection) in open.iter_mut().enumerate() {
        epoll::add(&poll, connection.socket(), epoll::EventData::new_u64(number as u64), epoll::EventFlags::IN)?;
        connection.send()?;
    }
    let workload = arguments.workload;
    turn(&poll, &mut open, workload, warm, true)?;
    let (cpu_before, start) = (cpu_microseconds(arguments.pid)?, Instant::now());
    let mut counts = turn(&poll, &mut open, workload, start + Duration::from_secs_f64(arguments.seconds), true)?;
    let (elapsed, cpu) = (start.elapsed().as_secs_f64(), cpu_microseconds(arguments.pid)? - cpu_before);
    turn(&poll, &mut open, workload, Instant::now() + DRAIN, false)?;

    if let Some((code, entries)) = counts.first_failure {
        let (failed, all) = (counts.failures, counts.microseconds.len());
        return Err(format!("{failed} of {all} operations failed, the first with code {code} and {entries} entries").into());
    }
    counts.microseconds.sort_unstable();
    let operations = counts.microseconds.len().max(1) as f64;
    Ok(format!(
        "server={} workload={} connections={} operations={} operations_per_second={:.0} p50_us={} p99_us={} cpu_us={:.1}",
        arguments.server,
        format!("{workload:?}").to_lowercase(),
        connections(arguments),
        operations,
        operations / elapsed,
        counts.percentile(50),
        counts.percentile(99),
        cpu / operations,
    ))
}

/// Connects, binds, and encodes what each connection will ask.
fn open(arguments: &RunArguments) -> Result<Vec<Connection>, Failure> {
    let tls = arguments.ca.as_deref().map(connection::trust).transpose()?;
    let password = std::fs::read_to_string(&arguments.password_file)?;
    let mut random = Random(arguments.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    if arguments.workload == Workload::Bind {
        // A first right bind may store the password in another form: that is done before the clock starts.
        let mut connection = Connection::open(arguments.address, tls.as_ref())?;
        (0..accounts(arguments)).try_for_each(|number| connection.exchange(bind(1, number)))?;
    }
    (0..connections(arguments))
        .map(|number| {
            let mut connection = Connection::open(arguments.address, tls.as_ref())?;
            if arguments.workload != Workload::Bind {
                connection.exchange(message::bind(1, &arguments.bind_dn, &password))?;
            }
            if arguments.workload == Workload::Rename {
                // The last run may have ended between there and back; where it did not, this is refused.
                connection.ask(message::rename(1, RENAMED, NAMED))?;
            }
            connection.drive((2..REQUESTS + 2).map(|id| request(arguments, number, id, &mut random)).collect())?;
            Ok(connection)
        })
        .collect()
}

/// What ou=people is called, and what it is renamed to.
const NAMED: &str = "people";
const RENAMED: &str = "staff";

fn connections(arguments: &RunArguments) -> u32 {
    if arguments.workload == Workload::Rename { 1 } else { arguments.connections }
}

/// `number`: of the connection. Requests that come in pairs start with an even `id`.
fn request(arguments: &RunArguments, number: u32, id: u32, random: &mut Random) -> Vec<u8> {
    // Another one in every run: what the last one left out stays out.
    let own = |group: people::Group| {
        let turn = u32::try_from(arguments.seed).unwrap_or_default().wrapping_mul(arguments.connections).wrapping_add(number);
        turn % group.size(arguments.people)
    };
    let person = random.below(arguments.people);
    match arguments.workload {
        Workload::Search => message::search(id, person),
        Workload::Modify => {
            let description =
                format!("changed in round {} by request {id}, with the number {}", arguments.seed, random.below(u32::MAX));
            message::modify(id, person, &description)
        }
        Workload::JoinSmall => message::membership(id, people::SMALL, own(people::SMALL), id % 2 == 1),
        Workload::JoinLarge => message::membership(id, people::LARGE, own(people::LARGE), id % 2 == 1),
        Workload::CompareMember => message::compare_member(id, people::LARGE, random.below(people::LARGE.size(arguments.people))),
        Workload::ReadGroup => message::read_group(id, people::LARGE),
        Workload::Substring => message::substring(id, person),
        Workload::Rename if id.is_multiple_of(2) => message::rename(id, NAMED, RENAMED),
        Workload::Rename => message::rename(id, RENAMED, NAMED),
        Workload::Bind => bind(id, random.below(accounts(arguments))),
    }
}

fn bind(id: u32, person: u32) -> Vec<u8> {
    message::bind(id, &people::dn(person), people::PASSWORD)
}

fn accounts(arguments: &RunArguments) -> u32 {
    arguments.accounts.min(arguments.people)
}

/// Takes answers until `end`; sends the next request for each if `going_on`, else ends when none is outstanding.
fn turn(
    poll: &impl std::os::fd::AsFd,
    connections: &mut [Connection],
    workload: Workload,
    end: Instant,
    going_on: bool,
) -> Result<Counts, Failure> {
    let mut counts = Counts::default();
    let mut outstanding = connections.len();
    let mut events = Vec::with_capacity(connections.len());
    while outstanding > 0 {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return if going_on { Ok(counts) } else { Err("the server did not answer in time".into()) };
        }
        events.clear();
        epoll::wait(poll, rustix::buffer::spare_capacity(&mut events), Some(&Timespec::try_from(left)?))?;
        for event in &events {
            let connection = connections.get_mut(event.data.u64() as usize).ok_or("an event of no connection")?;
            let Some(completed) = connection.receive()? else { continue };
            if (completed.code, completed.entries) != workload.expected() {
                counts.failures += 1;
                counts.first_failure.get_or_insert((completed.code, completed.entries));
            }
            counts.microseconds.push(u32::try_from(completed.latency.as_micros())?);
            if going_on {
                connection.send()?;
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

/// xorshift64*: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32;
        high % end.max(1)
    }
}
