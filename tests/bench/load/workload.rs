//! What clients do: the requests of each workload, and the answers that are right.

use clap::ValueEnum;

use super::connection::Request;
use super::{Failure, RunArguments, message, people};

/// What clients do.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(crate) enum Workload {
    /// (uid=…) of a random person, below the suffix, all user attributes.
    Search,
    /// (&(objectClass=inetOrgPerson)(uid=…)), the same otherwise.
    And,
    /// (member=…): which of a thousand groups a random person is in.
    MemberSearch,
    /// (cn=*…*) with all but the first two letters of a random person's name.
    Substring,
    /// (mail=*…*) with the seven digits in the middle, of a random person.
    SubstringDigits,
    /// A department: a thousand people, all user attributes.
    Scan,
    /// The same in pages of a hundred; all pages are one operation.
    ScanPaged,
    /// Compares employeeType of a random person; it is true.
    Compare,
    /// Compares whether a random person is a member of the large group; all of them are.
    CompareMember,
    /// Replaces the description of a random person.
    Modify,
    /// Adds a person and deletes it again, in turn; every connection its own.
    AddDelete,
    /// Takes a member out of the small group and puts it in again, in turn; every connection its own.
    JoinSmall,
    /// The same with the large group.
    JoinLarge,
    /// Reads the large group whole.
    ReadGroup,
    /// Renames ou=people (or what --renamed says), with everybody below it, and back, in turn; takes one connection.
    Rename,
    /// Simple bind as one of a few accounts that bound before.
    Bind,
    /// Simple bind as a random person with a wrong password, of those whose password slapd compares by {SSHA}.
    BindWrong,
    /// Simple bind as one who has an Argon2id password stored and did not bind before.
    BindCold,
    /// Connect, bind as an application, find the user, bind as the user, compare a membership, close.
    Login,
}

/// What is renamed is called so for a while.
const RENAMED: &str = "staff";
/// Accounts of one run that bind cold, for each connection.
pub(crate) const COLD_ACCOUNTS: u32 = 16;

impl Workload {
    /// The result code and the number of entries of every answer.
    pub(crate) fn expected(self) -> (u8, u32) {
        match self {
            Workload::Search
            | Workload::And
            | Workload::MemberSearch
            | Workload::Substring
            | Workload::SubstringDigits
            | Workload::ReadGroup => (0, 1),
            Workload::Scan | Workload::ScanPaged => (0, people::IN_DEPARTMENT),
            Workload::Compare | Workload::CompareMember => (6, 0),
            Workload::BindWrong => (49, 0),
            _ => (0, 0),
        }
    }

    /// Requests encoded ahead for each connection; they start over when they are used up.
    fn requests(self) -> u32 {
        match self {
            Workload::AddDelete => 1024,
            Workload::BindCold => COLD_ACCOUNTS,
            _ => 4096,
        }
    }

    /// Whether connections begin as nobody.
    pub(crate) fn binds(self) -> bool {
        matches!(self, Workload::Bind | Workload::BindWrong | Workload::BindCold | Workload::Login)
    }

    /// Whether the accounts that bind must have bound before.
    pub(crate) fn binds_known(self) -> bool {
        matches!(self, Workload::Bind | Workload::Login)
    }
}

/// The request that puts back what the last run may have left.
pub(crate) fn preparation(arguments: &RunArguments, workload: Workload) -> Option<Vec<u8>> {
    // It may have ended between there and back; where it did not, this is refused.
    (workload == Workload::Rename).then(|| message::rename(1, RENAMED, &arguments.renamed))
}

/// What connection `number` sends in turn.
pub(crate) fn requests(
    arguments: &RunArguments,
    workload: Workload,
    number: u32,
    random: &mut Random,
) -> Result<Vec<Request>, Failure> {
    (2..workload.requests() + 2).map(|id| request(arguments, workload, number, id, random)).collect()
}

