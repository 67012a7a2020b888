//! Plays a transcript: reads its lines, sends what they ask for, compares what comes back.

use std::collections::BTreeMap;
use std::sync::Arc;

use bindery::model::Timestamp;
use bindery::operation::identifier::{IdentifierSettings, NumberRange};
use bindery::operation::{Disclosure, Settings, WaivedNetwork};
use bindery::protocol::{Control, oid};

use crate::connection::{Connection, Door};
use crate::machine::Machine;
use crate::request::{self, Operation};
use crate::{expectation, follow, one_time_codes, reply, search_control};

/// What may follow the line with the result.
const TRAILERS: &[&str] = &[
    "matched:",
    "referral:",
    "name:",
    "value:",
    "generated:",
    "credentials:",
    "paged:",
    "sorted:",
    "view:",
    "synchronized:",
    "pre-read ",
    "post-read ",
    "control:",
    "failed:",
    "update ",
    "authorization identity:",
    "password policy:",
    "closed",
];

/// Plays `NAME.txt` to its end and fails with all that differed.
pub fn play(name: &str) {
    let path = crate::folder().join(format!("{name}.txt"));
    let text = std::fs::read_to_string(&path).unwrap();
    let mut player = Player::new(&text);
    player.play();
    let failures: Vec<String> =
        player.failures.iter().map(|(line, text)| format!("tests/transcripts/{name}.txt:{line}: {text}")).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// The lines of a transcript, comments and blank ones left out where they do not matter.
struct Script {
    lines: Vec<(usize, String)>,
    next: usize,
}

impl Script {
    fn new(text: &str) -> Script {
        let mut lines: Vec<(usize, String)> = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            match (line.strip_prefix(' '), lines.last_mut()) {
                (Some(rest), Some((_, last))) => last.push_str(rest),
                _ => lines.push((index + 1, line.trim_end().to_owned())),
            }
        }
        Script { lines, next: 0 }
    }

    fn peek(&self) -> Option<&str> {
        self.lines.get(self.next).map(|(_, line)| line.as_str())
    }

    fn take(&mut self) -> Option<(usize, String)> {
        self.next += 1;
        self.lines.get(self.next - 1).cloned()
    }

    fn take_while(&mut self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut taken = Vec::new();
        while self.peek().is_some_and(&wanted) {
            taken.extend(self.take().map(|(_, line)| line));
        }
        taken
    }

    fn skip_blank(&mut self) {
        self.take_while(str::is_empty);
    }

    /// Entries, the result, and what follows it.
    fn expected_answer(&mut self) -> Vec<String> {
        let mut expected = self.take_while(|line| !line.starts_with("=>"));
        expected.retain(|line| !line.is_empty());
        expected.extend(self.take().map(|(_, line)| line));
        expected.extend(self.take_while(|line| TRAILERS.iter().any(|start| line.starts_with(start))));
        expected
    }

    /// What comes back to several requests: each line with its message ID before it.
    fn expected_answers(&mut self) -> Vec<String> {
        self.take_while(|line| {
            line.starts_with(|c: char| c.is_ascii_digit())
                || ["notice", "closed", "nothing"].iter().any(|start| line.starts_with(start))
        })
    }
}

pub struct Player {
    script: Script,
    machine: Machine,
    connections: BTreeMap<String, Connection>,
    current: String,
    /// For the next request.
    controls: Vec<Control>,
    /// For the next request.
    message_id: Option<i64>,
    /// Requests are sent, work is not done.
    holding: bool,
    /// The entries of the next answer come in a certain order.
    ordered: bool,
    /// The next request is a search that goes on.
    goes_on: bool,
    /// The last password the server made up.
    generated: String,
    /// Argon2 runs at the last `runs`.
    runs: u64,
    failures: Vec<(usize, String)>,
    /// Answers are kept here instead of being compared.
    kept: Option<Vec<String>>,
}

impl Player {
    pub fn new(text: &str) -> Player {
        Player {
            script: Script::new(text),
            machine: Machine::new(),
            connections: BTreeMap::new(),
            current: String::new(),
            controls: Vec::new(),
            message_id: None,
            holding: false,
            ordered: false,
            goes_on: false,
            generated: String::new(),
            runs: 0,
            failures: Vec::new(),
            kept: None,
        }
    }

    /// The lines that come back to one request, written as in a transcript, with what may stand before it.
    pub fn answer_to(&mut self, text: &str) -> Vec<String> {
        self.script = Script::new(text);
        self.kept = Some(Vec::new());
        self.play();
        self.kept.take().unwrap_or_default()
    }

