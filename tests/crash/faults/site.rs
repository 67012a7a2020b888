//! An installation whose data folder comes and goes, its server, and the commands on it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::common::{PASSWORD, SUFFIX, bindery};
use crate::load::WRITERS;

/// A start or an end that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// An installation: its configuration and key stay, its data folder is where it was told to be.
pub(crate) struct Site {
    folder: PathBuf,
    /// The data folder, to be damaged and replaced.
    pub(crate) data: PathBuf,
}

impl Site {
    /// Makes an installation in `FOLDER/installation`, with its data in `data` and the groups of all writers in it.
    pub(crate) fn new(folder: &Path, data: &Path) -> Result<Site, String> {
        let installation = folder.join("installation");
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let password = folder.join("password");
        fs::write(&password, PASSWORD).unwrap();
        let arguments = [
            "init",
            installation.to_str().unwrap(),
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
            "faults are injected on loopback",
        ];
        succeed(&arguments)?;
        let site = Site { folder: folder.to_owned(), data: data.to_owned() };
        site.configure()?;
        if installation.join("data") != data {
            copy_folder(&installation.join("data"), data)?;
            fs::remove_dir_all(installation.join("data")).unwrap();
        }
        let groups: String = (0..WRITERS)
            .map(|number| format!("dn: cn=group{number},{SUFFIX}\nobjectClass: groupOfMembers\ncn: group{number}\n\n"))
            .collect();
        let ldif = folder.join("groups.ldif");
        fs::write(&ldif, groups).unwrap();
        site.succeed(&["import", ldif.to_str().unwrap()])?;
        Ok(site)
    }

    /// Where the data is; and passwords are hashed as cheaply as it gets: how they are hashed is not what is tested here.
    fn configure(&self) -> Result<(), String> {
        let path = self.configuration();
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let replacements = [
            ("data = \"data\"", format!("data = {:?}", self.data.display().to_string())),
            // As often as it gets, so that there are some.
            ("[snapshots]", "[snapshots]\njournal = 1048576".to_owned()),
            // The file systems of these tests are small.
            ("[limits]", "[limits]\ndisk-reserve = 33554432".to_owned()),
            ("[password.argon2id]", "[password.argon2id]\nmemory = 8\npasses = 1".to_owned()),
        ];
        // The waiver that init wrote, once more for another thing.
        let waiver = text.find("[[waiver]]").map(|at| text[at..].replace("\"clear-text\"", "\"password-hash\""));
        let mut changed = format!("{text}\n{}", waiver.unwrap_or_default());
        for (from, to) in replacements {
            if !changed.contains(from) {
                return Err(format!("{}: no line {from}", path.display()));
            }
            changed = changed.replacen(from, &to, 1);
        }
        fs::write(&path, changed).map_err(|error| format!("{}: {error}", path.display()))
    }

    pub(crate) fn configuration(&self) -> PathBuf {
        self.folder.join("installation/bindery.toml")
    }

    /// What the last server wrote to its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("server.log")).unwrap_or_default()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let configuration = self.configuration();
        let mut all = arguments.to_vec();
        all.extend(["--config", configuration.to_str().unwrap()]);
        let output = bindery(&all);
        Ended {
            status: output.status,
            output: String::from_utf8_lossy(&output.stdout).into_owned(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(crate) fn succeed(&self, arguments: &[&str]) -> Result<String, String> {
        let ended = self.run(arguments);
        if ended.status.success() { Ok(ended.output) } else { Err(format!("{arguments:?}: {ended}")) }
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        let configuration = self.configuration();
        Command::new(env!("CARGO_BIN_EXE_bindery"))
            .args(arguments)
            .args(["--config", configuration.to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Starts the server; what it said if it would not start.
    pub(crate) fn try_start(&self) -> Result<Running, Ended> {
        let path = self.folder.join("server.log");
        let log = File::create(&path).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_bindery"))
            .args(["serve", "--config", self.configuration().to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(output).read_line(&mut line);
            let _ = sender.send(line);
        });
        let line = receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            child.kill().unwrap();
            "hung".to_owned()
        });
        match line.split_whitespace().find_map(|word| word.strip_prefix("ldap://")) {
            Some(address) => Ok(Running { address: address.to_owned(), child }),
            None => Err(Ended { status: child.wait().unwrap(), output: line, errors: self.log() }),
        }
    }

    pub(crate) fn start(&self) -> Result<Running, String> {
        self.try_start().map_err(|ended| format!("the server does not start: {ended}"))
    }
}

/// How a program ended and what it said.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Ended {
    /// Ended by a panic, a signal or not at all, rather than by its own decision.
    pub(crate) fn broke_down(&self) -> bool {
        self.status.signal().is_some() || !matches!(self.status.code(), Some(0..=3))
    }

    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.output, self.errors)
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.status, self.text().trim())
    }
}

/// A running server; dropping it kills it.
pub(crate) struct Running {
    child: Child,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
}

impl Running {
    /// As its start record calls it.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// kill −9
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and what the server makes of it.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        let number = i32::try_from(self.child.id()).unwrap();
        let process = rustix::process::Pid::from_raw(number).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        if status.success() { Ok(()) } else { Err(format!("the server did not stop in order: {status}")) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn succeed(arguments: &[&str]) -> Result<(), String> {
    let output = bindery(arguments);
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Copies a folder with all that is in it. Space that was reserved and not written stays a hole.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<(), String> {
    let problem = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| format!("{path}: {error}")
    };
    fs::create_dir_all(to).map_err(problem(to))?;
    for item in fs::read_dir(from).map_err(problem(from))? {
        let path = item.map_err(problem(from))?.path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else if path.is_file() {
            // Not sockets.
            copy_file(&path, &target).map_err(problem(&path))?;
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    let (source, target) = (File::open(from)?, File::create(to)?);
    let length = source.metadata()?.len();
    target.set_len(length)?;
    let mut at = 0;
    // Each stretch of data; behind the last one this fails.
    while let Ok(start) = rustix::fs::seek(&source, rustix::fs::SeekFrom::Data(at)) {
        let end = rustix::fs::seek(&source, rustix::fs::SeekFrom::Hole(start))?;
        let mut octets = vec![0; usize::try_from(end - start).unwrap()];
        source.read_exact_at(&mut octets, start)?;
        target.write_all_at(&octets, start)?;
        at = end;
    }
    Ok(())
}
