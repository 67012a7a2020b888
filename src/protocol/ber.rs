//! BER as LDAP uses it (RFC 4511 section 5.1: definite lengths, one identifier octet): a strict reader over octets that are all
//! there, and a writer. Control values and the values of extended requests are read and written with it, as are whole messages.
//!
//! ```text
//! element    := identifier length content
//! identifier := class (2 bits) constructed (1 bit) number (5 bits, 0 to 30)
//! length     := 0xxxxxxx | 100000nn octet{nn}           (nn 1 to 4, leading zeros allowed, most significant octet first)
//! ```

use bytes::{BufMut, Bytes, BytesMut};

/// An identifier octet: class, constructed bit and number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tag(pub u8);

impl Tag {
    /// Universal 1
    pub const BOOLEAN: Tag = Tag(0x01);
    /// Universal 2
    pub const INTEGER: Tag = Tag(0x02);
    /// Universal 4
    pub const OCTET_STRING: Tag = Tag(0x04);
    /// Universal 5
    pub const NULL: Tag = Tag(0x05);
    /// Universal 10
    pub const ENUMERATED: Tag = Tag(0x0a);
    /// Universal 16, constructed
    pub const SEQUENCE: Tag = Tag(0x30);
    /// Universal 17, constructed
    pub const SET: Tag = Tag(0x31);

    /// `[number]` with a primitive content, `number` at most 30.
    pub const fn context(number: u8) -> Tag {
        Tag(0x80 | (number & 0x1f))
    }

    /// `[number]` with a constructed content, `number` at most 30.
    pub const fn context_constructed(number: u8) -> Tag {
        Tag(0xa0 | (number & 0x1f))
    }

    /// Whether the content is made of elements.
    pub const fn is_constructed(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// The two class bits.
    pub const fn class(self) -> Class {
        match self.0 >> 6 {
            0 => Class::Universal,
            1 => Class::Application,
            2 => Class::Context,
            _ => Class::Private,
        }
    }

    /// The number within its class.
    pub const fn number(self) -> u8 {
        self.0 & 0x1f
    }
}

/// The class of a tag (X.690 section 8.1.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum Class {
    Universal,
    Application,
    Context,
    Private,
}

/// Why octets are not the BER that was expected. The text never quotes them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct BerError(pub &'static str);

/// The identifier and length at the front of some octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The identifier octet.
    pub tag: Tag,
    /// How many octets identifier and length take.
    pub size: usize,
    /// How many octets of content follow, as declared.
    pub length: u32,
}

impl Header {
    /// Reads a header; `None` while it is not all there. Errors come as early as an octet shows them.
    pub fn read(octets: &[u8]) -> Result<Option<Header>, BerError> {
        let Some(&identifier) = octets.first() else { return Ok(None) };
        let tag = Tag(identifier);
        if tag.number() == 0x1f {
            return Err(BerError("tag number of more than 30"));
        }
        let Some(&first) = octets.get(1) else { return Ok(None) };
        let count = match first {
            0..=0x7f => return Ok(Some(Header { tag, size: 2, length: u32::from(first) })),
            0x80 => return Err(BerError("indefinite length")),
            0x81..=0x84 => usize::from(first & 0x7f),
            _ => return Err(BerError("length of more than four octets")),
        };
        let Some(length) = octets.get(2..2 + count) else { return Ok(None) };
        let length = length.iter().fold(0_u32, |value, &octet| value << 8 | u32::from(octet));
        Ok(Some(Header { tag, size: 2 + count, length }))
    }
}

