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
mod message;
mod people;
mod report;
mod timing;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    },
    /// Write LDIF of two groups of those people: `cn=small` with the first 10,000 and `cn=large` with the first 100,000, or all there are.
    Groups {
        /// How many people there are.
        people: u32,
    },
    /// Drive one server and print one line of what was measured.
    Run(RunArguments),
    /// Read such lines and print medians and ratios of the two servers.
    Report {
        /// Lines of `run`, and lines of `key=value` with server=, workload=import and seconds=.
        file: PathBuf,
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

/// What clients do.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
enum Workload {
    /// (uid=…) of a random person, below the suffix, all user attributes.
    Search,
    /// Replaces the description of a random person.
    Modify,
    /// Simple bind as one of a few accounts.
    Bind,
    /// Takes a member out of the small group and puts it in again, in turn; every connection its own.
    JoinSmall,
    /// The same with the large group.
    JoinLarge,
    /// Compares whether a random person is a member of the large group; all of them are.
    CompareMember,
    /// Reads the large group whole.
    ReadGroup,
    /// (mail=*…*) with seven octets in the middle, of a random person.
    Substring,
    /// Renames ou=people, with everybody below it, and back, in turn; takes one connection.
    Rename,
}

impl Workload {
    /// The result code and the number of entries of every answer.
    fn expected(self) -> (u8, u32) {
        match self {
            Workload::Search | Workload::Substring | Workload::ReadGroup => (0, 1),
            Workload::CompareMember => (6, 0),
            Workload::Modify | Workload::Bind | Workload::JoinSmall | Workload::JoinLarge | Workload::Rename => (0, 0),
        }
    }
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
    /// How many of them bind (workload bind).
    #[arg(long, default_value_t = 20)]
    accounts: u32,
    /// Which random numbers to use; another round takes another.
    #[arg(long, default_value_t = 1)]
    seed: u64,
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
        Command::People { count, without_suffix } => {
            let mut output = std::io::BufWriter::new(std::io::stdout().lock());
            people::write(&mut output, count, without_suffix)?;
            output.flush()?;
        }
        Command::Groups { people } => {
            let mut output = std::io::BufWriter::new(std::io::stdout().lock());
            people::write_groups(&mut output, people)?;
            output.flush()?;
        }
        Command::Run(arguments) => println!("{}", drive::run(&arguments)?),
        Command::Report { file } => print!("{}", report::report(&std::fs::read_to_string(file)?)?),
        Command::Timing { address, tries } => print!("{}", timing::run(address, tries)?),
        Command::FreePort => println!("{}", std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port()),
    }
    Ok(())
}