/// `number`: of the connection. Requests that come in pairs start with an even `id`.
fn request(arguments: &RunArguments, workload: Workload, number: u32, id: u32, random: &mut Random) -> Result<Request, Failure> {
    let all = arguments.people;
    // Another one in every run: what the last one left out stays out.
    let own = |group: people::Group| {
        let turn = u32::try_from(arguments.seed).unwrap_or_default().wrapping_mul(arguments.connections).wrapping_add(number);
        turn % group.size(all)
    };
    let person = random.below(all);
    let whole = match workload {
        Workload::Search => message::search(id, person),
        Workload::And => message::search_and(id, person),
        Workload::MemberSearch => message::search_member(id, person),
        Workload::Substring => message::substring(id, "cn", &people::part_of_name(person, all)),
        Workload::SubstringDigits => message::substring(id, "mail", people::uid(person).trim_start_matches('p')),
        Workload::Scan => message::scan(id, person % people::departments(all)),
        Workload::ScanPaged => return Ok(Request::Pages { id, department: person % people::departments(all) }),
        Workload::Compare => message::compare(id, person),
        Workload::CompareMember => message::compare_member(id, &people::LARGE.dn(), random.below(people::LARGE.size(all))),
        Workload::Modify => {
            let description =
                format!("changed in round {} by request {id}, with the number {}", arguments.seed, random.below(u32::MAX));
            message::modify(id, person, &description)
        }
        Workload::AddDelete => add_or_delete(arguments, number, id),
        Workload::JoinSmall => message::membership(id, people::SMALL, own(people::SMALL), id % 2 == 1),
        Workload::JoinLarge => message::membership(id, people::LARGE, own(people::LARGE), id % 2 == 1),
        Workload::ReadGroup => message::read_group(id, people::LARGE),
        Workload::Rename if id.is_multiple_of(2) => message::rename(id, &arguments.renamed, RENAMED),
        Workload::Rename => message::rename(id, RENAMED, &arguments.renamed),
        Workload::Bind => bind(id, random.below(accounts(arguments))),
        Workload::BindWrong => message::bind(id, &people::dn(person % people::first_of_argon2(all)), "not this one"),
        Workload::BindCold => bind(id, cold_account(arguments, number, id - 2)),
        Workload::Login => return Err("logins are no requests on one connection".into()),
    };
    Ok(Request::Whole(whole))
}

fn add_or_delete(arguments: &RunArguments, connection: u32, id: u32) -> Vec<u8> {
    // Another one each time: a server may keep the identifiers of those who left.
    let uid = format!("new-{}-{connection}-{}", arguments.seed, id / 2);
    if id % 2 == 1 {
        return message::delete(id, &uid);
    }
    let mut attributes = people::person(connection, arguments.people);
    // A policy that looks at passwords takes no hash from a client.
    attributes.retain(|(name, _)| *name != "userPassword");
    for (name, value) in &mut attributes {
        match *name {
            "uid" | "employeeNumber" => value.clone_from(&uid),
            "mail" => *value = format!("{uid}@bench.example"),
            _ => {}
        }
    }
    message::add(id, &uid, &attributes)
}

/// None twice in a run, nor in runs whose `first` is as far apart as they use.
fn cold_account(arguments: &RunArguments, connection: u32, turn: u32) -> u32 {
    let first = people::first_of_argon2(arguments.people);
    let count = (arguments.people - first).max(1);
    let place = arguments.first.wrapping_add(turn.wrapping_mul(arguments.connections)).wrapping_add(connection);
    first + place % count
}

pub(crate) fn bind(id: u32, person: u32) -> Vec<u8> {
    message::bind(id, &people::dn(person), people::PASSWORD)
}

/// How many people bind again and again.
pub(crate) fn accounts(arguments: &RunArguments) -> u32 {
    arguments.accounts.min(people::first_of_argon2(arguments.people))
}

/// xorshift64*: the same numbers in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32;
        high % end.max(1)
    }
}