    fn play(&mut self) {
        self.runs = self.machine.runs();
        loop {
            self.script.skip_blank();
            let Some((number, line)) = self.script.take() else { return };
            let words = self.split(&line);
            match words[0].as_str() {
                name if name.starts_with('@') => self.switch(&name[1..], &words[1..]),
                moved if moved.starts_with('+') => self.machine.advance(micros(&moved[1..])),
                "with" => self.with(&words[1], words.get(2)),
                "waive" => self.waive(&words[1], words[2].parse().unwrap()),
                "limit" => self.limit(&words[1], words[2].parse().unwrap()),
                "disclose" => {
                    let is = |name: &str| words[1] == name || words[1] == "legacy";
                    let discloses = Disclosure { control: is("control"), texts: is("texts") };
                    self.use_settings(Settings { discloses, ..(*self.machine.settings).clone() });
                }
                "identifiers" => self.identifiers(),
                "disk" => self.machine.fill_disk(words[1] == "full"),
                "tick" => self.machine.tick(),
                "restart" => self.restart(),
                "hold" => self.holding = true,
                "release" | "hear" => self.release(number),
                "look" => {
                    let (connection, machine) = self.connection();
                    connection.look_at_lifetime(machine);
                    self.release(number);
                }
                "raw" => self.raw(number, &request::hex(&line["raw".len()..])),
                "show" => {
                    let schemes = self.machine.password_schemes(&words[1]);
                    self.compare_fact(number, &schemes.join(" "));
                }
                "journal" => {
                    let record = match words.get(1).map(String::as_str) {
                        None => self.machine.last_record(),
                        Some("frame") => self.machine.last_frame(),
                        Some("effects") => self.machine.last_effects(),
                        Some(other) => self.machine.last_fact(other),
                    };
                    self.compare_fact(number, &record);
                }
                "runs" => {
                    let runs = self.machine.runs();
                    self.compare_fact(number, &(runs - self.runs).to_string());
                    self.runs = runs;
                }
                _ => self.request(number, &line, &words),
            }
        }
    }

