//! What bad clients do to a server, and what becomes of it and of the others: one line each. Fails where memory is not bounded or others are
//! not served. `run.sh` starts the server and calls this.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measuring program: it reads the clock and prints what it measured"
)]

mod attacks;
mod client;
mod message;
mod watch;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use attacks::{ATTACKS, Attack};
use watch::{Seen, Watching};

/// Anything that ends the program.
pub(crate) type Failure = Box<dyn std::error::Error>;

pub(crate) const SUFFIX: &str = "dc=abuse,dc=example";
pub(crate) const ADMIN: &str = "cn=admin,dc=abuse,dc=example";
const PASSWORD: &str = "abused but not broken";

#[derive(Parser)]
#[command(name = "abuse", about = "Attacks an LDAP server and looks at what becomes of it")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write LDIF of so many people.
    People {
        /// How many.
        count: u32,
    },
    /// Attack a server that holds them.
    Run(RunArguments),
}

#[derive(Args)]
struct RunArguments {
    /// Address and port in clear.
    #[arg(long)]
    ldap: SocketAddr,
    /// Address and port of TLS.
    #[arg(long)]
    ldaps: SocketAddr,
    /// The server's certificate.
    #[arg(long)]
    ca: PathBuf,
    /// The server's process.
    #[arg(long)]
    pid: u32,
    /// Its log.
    #[arg(long)]
    log: PathBuf,
    /// A file with the administrator's password, without a line end.
    #[arg(long)]
    password_file: PathBuf,
    /// How many people the server holds.
    #[arg(long)]
    people: u32,
    /// Small attacks, for every check.
    #[arg(long)]
    short: bool,
    /// Only attacks with this in their name.
    #[arg(long)]
    only: Option<String>,
}

/// How large attacks are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Short,
    Long,
}

impl Size {
    pub(crate) fn of(self, short: u64, long: u64) -> u64 {
        if self == Size::Short { short } else { long }
    }
}

/// The server.
pub(crate) struct Target {
    pub(crate) ldap: SocketAddr,
    pub(crate) ldaps: SocketAddr,
    pub(crate) trust: Arc<rustls::ClientConfig>,
    pub(crate) admin_password: String,
    pid: u32,
    log: PathBuf,
    people: u32,
}

impl Target {
    pub(crate) fn uid(&self, number: u32) -> String {
        uid(number % self.people)
    }

    pub(crate) fn person(&self, number: u32) -> String {
        format!("uid={},ou=people,{SUFFIX}", self.uid(number))
    }

    pub(crate) fn password(&self) -> &'static str {
        PASSWORD
    }
}

fn uid(number: u32) -> String {
    format!("p{number:06}")
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::People { count } => people(count).map(|()| true),
        Command::Run(arguments) => run(&arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("abuse: {error}");
            ExitCode::FAILURE
        }
    }
}

/// About 1 KB each. The first twenty can log in: everybody's password would take as many runs of Argon2id to import.
fn people(count: u32) -> Result<(), Failure> {
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    writeln!(output, "dn: ou=people,{SUFFIX}\nobjectClass: organizationalUnit\nou: people\n")?;
    for number in 0..count {
        let uid = uid(number);
        writeln!(
            output,
            "dn: uid={uid},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: Person {number}\nsn: Person"
        )?;
        writeln!(output, "mail: {uid}@abuse.example\ndescription: {}", "a person like any other, ".repeat(28))?;
        if number < 20 {
            writeln!(output, "userPassword: {PASSWORD}")?;
        }
        writeln!(output)?;
    }
    Ok(output.flush()?)
}

/// `false`: something did not hold.
fn run(arguments: &RunArguments) -> Result<bool, Failure> {
    let files = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: files, maximum: files })?;
    let target = Arc::new(Target {
        ldap: arguments.ldap,
        ldaps: arguments.ldaps,
        trust: client::trust(&arguments.ca)?,
        admin_password: std::fs::read_to_string(&arguments.password_file)?,
        pid: arguments.pid,
        log: arguments.log.clone(),
        people: arguments.people,
    });
    let size = if arguments.short { Size::Short } else { Size::Long };
    let watching = Watching::start(&target)?;
    std::thread::sleep(Duration::from_secs(size.of(3, 10)));
    let alone = watching.end(&target, Duration::ZERO)?;
    println!(
        "| attack | what came of it | MiB before, most, after | search p99 alone, beside, µs | logins served | the server's own counts |"
    );
    println!("|---|---|---|---|---|---|");
    let mut held = true;
    for attack in ATTACKS.iter().filter(|attack| arguments.only.as_ref().is_none_or(|only| attack.name.contains(only))) {
        let watching = Watching::start(&target)?;
        let outcome = (attack.run)(&target, size);
        let seen = watching.end(&target, Duration::from_secs(size.of(1, 5)))?;
        held &= report(attack, size, outcome, &seen, alone.p99);
    }
    Ok(held)
}

/// `false`: something did not hold.
fn report(attack: &Attack, size: Size, outcome: Result<String, Failure>, seen: &Seen, alone: u64) -> bool {
    let [before, most, after] = seen.memory;
    let (served, tried) = seen.logins;
    let mut wrong = Vec::new();
    let text = outcome.unwrap_or_else(|error| {
        wrong.push(error.to_string());
        "failed".to_owned()
    });
    let allowed = (attack.memory)(size);
    if most > before + allowed {
        wrong.push(format!("{} MiB more than before, {allowed} allowed", most - before));
    }
    if seen.searches == 0 || served < tried {
        wrong.push(format!("others were not served: {} searches, {served} of {tried} logins", seen.searches));
    }
    println!(
        "| {} | {text} | {before}, {most}, {after} | {alone}, {} | {served} of {tried} | {} |",
        attack.name, seen.p99, seen.counts
    );
    wrong.iter().for_each(|wrong| eprintln!("abuse: {}: {wrong}", attack.name));
    wrong.is_empty()
}
