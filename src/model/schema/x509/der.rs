//! A small reader of DER (X.690): elements one after the other, lengths definite and as short as can be, tags of one octet.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `[number]`, constructed.
pub(super) const fn constructed(number: u8) -> u8 {
    0xa0 | number
}

/// One element.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// Tag and length included.
    pub(super) whole: &'a [u8],
}

/// What is left to read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next element, whatever it is; none at the end and where the octets are no DER.
    pub(super) fn any(&mut self) -> Option<Element<'a>> {
        let [tag, first, rest @ ..] = self.0 else { return None };
        let (length, rest) = length(*first, rest)?;
        let (content, behind) = rest.split_at_checked(length)?;
        let whole = self.0.get(..self.0.len() - behind.len())?;
        self.0 = behind;
        (tag & 0x1f != 0x1f).then_some(Element { tag: *tag, content, whole })
    }

    /// The content of the next element, which has this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let element = ahead.any().filter(|element| element.tag == tag)?;
        *self = ahead;
        Some(element.content)
    }

    /// A time that comes next, in microseconds since 1970.
    pub(super) fn time(&mut self) -> Option<i64> {
        let mut ahead = *self;
        let element = ahead.any()?;
        let moment = match element.tag {
            UTC_TIME => super::time::utc(element.content)?,
            GENERALIZED_TIME => super::time::general(element.content)?,
            _ => return None,
        };
        *self = ahead;
        Some(moment)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn length(first: u8, rest: &[u8]) -> Option<(usize, &[u8])> {
    if first < 0x80 {
        return Some((usize::from(first), rest));
    }
    let count = usize::from(first & 0x7f);
    let (octets, rest) = rest.split_at_checked(count)?;
    let length = octets.iter().try_fold(0_u32, |sum, &octet| sum.checked_mul(256)?.checked_add(u32::from(octet)))?;
    ((1..=4).contains(&count) && octets.first() != Some(&0) && length >= 0x80).then_some((length as usize, rest))
}

/// The content of the one SEQUENCE that a value is.
pub(super) fn sequence(value: &[u8]) -> Option<Reader<'_>> {
    let mut reader = Reader(value);
    let content = reader.take(SEQUENCE)?;
    reader.is_empty().then_some(Reader(content))
}

/// The dotted form of an object identifier's content.
pub(super) fn dotted(content: &[u8]) -> Option<String> {
    let mut arcs: Vec<u64> = Vec::new();
    let mut arc = 0_u64;
    for &octet in content {
        arc = arc.checked_mul(128)?.checked_add(u64::from(octet & 0x7f))?;
        if octet & 0x80 == 0 {
            arcs.push(arc);
            arc = 0;
        }
    }
    let ends = content.last().is_some_and(|octet| octet & 0x80 == 0);
    let (first, rest) = arcs.split_first().filter(|_| ends)?;
    let top = (first / 40).min(2);
    let mut text = format!("{top}.{}", first - top * 40);
    for arc in rest {
        text.push('.');
        text.push_str(&arc.to_string());
    }
    Some(text)
}

/// An integer's content without octets that say nothing.
pub(super) fn shortest(content: &[u8]) -> &[u8] {
    let mut content = content;
    while let [first, rest @ ..] = content
        && let [second, ..] = rest
        && ((*first == 0 && *second < 0x80) || (*first == 0xff && *second >= 0x80))
    {
        content = rest;
    }
    content
}
