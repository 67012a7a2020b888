//! The attacks. Each says what came of it in a few words, or fails.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::client::{Client, connect};
use crate::{Failure, Size, Target, message};

/// An attack, and how much memory it may cost, in MiB.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Arc<Target>, Size) -> Result<String, Failure>,
    pub(crate) memory: fn(Size) -> u64,
}

pub(crate) const ATTACKS: &[Attack] = &[
    Attack { name: "slowloris", run: slowloris, memory: |size| size.of(120, 220) },
    Attack { name: "million terms", run: million_terms, memory: |_| 200 },
    Attack { name: "long filters", run: long_filters, memory: |_| 250 },
    Attack { name: "half-open TLS", run: half_open, memory: |_| 250 },
    Attack { name: "never reads", run: never_reads, memory: |size| size.of(80, 200) },
    Attack { name: "empty values", run: empty_values, memory: |_| 300 },
    Attack { name: "wrong passwords", run: wrong_passwords, memory: |_| 120 },
];

/// Where attackers come from: any number of addresses of loopback, none of them that of those who behave.
fn source(number: usize) -> Ipv4Addr {
    let number = u32::try_from(number).unwrap_or(0) % 0xff_0000;
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + number)
}

/// Whether the server has closed a connection that is not read otherwise.
fn is_closed(stream: &TcpStream) -> bool {
    let _ = stream.set_nonblocking(true);
    !matches!((&mut &*stream).read(&mut [0; 4096]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// Many connections that send a large request one octet after the other.
fn slowloris(target: &Arc<Target>, size: Size) -> Result<String, Failure> {
    let (connections, rounds) = (size.of(1000, 4000), size.of(4, 8));
    let mut open = Vec::new();
    for number in 0..connections as usize {
        open.push(connect(source(number / 150), target.ldap, None)?);
    }
    // It says that 200 KiB follow: within the limit before a login.
    let request = message::message(1, &message::element(0x60, &vec![0; 200 * 1024]));
    let mut sent = 0;
    for octet in 0..rounds as usize {
        for stream in &mut open {
            let octets = if octet == 0 { request.get(..4000) } else { request.get(4000 + octet..4001 + octet) };
            sent += usize::from(stream.write_all(octets.unwrap_or_default()).is_ok());
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    let alive = open.iter().filter(|stream| !is_closed(stream)).count();
    Ok(format!("{connections} connections, {sent} writes taken, {alive} still waited for"))
}

/// A filter of a million terms, again and again.
fn million_terms(target: &Arc<Target>, size: Size) -> Result<String, Failure> {
    let terms = message::equality("uid", "a").repeat(1_000_000);
    let request = message::search(2, &message::element(0xa1, &terms));
    let (rounds, refused) = (size.of(3, 20), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let attack = || -> Result<(), String> {
            let again = || -> Result<(), Failure> {
                let mut client = Client::clear(connect(source(0), target.ldap, None)?)?;
                client.log_in(&target.person(4), target.password())?;
                for _ in 0..rounds {
                    match client.ask(&request)? {
                        (0, 11) => refused.fetch_add(1, Ordering::Relaxed),
                        (_, code) => return Err(format!("answered with {code}").into()),
                    };
                }
                Ok(())
            };
            again().map_err(|error| error.to_string())
        };
        let attackers: Vec<_> = (0..4).map(|_| scope.spawn(attack)).collect();
        attackers.into_iter().try_for_each(|attacker| attacker.join().map_err(|_| "an attacker broke down".to_owned())?)
    })?;
    Ok(format!("{} filters of {} KiB refused with 11", refused.into_inner(), request.len() / 1024))
}

/// The longest filters that are taken, of the dearest kind, as many at once as a connection may have under way.
fn long_filters(target: &Arc<Target>, size: Size) -> Result<String, Failure> {
    let (connections, pipelined) = (size.of(2, 10), size.of(30, 100));
    let parts = message::element(0x30, &message::element(0x81, b"nobody is like this"));
    let part = message::element(0xa4, &[message::string("description"), parts].concat());
    let any = message::by_rule("caseIgnoreSubstringsMatch", "*nobody is called so*");
    let terms = message::element(0xa1, &[part.repeat(700), any.repeat(15)].concat());
    let filter = message::element(0xa0, &[message::present("uid"), terms].concat());
    let mut open = Vec::new();
    for _ in 0..connections {
        let mut client = Client::clear(connect(source(0), target.ldap, None)?)?;
        client.log_in(&target.person(4), target.password())?;
        client.give_up_writing_after(Duration::from_millis(500))?;
        open.push(client);
    }
    let sent = AtomicUsize::new(0);
    let end = Instant::now() + Duration::from_secs(size.of(6, 20));
    std::thread::scope(|scope| {
        for client in &mut open {
            scope.spawn(|| {
                for id in 0..pipelined as u32 {
                    // What the server does not read any more is not sent.
                    if Instant::now() > end || client.send(&message::search(id + 2, &filter)).is_err() {
                        return;
                    }
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    std::thread::sleep(end.saturating_duration_since(Instant::now()));
    Ok(format!("{} filters of 715 terms sent on {connections} connections", sent.into_inner()))
}

/// Connections that begin no handshake, from very many addresses.
fn half_open(target: &Arc<Target>, size: Size) -> Result<String, Failure> {
    let wanted = size.of(5_000, 100_000) as usize;
    let mut open = Vec::new();
    let mut reason = String::new();
    for number in 0..wanted {
        let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::NONBLOCK, None);
        let socket = match socket {
            Ok(socket) => socket,
            Err(error) => {
                reason = format!(" ({error})");
                break;
            }
        };
        rustix::net::bind(&socket, &std::net::SocketAddr::new(source(number / 100).into(), 0))?;
        match rustix::net::connect(&socket, &target.ldaps) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => open.push(TcpStream::from(socket)),
            Err(error) => return Err(error.into()),
        }
        if number % 50 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    std::thread::sleep(Duration::from_secs(size.of(3, 12)));
    let closed = open.iter().filter(|stream| is_closed(stream)).count();
    let left = open.len() - closed;
    if left > 10_000 {
        return Err(format!("{left} connections are open").into());
    }
    Ok(format!("{} opened{reason}, {closed} of them made room or ran out of time", open.len()))
}

/// Searches whose results nobody takes.
fn never_reads(target: &Arc<Target>, size: Size) -> Result<String, Failure> {
    const PIPELINED: u32 = 100;
    let connections = size.of(20, 90);
    let mut open = Vec::new();
    for _ in 0..connections {
        let mut client = Client::clear(connect(source(0), target.ldap, Some(4096))?)?;
        client.log_in(&target.person(4), target.password())?;
        let requests: Vec<u8> = (0..PIPELINED).flat_map(|id| message::search(id + 2, &message::present("objectClass"))).collect();
        client.send(&requests)?;
        open.push(client);
    }
    std::thread::sleep(Duration::from_secs(size.of(5, 20)));
    Ok(format!("{} searches on {connections} connections, nothing read", u64::from(PIPELINED) * connections))
}

/// Adds of 16 MiB and of as many empty values as one request may hold.
fn empty_values(target: &Arc<Target>, size: Size) -> Result<String, Failure> {
    let largest = message::add_of_nothing(2, 8 * 1024 * 1024 - 1024);
    let most = message::add_of_nothing(2, 500_000);
    let (mut codes, rounds) = (Vec::new(), size.of(2, 8));
    for request in [&largest, &most] {
        let answers: Result<Vec<u8>, String> = std::thread::scope(|scope| {
            let attack = || -> Result<u8, Failure> {
                let mut client = Client::clear(connect(source(0), target.ldap, None)?)?;
                client.log_in(crate::ADMIN, &target.admin_password)?;
                let mut last = 0;
                for _ in 0..rounds {
                    last = client.ask(request)?.1;
                }
                Ok(last)
            };
            let attack = move || attack().map_err(|error| error.to_string());
            let attackers: Vec<_> = (0..4).map(|_| scope.spawn(attack)).collect();
            attackers.into_iter().map(|attacker| attacker.join().map_err(|_| "an attacker broke down".to_owned())?).collect()
        });
        let answers = answers?;
        if answers.contains(&0) {
            return Err("an entry of empty values was added".into());
        }
        codes.push(*answers.first().ok_or("no answer")?);
    }
    let (largest, most) = (largest.len() / 1024, most.len() / 1024);
    Ok(format!("{} adds, refused: {largest} KiB with {:?}, {most} KiB with {:?}", rounds * 8, codes.first(), codes.get(1)))
}

/// Wrong passwords as fast as they are taken, pipelined, over many connections from a few addresses.
fn wrong_passwords(target: &Arc<Target>, size: Size) -> Result<String, Failure> {
    const SOURCES: usize = 4;
    const PIPELINED: u32 = 50;
    let (connections, seconds) = (size.of(64, 400) as usize, size.of(6, 20));
    let answered = AtomicU64::new(0);
    let end = Instant::now() + Duration::from_secs(seconds);
    std::thread::scope(|scope| {
        for number in 0..connections {
            let answered = &answered;
            scope.spawn(move || {
                let attack = || -> Result<(), Failure> {
                    let stream = connect(source(number % SOURCES), target.ldap, None)?;
                    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
                    let mut stream = stream;
                    let binds: Vec<u8> =
                        (1..=PIPELINED).flat_map(|id| message::bind(id, &target.person(id + 10), "guessed")).collect();
                    stream.write_all(&binds)?;
                    let (mut received, mut chunk) = (Vec::new(), [0; 4096]);
                    while Instant::now() < end {
                        match stream.read(&mut chunk) {
                            Ok(0) => return Ok(()),
                            Ok(read) => received.extend_from_slice(chunk.get(..read).unwrap_or_default()),
                            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                            Err(error) => return Err(error.into()),
                        }
                        while let Some(answer) = message::answer(&received) {
                            received.drain(..answer.size);
                            answered.fetch_add(1, Ordering::Relaxed);
                            if answer.id == PIPELINED {
                                stream.write_all(&binds)?;
                            }
                        }
                    }
                    Ok(())
                };
                let _ = attack();
            });
        }
    });
    // Twenty a second each, a burst of as many, and those that were under way when it was used up.
    let most = SOURCES as u64 * 20 * (seconds + 1) + connections as u64;
    let answered = answered.into_inner();
    if answered > most {
        return Err(format!("{answered} guesses were answered in {seconds} s, at most {most} may be").into());
    }
    Ok(format!("{answered} guesses answered in {seconds} s on {connections} connections from {SOURCES} addresses"))
}
