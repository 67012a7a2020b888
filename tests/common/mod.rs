//! What tests against the real program share: an installation in a temporary folder, the running server, a blocking LDAP client.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod client;
pub mod random;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

pub const SUFFIX: &str = "dc=mercy,dc=example";
pub const ADMIN: &str = "cn=admin,dc=mercy,dc=example";
pub const PASSWORD: &str = "correct horse battery staple";

/// An installation in a temporary folder, listening on loopback ports of the system's choice.
pub struct Installation {
    pub folder: tempfile::TempDir,
}

impl Installation {
    /// `bindery init` with clear-text binds waived for loopback.
    pub fn new() -> Installation {
        Installation::of(tempfile::tempdir().unwrap(), &[])
    }

    /// The same in this folder, with further arguments of `init`.
    pub fn of(folder: tempfile::TempDir, further: &[&str]) -> Installation {
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).unwrap();
        let installation = Installation { folder };
        let path = installation.path();
        let arguments = [
            "init",
            path.to_str().unwrap(),
            "--suffix",
            SUFFIX,
            "--admin-password-file",
            password.to_str().unwrap(),
            "--ldap",
            "127.0.0.1:0",
            "--ldaps",
            "127.0.0.1:0",
            "--waive",
            "clear-text",
            "--waive",
            "second-factor",
            "--waiver-reason",
            "a test on loopback",
        ];
        let output = bindery(&[&arguments[..], further].concat());
        assert!(output.status.success(), "init: {}", String::from_utf8_lossy(&output.stderr));
        installation
    }

    /// `DIR`
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("installation")
    }

    /// `DIR/bindery.toml`
    pub fn configuration(&self) -> PathBuf {
        self.path().join("bindery.toml")
    }

    /// Runs a subcommand on this installation.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let configuration = self.configuration();
        let mut all = arguments.to_vec();
        all.extend(["--config", configuration.to_str().unwrap()]);
        bindery(&all)
    }

    /// The same, which must succeed; its standard output.
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts the server and waits for its `ready` line.
    pub fn serve(&self) -> Server {
        Server::start(&self.configuration(), &self.folder.path().join("server.log"))
    }
}

/// Runs the program to its end.
pub fn bindery(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bindery")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// A running server; dropping it kills it.
pub struct Server {
    child: Child,
    pub addresses: Vec<String>,
    log: PathBuf,
}

impl Server {
    fn start(configuration: &Path, log: &Path) -> Server {
        let errors = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_bindery"))
            .args(["serve", "--config", configuration.to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words.first(), Some(&"ready"), "no ready line; the log says: {}", fs::read_to_string(log).unwrap());
        let addresses = words[1..].iter().map(|&word| word.to_owned()).collect();
        Server { child, addresses, log: log.to_owned() }
    }

    /// `127.0.0.1:PORT` of the clear listener.
    pub fn ldap(&self) -> String {
        let url = self.addresses.iter().find(|url| url.starts_with("ldap://")).unwrap();
        url.trim_start_matches("ldap://").to_owned()
    }

    /// Process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the server logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// kill −9.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.pid().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// SIGTERM, and the exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.signal("TERM");
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a file into the installation's temporary folder.
pub fn write(installation: &Installation, name: &str, text: &str) -> PathBuf {
    let path = installation.folder.path().join(name);
    fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    path
}
