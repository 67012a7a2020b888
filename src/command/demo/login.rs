//! Who can log in to the sample hospital, and the file that says so.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use crate::command::installation::create_private;
use crate::model::{Secret, Timestamp};
use crate::policy::otp::{Parameters, SECRET_LENGTH, Token, base32};
use crate::server::world::SystemEntropy;
use crate::world::Entropy;

/// Who can log in.
pub(super) struct Login {
    pub(super) dn: String,
    pub(super) password: String,
    /// Base32 of an authenticator's secret.
    pub(super) token: Option<String>,
}

/// An authenticator's secret.
pub(super) struct NewToken {
    pub(super) secret: Secret,
    /// As apps take it by hand.
    pub(super) base32: String,
}

impl NewToken {
    pub(super) fn draw() -> NewToken {
        let mut octets = [0; SECRET_LENGTH];
        SystemEntropy::new().fill(&mut octets);
        let secret = Secret::from(octets.as_slice());
        NewToken { base32: base32(&secret), secret }
    }

    /// What logs in now, behind this password: with the code of the moment.
    pub(super) fn behind(&self, password: &str, now: Timestamp) -> Option<Secret> {
        let code = Token::new(&self.secret, &Parameters::default())?.code_for(None, now)?;
        Some(Secret::new([password.as_bytes(), code.expose()].concat()))
    }
}

/// Twenty letters and digits that nobody mistakes for each other, in groups: 98 bits.
pub(super) fn new_password() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut octets = [0; 20];
    SystemEntropy::new().fill(&mut octets);
    let letters = octets.iter().filter_map(|octet| LETTERS.get(usize::from(octet % 32)).copied());
    let letters: Vec<char> = letters.map(char::from).collect();
    letters.chunks(5).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// Only its owner can read the file: password, name and, where there is one, the authenticator's secret, in a line each.
pub(super) fn write(path: &Path, logins: &[Login]) -> io::Result<()> {
    let mut file = create_private(path)?;
    for Login { dn, password, token } in logins {
        match token {
            Some(token) => writeln!(file, "{password}\t{dn}\t{token}")?,
            None => writeln!(file, "{password}\t{dn}")?,
        }
    }
    file.sync_all()
}

/// What [`write`] wrote.
pub(super) fn read(path: &Path) -> io::Result<Vec<Login>> {
    let login = |line: &str| {
        let mut parts = line.split('\t').map(str::to_owned);
        Some(Login { password: parts.next()?, dn: parts.next()?, token: parts.next() })
    };
    Ok(fs::read_to_string(path)?.lines().filter_map(login).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwords");
        let token = NewToken::draw();
        let logins = [("uid=a,dc=x", None), ("uid=b,dc=x", Some(token.base32.clone()))];
        let logins = logins.map(|(dn, token)| Login { dn: dn.to_owned(), password: new_password(), token });
        write(&path, &logins).unwrap();
        let read = read(&path).unwrap();
        let fields = |login: &Login| (login.dn.clone(), login.password.clone(), login.token.clone());
        assert_eq!(read.iter().map(fields).collect::<Vec<_>>(), logins.iter().map(fields).collect::<Vec<_>>());
        assert_eq!(token.behind("abc", Timestamp(1_800_000_000_000_000)).unwrap().len(), 9);
    }
}