/// Reads elements one after the other; an element that runs over the end of its parent is an error.
#[derive(Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the front of `octets`, which must hold whole elements and nothing else.
    pub fn new(octets: &'a [u8]) -> Reader<'a> {
        Reader { rest: octets }
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The tag of the next element, if there is one.
    pub fn peek(&self) -> Option<Tag> {
        self.rest.first().map(|&identifier| Tag(identifier))
    }

    /// The next element, whatever it is: its tag and content.
    pub fn element(&mut self) -> Result<(Tag, &'a [u8]), BerError> {
        let header = Header::read(self.rest)?.ok_or(BerError("element is cut off"))?;
        let length = usize::try_from(header.length).map_err(|_| BerError("length out of range"))?;
        let end = header.size.checked_add(length).ok_or(BerError("length out of range"))?;
        let content = self.rest.get(header.size..end).ok_or(BerError("element is longer than its parent"))?;
        self.rest = self.rest.get(end..).unwrap_or_default();
        Ok((header.tag, content))
    }

    /// The content of the next element, which must have this tag.
    pub fn expect(&mut self, tag: Tag) -> Result<&'a [u8], BerError> {
        match self.peek() {
            Some(found) if found == tag => Ok(self.element()?.1),
            Some(_) => Err(BerError("unexpected tag")),
            None => Err(BerError("element is missing")),
        }
    }

    /// The content of the next element if it has this tag; otherwise nothing is read.
    pub fn optional(&mut self, tag: Tag) -> Result<Option<&'a [u8]>, BerError> {
        if self.peek() == Some(tag) { self.element().map(|(_, content)| Some(content)) } else { Ok(None) }
    }

    /// A reader over the elements of the next element, which must have this (constructed) tag.
    pub fn constructed(&mut self, tag: Tag) -> Result<Reader<'a>, BerError> {
        self.expect(tag).map(Reader::new)
    }

    /// A reader over a SEQUENCE.
    pub fn sequence(&mut self) -> Result<Reader<'a>, BerError> {
        self.constructed(Tag::SEQUENCE)
    }

    /// A reader over a SET.
    pub fn set(&mut self) -> Result<Reader<'a>, BerError> {
        self.constructed(Tag::SET)
    }

    /// An OCTET STRING.
    pub fn octet_string(&mut self) -> Result<&'a [u8], BerError> {
        self.expect(Tag::OCTET_STRING)
    }

    /// An INTEGER.
    pub fn integer(&mut self) -> Result<i64, BerError> {
        integer(self.expect(Tag::INTEGER)?)
    }

    /// An ENUMERATED.
    pub fn enumerated(&mut self) -> Result<i64, BerError> {
        integer(self.expect(Tag::ENUMERATED)?)
    }

    /// A BOOLEAN.
    pub fn boolean(&mut self) -> Result<bool, BerError> {
        boolean(self.expect(Tag::BOOLEAN)?)
    }

    /// Ends a type that has no room for extensions: nothing may be left.
    pub fn finish(self) -> Result<(), BerError> {
        if self.is_empty() { Ok(()) } else { Err(BerError("octets after the last element")) }
    }

    /// Ends a SEQUENCE of RFC 4511: trailing components whose tags this program does not know are ignored (section 4), which
    /// are context tags numbered `from` or above and private tags. Anything else that is left is an error.
    pub fn finish_extensible(mut self, from: u8) -> Result<(), BerError> {
        while !self.is_empty() {
            let (tag, _) = self.element()?;
            let unknown = match tag.class() {
                Class::Context => tag.number() >= from,
                Class::Private => true,
                Class::Universal | Class::Application => false,
            };
            if !unknown {
                return Err(BerError("unexpected element at the end"));
            }
        }
        Ok(())
    }
}

/// The value of an INTEGER or ENUMERATED content: one to eight octets, two's complement. Superfluous leading octets are taken
/// (some devices send every number in four).
pub fn integer(content: &[u8]) -> Result<i64, BerError> {
    match content {
        [] => Err(BerError("integer without octets")),
        [first, ..] if content.len() <= 8 => {
            let sign = if first & 0x80 == 0 { 0 } else { -1 };
            Ok(content.iter().fold(sign, |value, &octet| value << 8 | i64::from(octet)))
        }
        _ => Err(BerError("integer of more than eight octets")),
    }
}

/// The value of a BOOLEAN content: one octet, anything but zero is TRUE.
pub fn boolean(content: &[u8]) -> Result<bool, BerError> {
    match content {
        [octet] => Ok(*octet != 0),
        _ => Err(BerError("boolean of other than one octet")),
    }
}

