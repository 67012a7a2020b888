//! The string form as slapd 2.5 spells it.

use std::fmt::{self, Display, Formatter, Write};

use super::{Dn, Rdn};

/// As slapd spells it: `,` between RDNs without spaces, specials (`,` `;` `+` `=` `"` `\` `<` `>` and NUL) as `\2C`, a leading or
/// trailing space as `\20`, a leading `#` as `\23`, UTF-8 raw, octets that are no UTF-8 as `\xx`.
impl Display for Dn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, rdn) in self.rdns.iter().enumerate() {
            if index > 0 {
                f.write_char(',')?;
            }
            write!(f, "{rdn}")?;
        }
        Ok(())
    }
}

/// As in a [`Dn`], with `+` between the pairs.
impl Display for Rdn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                f.write_char('+')?;
            }
            f.write_str(&part.attribute_type)?;
            f.write_char('=')?;
            write_value(f, &part.value)?;
        }
        Ok(())
    }
}

fn write_value(f: &mut Formatter<'_>, value: &[u8]) -> fmt::Result {
    let last = value.len().saturating_sub(1);
    let mut position = 0;
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            let at_edge = position == 0 || position == last;
            let escaped = match character {
                '\0' | '"' | '+' | ',' | ';' | '<' | '=' | '>' | '\\' => true,
                ' ' | '\t' | '\n' | '\r' => at_edge,
                '#' => position == 0,
                _ => false,
            };
            if escaped {
                write!(f, "\\{:02X}", u32::from(character))?;
            } else {
                f.write_char(character)?;
            }
            position += character.len_utf8();
        }
        for octet in chunk.invalid() {
            write!(f, "\\{octet:02X}")?;
            position += 1;
        }
    }
    Ok(())
}

/// Counts what is written to it.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// How many octets the string form of these RDNs has.
pub(super) fn length(rdns: &[Rdn]) -> usize {
    let mut length = Length(rdns.len().saturating_sub(1));
    for rdn in rdns {
        // Counting cannot fail.
        let _ = write!(length, "{rdn}");
    }
    length.0
}
