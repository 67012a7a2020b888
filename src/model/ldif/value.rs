//! What stands behind the colon of a line: a text, base64 or a URL.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use super::LdifError;
use super::lines::Line;

/// Reads the file that a `file:` URL names.
pub(super) type FileReader = Box<dyn FnMut(&Path) -> io::Result<Vec<u8>> + Send>;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Splits `name: value` at the first colon.
pub(super) fn split(line: &Line) -> Result<(Bytes, Bytes), LdifError> {
    let colon = line.text.iter().position(|octet| *octet == b':').ok_or_else(|| line.error("no colon in the line"))?;
    Ok((line.text.slice(..colon), line.text.slice(colon..)))
}

/// `value-spec` of RFC 2849, from its first colon on. `files` reads what `file:` URLs name; without it they are refused.
pub(super) fn decode(line: &Line, specification: &Bytes, files: Option<&mut FileReader>) -> Result<Bytes, LdifError> {
    match specification.get(1) {
        Some(b':') => {
            let encoded = specification.get(2..).unwrap_or_default().trim_ascii();
            BASE64.decode(encoded).map(Bytes::from).map_err(|_| line.error("the value is not valid base64"))
        }
        Some(b'<') => {
            let url = specification.get(2..).unwrap_or_default().trim_ascii();
            let path = file_path(url).ok_or_else(|| line.error("only file: URLs with an absolute path can name a value"))?;
            let files = files.ok_or_else(|| line.error("values from file: URLs are not allowed here"))?;
            files(&path).map(Bytes::from).map_err(|error| line.error(format!("the file of the URL cannot be read: {error}")))
        }
        _ => {
            let spaces = specification.iter().skip(1).take_while(|octet| **octet == b' ').count();
            Ok(specification.slice((1 + spaces).min(specification.len())..))
        }
    }
}

/// The path in `file:///path`, `file://localhost/path` or `file:/path` (RFC 8089), percent-encoding undone.
fn file_path(url: &[u8]) -> Option<PathBuf> {
    let (scheme, rest) = url.split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case(b"file:") {
        return None;
    }
    let path = match rest.strip_prefix(b"//") {
        Some(with_host) => with_host.strip_prefix(b"localhost").unwrap_or(with_host),
        None => rest,
    };
    if path.first() != Some(&b'/') {
        return None;
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut octets = path.iter();
    while let Some(octet) = octets.next() {
        if *octet == b'%' {
            let mut digit = || char::from(*octets.next()?).to_digit(16);
            decoded.push(u8::try_from(digit()? << 4 | digit()?).ok()?);
        } else {
            decoded.push(*octet);
        }
    }
    String::from_utf8(decoded).ok().map(PathBuf::from)
}