/// Encodes on its own what `write` writes: for control values and the like.
pub fn encode(write: impl FnOnce(&mut Writer<'_>)) -> Bytes {
    let mut output = BytesMut::new();
    write(&mut Writer::new(&mut output));
    output.freeze()
}

/// Appends elements with lengths in their shortest form.
pub struct Writer<'a> {
    output: &'a mut BytesMut,
}

impl<'a> Writer<'a> {
    /// Appends to `output`.
    pub fn new(output: &'a mut BytesMut) -> Writer<'a> {
        Writer { output }
    }

    /// Makes room for so many octets more.
    pub fn reserve(&mut self, octets: usize) {
        self.output.reserve(octets);
    }

    /// Appends octets that are whole elements already.
    pub fn raw(&mut self, elements: &[u8]) {
        self.output.put_slice(elements);
    }

    /// Appends an element with this tag and content.
    pub fn element(&mut self, tag: Tag, content: &[u8]) {
        self.output.put_u8(tag.0);
        self.length(content.len());
        self.output.put_slice(content);
    }

    /// Appends an element with this (constructed) tag around what `write` writes.
    pub fn constructed(&mut self, tag: Tag, write: impl FnOnce(&mut Writer<'_>)) {
        self.constructed_about(tag, 0, write);
    }

    /// As [`Writer::constructed`]; `about` is a guess at the length of the content, which spares moving it when it is right.
    pub fn constructed_about(&mut self, tag: Tag, about: usize, write: impl FnOnce(&mut Writer<'_>)) {
        self.output.put_u8(tag.0);
        let length_at = self.output.len();
        let guessed = length_size(about);
        self.output.put_bytes(0, guessed);
        let start = self.output.len();
        write(&mut Writer { output: &mut *self.output });
        let length = self.output.len() - start;
        let needed = length_size(length);
        if needed > guessed {
            self.output.put_bytes(0, needed - guessed);
        }
        if needed != guessed {
            self.output.copy_within(start..start + length, length_at + needed);
            self.output.truncate(length_at + needed + length);
        }
        let (octets, size) = length_octets(length);
        for (place, octet) in self.output.iter_mut().skip(length_at).zip(octets.iter().take(size)) {
            *place = *octet;
        }
    }

    /// Appends a SEQUENCE around what `write` writes.
    pub fn sequence(&mut self, write: impl FnOnce(&mut Writer<'_>)) {
        self.constructed(Tag::SEQUENCE, write);
    }

    /// Appends a SET around what `write` writes.
    pub fn set(&mut self, write: impl FnOnce(&mut Writer<'_>)) {
        self.constructed(Tag::SET, write);
    }

    /// Appends an OCTET STRING.
    pub fn octet_string(&mut self, content: &[u8]) {
        self.element(Tag::OCTET_STRING, content);
    }

    /// Appends an OCTET STRING of two parts that follow each other.
    pub fn octet_string_of(&mut self, first: &[u8], second: &[u8]) {
        self.output.put_u8(Tag::OCTET_STRING.0);
        self.length(first.len() + second.len());
        self.output.put_slice(first);
        self.output.put_slice(second);
    }

    /// Appends an INTEGER.
    pub fn integer(&mut self, value: i64) {
        self.integer_as(Tag::INTEGER, value);
    }

    /// Appends an ENUMERATED.
    pub fn enumerated(&mut self, value: i64) {
        self.integer_as(Tag::ENUMERATED, value);
    }

    /// Appends a number under an implicit tag, in its shortest form.
    pub fn integer_as(&mut self, tag: Tag, value: i64) {
        let octets = value.to_be_bytes();
        let redundant = octets
            .iter()
            .zip(octets.iter().skip(1))
            .take_while(|&(&first, &next)| first == 0 && next & 0x80 == 0 || first == 0xff && next & 0x80 != 0)
            .count();
        self.element(tag, octets.get(redundant..).unwrap_or(&octets));
    }

    /// Appends a BOOLEAN; TRUE is 0xFF (RFC 4511 section 5.1).
    pub fn boolean(&mut self, value: bool) {
        self.boolean_as(Tag::BOOLEAN, value);
    }

    /// Appends a BOOLEAN under an implicit tag.
    pub fn boolean_as(&mut self, tag: Tag, value: bool) {
        self.element(tag, &[if value { 0xff } else { 0 }]);
    }

    fn length(&mut self, length: usize) {
        let (octets, size) = length_octets(length);
        self.output.put_slice(octets.get(..size).unwrap_or(&octets));
    }
}

/// How many octets the shortest form of a length takes.
fn length_size(length: usize) -> usize {
    match length {
        0..=0x7f => 1,
        0x80..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xff_ffff => 4,
        _ => 5,
    }
}

/// The shortest form of a length, at the front of an array, and its size. Nothing this program sends comes near 4 GiB.
fn length_octets(length: usize) -> ([u8; 5], usize) {
    let [.., a, b, c, d] = (length as u64).to_be_bytes();
    let octets = match length_size(length) {
        1 => [d, 0, 0, 0, 0],
        2 => [0x81, d, 0, 0, 0],
        3 => [0x82, c, d, 0, 0],
        4 => [0x83, b, c, d, 0],
        _ => [0x84, a, b, c, d],
    };
    (octets, length_size(length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_are_shortest() {
        for (value, octets) in [
            (0, &[2, 1, 0][..]),
            (127, &[2, 1, 0x7f]),
            (128, &[2, 2, 0, 0x80]),
            (-1, &[2, 1, 0xff]),
            (-128, &[2, 1, 0x80]),
            (-129, &[2, 2, 0xff, 0x7f]),
            (16654, &[2, 2, 0x41, 0x0e]),
        ] {
            assert_eq!(encode(|writer| writer.integer(value)), octets, "{value}");
        }
    }

    #[test]
    fn bad_headers_are_refused() {
        for octets in [&[0x30, 0x80, 0, 0][..], &[0x30, 0x85, 0, 0, 0, 0, 0], &[0x1f, 0x81, 0x00], &[0x04, 0x02, 0x00]] {
            assert!(Reader::new(octets).element().is_err(), "{octets:?}");
        }
        assert_eq!(Reader::new(&[4, 0x84, 0, 0, 0, 1, 7]).octet_string(), Ok(&[7][..]));
        assert!(Reader::new(&[2, 0]).integer().is_err());
        assert!(Reader::new(&[2, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1]).integer().is_err());
        assert!(Reader::new(&[1, 2, 0, 0]).boolean().is_err());
        assert_eq!(Reader::new(&[1, 1, 1]).boolean(), Ok(true));
    }

    #[test]
    fn trailing_components_are_ignored_only_where_unknown() {
        assert!(Reader::new(&[0x85, 0]).finish().is_err());
        assert!(Reader::new(&[0x85, 0]).finish_extensible(5).is_ok());
        assert!(Reader::new(&[0x85, 0]).finish_extensible(6).is_err());
        assert!(Reader::new(&[0x04, 0]).finish_extensible(0).is_err());
        assert!(Reader::new(&[0x85, 1]).finish_extensible(0).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            number in any::<i64>(), flag in any::<bool>(), size in 0_usize..70_000, about in 0_usize..70_000,
        ) {
            let octets = vec![7; size];
            let encoded = encode(|writer| {
                writer.constructed_about(Tag::SEQUENCE, about, |writer| {
                    writer.integer(number);
                    writer.set(|writer| writer.octet_string(&octets));
                    writer.boolean(flag);
                });
                writer.enumerated(1);
            });
            let mut reader = Reader::new(&encoded);
            let mut sequence = reader.sequence().unwrap();
            prop_assert_eq!(sequence.integer().unwrap(), number);
            let mut set = sequence.set().unwrap();
            prop_assert_eq!(set.octet_string().unwrap(), &octets[..]);
            set.finish().unwrap();
            prop_assert_eq!(sequence.boolean().unwrap(), flag);
            sequence.finish().unwrap();
            prop_assert_eq!(reader.enumerated().unwrap(), 1);
            reader.finish().unwrap();
        }

        #[test]
        fn any_octets_are_read_without_panic(octets in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader::new(&octets);
            while !reader.is_empty() && reader.element().is_ok() {}
            let _ = Reader::new(&octets).finish_extensible(3);
        }
    }
}
