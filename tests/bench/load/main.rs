//! A load generator for LDAP servers, made to compare two of them: requests are encoded before the clock starts, one thread drives all
//! connections by epoll, and the server's CPU time is read from /proc beside the throughput.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measuring program: it reads the clock and prints what it measured"
)]

mod connection;
mod drive;
mod goals;
mod limit;
mod login;
mod message;
mod people;
mod report;
mod timing;
mod workload;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use workload::Workload;

/// Anything that ends the program.
type Failure = Box<dyn std::error::Error>;

#[derive(Parser)]
#[command(name = "load", about = "Makes people, drives an LDAP server, compares two")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write LDIF of the tree's top (suffix and ou=people) and of that many people, about 1 KB each, always the same ones.
    People {
        /// How many.
        count: u32,
        /// Leave the suffix entry out, for servers that made it themselves.
        #[arg(long)]
        without_suffix: bool,
        /// Write memberOf too, as slapd's overlay would have.
        #[arg(long)]
        member_of: bool,
    },
    /// Write LDIF of groups of those people: `cn=small` with the first 10,000, `cn=large` with the first 100,000, or all there are, and a
    /// thousand that each person is in one of.
    Groups {
        /// How many people there are.
        people: u32,
    },
    /// Drive one server and print one line of what was measured.
    Run(RunArguments),
    /// Read such lines and print a Markdown table of medians, ratios and goals.
    Report {
        /// Lines of `run` and `argon2`, and lines of `key=value` with server=, workload= (import, start or memory) and value=.
        file: PathBuf,
        /// How many people there were.
        #[arg(long)]
        people: u32,
    },
    /// Hash with Argon2id on all cores and print one line: no server verifies more passwords on this machine.
    Argon2 {
        /// For how long.
        #[arg(default_value_t = 2.0)]
        seconds: f64,
    },
    /// Try refused binds of each kind against a server that holds the people, and print how long they took.
    Timing {
        /// Address and port.
        #[arg(long)]
        address: std::net::SocketAddr,
        /// Tries of each kind.
        #[arg(long, default_value_t = 1000)]
        tries: u32,
    },
    /// Print a free loopback port.
    FreePort,
}

#[derive(Args)]
struct RunArguments {
    /// What the printed line calls the server.
    #[arg(long)]
    server: String,
    /// Address and port.
    #[arg(long)]
    address: std::net::SocketAddr,
    /// The server's process, for its CPU time.
    #[arg(long)]
    pid: u32,
    /// What to do.
    #[arg(long, value_enum)]
    workload: Workload,
    /// Connections, each with one request outstanding.
    #[arg(long, default_value_t = 8)]
    connections: u32,
    /// Measured time, in seconds.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Time before that, in seconds.
    #[arg(long, default_value_t = 0.3)]
    warm_up: f64,
    /// How many people the server holds.
    #[arg(long)]
    people: u32,
    /// How many of them bind again and again (workloads bind and login).
    #[arg(long, default_value_t = 100)]
    accounts: u32,
    /// Which random numbers to use; another round takes another.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The `ou` below the suffix that is renamed (workload rename).
    #[arg(long, default_value = "people")]
    renamed: String,
    /// The first of those who bind cold (workload bind-cold); a run takes 16 for each connection.
    #[arg(long, default_value_t = 0)]
    first: u32,
    /// Connections that send wrong passwords meanwhile; they are not measured.
    #[arg(long, default_value_t = 0)]
    storm: u32,
    /// Operations a second, all measured connections together, however long each takes; 0: the next one when the last one was answered.
    #[arg(long, default_value_t = 0)]
    pace: u32,
    /// Who searches and modifies.
    #[arg(long, default_value = people::ADMIN)]
    bind_dn: String,
    /// A file with that password, without a line end.
    #[arg(long)]
    password_file: PathBuf,
    /// Speak LDAPS and trust the certificates in this PEM file (the server's name is `localhost`).
    #[arg(long)]
    ca: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::People { count, without_suffix, member_of } => {
            let mut output = std::io::BufWriter::new(std::io::stdout().lock());
            people::write(&mut output, people::Wanted { count, without_suffix, member_of })?;
            output.flush()?;
        }
        Command::Groups { people } => {
            let mut output = std::io::BufWriter::new(std::io::stdout().lock());
            people::write_groups(&mut output, people)?;
            output.flush()?;
        }
        Command::Run(arguments) => println!("{}", drive::run(&arguments)?),
        Command::Report { file, people } => print!("{}", report::report(&std::fs::read_to_string(file)?, people)?),
        Command::Argon2 { seconds } => println!("{}", limit::argon2(seconds)?),
        Command::Timing { address, tries } => print!("{}", timing::run(address, tries)?),
        Command::FreePort => println!("{}", std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port()),
    }
    Ok(())
}
