//! `{CRYPT}`: the crypt(3) formats `$1$` (MD5), `$2a$`, `$2b$`, `$2y$` (bcrypt), `$5$` and `$6$` (SHA-crypt).

use md5::{Digest, Md5};
use sha_crypt::{PasswordVerifier, ShaCrypt};
use zeroize::Zeroizing;

use super::scheme::{constant_time_equal, decimal};

/// libxcrypt's CRYPT_MAX_PASSPHRASE_SIZE: the cost of SHA-crypt grows with the password, so a huge one must not be tried.
const MAX_PASSWORD: usize = 512;
/// Rounds of SHA-crypt that a stored value may ask for: about a second of a core.
const MAX_SHA_ROUNDS: u32 = 1_000_000;
/// bcrypt's cost that a stored value may ask for: 2^14 rounds, about a second of a core.
const MAX_BCRYPT_COST: u32 = 14;
/// A longer value is no crypt(3) string.
const MAX_VALUE: usize = 256;
/// MD5-crypt uses no more octets of salt than this.
const MAX_MD5_SALT: usize = 8;

/// A crypt(3) string.
pub(super) enum CryptValue<'a> {
    Md5 { salt: &'a [u8], hash: &'a [u8] },
    Bcrypt(&'a str),
    Sha(&'a str),
}

impl<'a> CryptValue<'a> {
    /// Reads a crypt(3) string whose cost is within the limits.
    pub(super) fn parse(text: &'a [u8]) -> Option<CryptValue<'a>> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= MAX_VALUE && text.is_ascii())?;
        let mut fields = text.strip_prefix('$')?.split('$');
        match fields.next()? {
            "1" => {
                let (salt, hash) = (fields.next()?.as_bytes(), fields.next()?.as_bytes());
                let fits = salt.len() <= MAX_MD5_SALT && hash.len() == 22 && fields.next().is_none();
                fits.then_some(CryptValue::Md5 { salt, hash })
            }
            "2a" | "2b" | "2y" => {
                let cost = decimal(fields.next()?.as_bytes())?;
                (cost <= MAX_BCRYPT_COST).then_some(CryptValue::Bcrypt(text))
            }
            "5" | "6" => {
                let rounds = fields.next()?.strip_prefix("rounds=").map(|rounds| decimal(rounds.as_bytes()));
                match rounds {
                    None => Some(CryptValue::Sha(text)),
                    Some(rounds) => rounds.filter(|rounds| *rounds <= MAX_SHA_ROUNDS).map(|_| CryptValue::Sha(text)),
                }
            }
            _ => None,
        }
    }

    /// Whether the string was made of this password. crypt(3) takes a C string, so a password with a NUL in it never matches.
    pub(super) fn verify(&self, password: &[u8]) -> bool {
        if password.len() > MAX_PASSWORD || password.contains(&0) {
            return false;
        }
        match self {
            CryptValue::Md5 { salt, hash } => constant_time_equal(&md5_crypt(password, salt), hash),
            CryptValue::Bcrypt(text) => bcrypt::verify(password, text).unwrap_or(false),
            CryptValue::Sha(text) => ShaCrypt::default().verify_password(password, *text).is_ok(),
        }
    }
}

/// Poul-Henning Kamp's MD5-crypt (FreeBSD's `crypt-md5.c`): the 22 characters after the salt.
fn md5_crypt(password: &[u8], salt: &[u8]) -> Vec<u8> {
    let alternate = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut start = Md5::new().chain_update(password).chain_update(b"$1$").chain_update(salt);
    let repeated: Zeroizing<Vec<u8>> = Zeroizing::new(alternate.iter().copied().cycle().take(password.len()).collect());
    start.update(&*repeated);
    let mut bits = password.len();
    while bits != 0 {
        start.update(if bits & 1 == 1 { &[0] } else { password.get(..1).unwrap_or_default() });
        bits >>= 1;
    }
    let mut digest = start.finalize();
    for round in 0..1000 {
        let odd = round % 2 == 1;
        let mut next = Md5::new();
        next.update(if odd { password } else { &digest });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if odd { &digest } else { password });
        digest = next.finalize();
    }
    md5_crypt_text(&digest.into())
}

/// crypt(3)'s own base64 of the sixteen octets, in the algorithm's odd order.
fn md5_crypt_text(digest: &[u8; 16]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let [d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, d10, d11, d12, d13, d14, d15] = digest.map(u32::from);
    let groups = [(d0, d6, d12, 4), (d1, d7, d13, 4), (d2, d8, d14, 4), (d3, d9, d15, 4), (d4, d10, d5, 4), (0, 0, d11, 2)];
    let mut text = Vec::with_capacity(22);
    for (high, middle, low, characters) in groups {
        let mut bits = high << 16 | middle << 8 | low;
        for _ in 0..characters {
            text.extend(ALPHABET.get((bits & 63) as usize));
            bits >>= 6;
        }
    }
    text
}