    /// Words between spaces; quotes of either kind hold one together, `$generated` is the last generated password.
    fn split(&self, line: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
        for c in line.chars() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '"' | '\'') => {
                    quote = Some(c);
                    word.get_or_insert_default();
                }
                (None, ' ') => words.extend(word.take()),
                (_, c) => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        let now = self.machine.now();
        let filled = |word: &String| if word == "$generated" { self.generated.clone() } else { one_time_codes::fill(word, now) };
        words.iter().map(filled).collect()
    }

    fn switch(&mut self, name: &str, door: &[String]) {
        self.current = name.to_owned();
        if !door.is_empty() {
            let number = self.connections.len() as u64 + 1;
            let connection = Connection::new(Door::parse(door), number, &self.machine);
            self.connections.insert(name.to_owned(), connection);
        }
        assert!(self.connections.contains_key(name), "@{name} is not open");
    }

    fn connection(&mut self) -> (&mut Connection, &mut Machine) {
        let connection = self.connections.get_mut(&self.current).expect("a connection is open: @NAME ldaps");
        (connection, &mut self.machine)
    }

    fn with(&mut self, control: &str, value: Option<&String>) {
        match (control, value) {
            ("id", Some(id)) => self.message_id = Some(id.parse().unwrap()),
            _ => self.controls.push(request::control(control)),
        }
    }

    /// A changed configuration comes into force.
    /// Unique values as a new installation has them, and numbers to give out.
    fn identifiers(&mut self) {
        let range = |attribute: &str, last, ask: &str, digits| NumberRange {
            attribute: attribute.to_owned(),
            first: 10_000,
            last,
            ask: ask.to_owned(),
            digits,
        };
        let mut settings = (*self.machine.settings).clone();
        settings.identifiers = IdentifierSettings {
            unique: ["uid", "uidNumber", "mail", "employeeNumber"].map(str::to_owned).to_vec(),
            kept: ["uid", "uidNumber", "employeeNumber"].map(str::to_owned).to_vec(),
            numbers: vec![range("uidNumber", 10_002, "-1", 0), range("employeeNumber", 99_999, "next", 7)],
        };
        self.use_settings(settings);
    }

    /// Administrators need no second factor from a network, for so many minutes.
    fn waive(&mut self, network: &str, minutes: i64) {
        let mut settings = (*self.machine.settings).clone();
        let until = Timestamp(self.machine.now().0 + minutes * 60_000_000);
        settings.second_factor = vec![WaivedNetwork { network: network.parse().unwrap(), until }];
        self.use_settings(settings);
    }

    fn limit(&mut self, name: &str, value: u32) {
        let mut settings = (*self.machine.settings).clone();
        match name {
            "size" => settings.limits.size = value,
            "time" => settings.limits.time = value,
            "sorted" => settings.limits.sorted = value as usize,
            "request" => settings.limits.request = value as usize,
            other => panic!("{other}: size, time, sorted or request"),
        }
        self.use_settings(settings);
    }

    fn use_settings(&mut self, settings: Settings) {
        self.machine.settings = Arc::new(settings);
        let settings = &self.machine.settings;
        self.connections.values_mut().for_each(|connection| connection.session.reload(Arc::clone(settings)));
    }

    /// The server stops and starts again: connections are gone, what was acknowledged is not.
    fn restart(&mut self) {
        self.connections.clear();
        self.machine.restart();
    }

    fn request(&mut self, number: usize, line: &str, words: &[String]) {
        let arguments = &words[1..];
        let operation = match words[0].as_str() {
            "bind" => request::bind(arguments),
            "sasl" => request::sasl(arguments),
            "starttls" => request::extended(oid::START_TLS, None),
            "whoami" => request::extended(oid::WHO_AM_I, None),
            "passwd" => request::password_modify(arguments),
            "extended" => {
                let value = arguments.get(1).map(|value| request::hex(value));
                request::extended(&arguments[0], value.as_deref())
            }
            "app-password" => request::app_password(arguments),
            "refresh" => request::refresh(&arguments[0], arguments[1].parse().unwrap()),
            "begin" => request::extended(oid::START_TRANSACTION, None),
            "commit" => request::end_transaction(true, &arguments[0]),
            "rollback" => request::end_transaction(false, &arguments[0]),
            "cancel" => request::cancel(arguments[0].parse().unwrap()),
            "compare" => request::compare(arguments),
            "search" => self.search(arguments),
            "abandon" => {
                self.send(&request::abandon(arguments[0].parse().unwrap()));
                return self.expect_silence(number);
            }
            "unbind" => {
                self.send(&Operation { tag: bindery::protocol::ber::Tag(0x42), content: bytes::Bytes::new() });
                return self.expect_silence(number);
            }
            word if word.starts_with("dn:") => match self.change(line) {
                Ok(operation) => operation,
                Err(problem) => return self.failures.push((number, problem)),
            },
            word => panic!("line {number}: {word}: not a command"),
        };
        let goes_on = std::mem::take(&mut self.goes_on);
        let id = self.send(&operation);
        if goes_on && !self.holding {
            return self.compare_answers(number);
        }
        if !self.holding {
            let actual = self.answer(id);
            let expected = self.script.expected_answer();
            self.compare(number, &expected, &actual);
        }
    }

    /// Takes every `-E` out. `-E pr=SIZE[/COOKIE]`: COOKIE is `next`, `@NAME` (the one another connection got) or hexadecimal; the others are
    /// ldapsearch's.
    fn search(&mut self, arguments: &[String]) -> Operation {
        let mut arguments = arguments.to_vec();
        while let Some(at) = arguments.iter().position(|word| word == "-E") {
            let asked = arguments.remove(at + 1);
            arguments.remove(at);
            if self.follow(&asked) {
                continue;
            }
            let Some(page) = asked.strip_prefix("pr=") else {
                self.controls.push(search_control::control(&asked));
                continue;
            };
            let (size, cookie) = page.split_once('/').unwrap_or((page, ""));
            let cookie = match cookie {
                "next" => self.connection().0.cookie.clone(),
                other if other.starts_with('@') => self.connections[&other[1..]].cookie.clone(),
                octets => request::hex(octets),
            };
            self.controls.push(request::paged(size.parse().unwrap(), &cookie));
        }
        self.ordered = self.controls.iter().any(|control| control.oid == oid::SORT);
        request::search(&arguments)
    }

    /// Adds the control of a search that synchronizes or goes on, if one was asked for.
    fn follow(&mut self, asked: &str) -> bool {
        let (asked, cookie) = match asked.split_once('/') {
            Some((kind, cookie)) if kind.starts_with("sync=") => (kind, Some(cookie)),
            _ => (asked, None),
        };
        let cookie = cookie.map(|cookie| match cookie {
            "next" => self.connection().0.cookie.clone(),
            other if other.starts_with('@') => self.connections[&other[1..]].cookie.clone(),
            text => text.as_bytes().to_vec(),
        });
        let Some((control, goes_on)) = follow::control(asked, cookie.as_deref()) else { return false };
        self.goes_on = goes_on;
        self.controls.push(control);
        true
    }

    /// The rest of a change record.
    fn change(&mut self, first: &str) -> Result<Operation, String> {
        let rest = self.script.take_while(|line| !line.is_empty() && !line.starts_with("=>"));
        let ldif = format!("{first}\n{}\n", rest.join("\n"));
        let (operation, controls) = request::change(&ldif)?;
        self.controls.extend(controls);
        Ok(operation)
    }

    fn send(&mut self, operation: &Operation) -> i32 {
        let controls = std::mem::take(&mut self.controls);
        let id = self.message_id.take();
        let holding = self.holding;
        let (connection, machine) = self.connection();
        assert!(!connection.closed, "the connection is closed");
        let id = id.unwrap_or(i64::from(connection.last_id) + 1);
        connection.last_id = i32::try_from(id).unwrap();
        let message = request::message(id, operation, &controls);
        connection.receive(&message, machine);
        if !holding {
            connection.settle(machine);
        }
        connection.last_id
    }

    /// The lines of what came back; those that do not belong to `id` are marked.
    fn answer(&mut self, id: i32) -> Vec<String> {
        let marked = self.answers();
        let own = format!("{id} ");
        marked.into_iter().map(|line| line.strip_prefix(&own).map(str::to_owned).unwrap_or(line)).collect()
    }

    fn answers(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let connection = self.connection().0;
        let mut generated = None;
        for (message, code) in connection.replies() {
            if let Some(cookie) = reply::cookie(&message).or_else(|| follow::cookie(&message)) {
                connection.cookie = cookie;
            }
            let mark = if message.msgid == 0 { "notice".to_owned() } else { message.msgid.to_string() };
            for line in reply::lines(&message, code) {
                generated = line.strip_prefix("generated: ").map(str::to_owned).or(generated);
                let made = line.split_once("\"password\":\"").and_then(|(_, rest)| rest.split_once('"'));
                generated = made.filter(|_| line.starts_with("value: ")).map(|(made, _)| made.to_owned()).or(generated);
                lines.push(format!("{mark} {line}"));
            }
        }
        if connection.closed {
            lines.push("closed".to_owned());
        }
        self.generated = generated.unwrap_or(std::mem::take(&mut self.generated));
        lines
    }

    fn expect_silence(&mut self, number: usize) {
        if !self.holding {
            let expected = self.script.expected_answers();
            let actual = self.answers();
            self.compare(number, &expected, &actual);
        }
    }

    fn release(&mut self, number: usize) {
        self.holding = false;
        let (connection, machine) = self.connection();
        connection.wake(machine);
        connection.settle(machine);
        self.compare_answers(number);
    }

    fn raw(&mut self, number: usize, octets: &[u8]) {
        let holding = self.holding;
        let (connection, machine) = self.connection();
        connection.receive(octets, machine);
        if !holding {
            connection.settle(machine);
            self.compare_answers(number);
        }
    }

    fn compare_answers(&mut self, number: usize) {
        let mut actual = self.answers();
        if actual.is_empty() {
            actual.push("nothing".to_owned());
        }
        let expected = self.script.expected_answers();
        self.compare(number, &expected, &actual);
    }

    fn compare_fact(&mut self, number: usize, fact: &str) {
        let expected = self.script.expected_answer();
        self.compare(number, &expected, &[format!("=> {fact}")]);
    }

    fn compare(&mut self, number: usize, expected: &[String], actual: &[String]) {
        if let Some(kept) = &mut self.kept {
            *kept = actual.to_vec();
            return;
        }
        if !expectation::met(expected, actual, std::mem::take(&mut self.ordered)) {
            let show = |lines: &[String]| lines.iter().map(|line| format!("    {line}\n")).collect::<String>();
            self.failures.push((number, format!("expected\n{}  but there came\n{}", show(expected), show(actual))));
        }
    }
}

/// `30d`, `12h`, `5m`, `1s`, `1us`
fn micros(text: &str) -> i64 {
    let split = text.find(|c: char| !c.is_ascii_digit()).expect("a unit");
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "d" => 86_400_000_000,
        "h" => 3_600_000_000,
        "m" => 60_000_000,
        "s" => 1_000_000,
        "us" => 1,
        other => panic!("{other}: d, h, m, s or us"),
    };
    number.parse::<i64>().unwrap() * unit
}
