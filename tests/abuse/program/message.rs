//! Requests as octets, and as much of answers as the attacks look at. It shares no code with the server.

/// One element.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut octets = vec![tag];
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes();
    match content.len() {
        0..=0x7f => octets.push(content.len() as u8),
        _ => {
            octets.push(0x84);
            octets.extend_from_slice(&length);
        }
    }
    octets.extend_from_slice(content);
    octets
}

pub(crate) fn message(id: u32, operation: &[u8]) -> Vec<u8> {
    element(0x30, &[&element(0x02, &(id & 0x7fff_ffff).to_be_bytes()), operation].concat())
}

pub(crate) fn string(text: &str) -> Vec<u8> {
    element(0x04, text.as_bytes())
}

pub(crate) fn bind(id: u32, name: &str, password: &str) -> Vec<u8> {
    message(id, &element(0x60, &[vec![2, 1, 3], string(name), element(0x80, password.as_bytes())].concat()))
}

/// A subtree search below the suffix with this filter, for all attributes.
pub(crate) fn search(id: u32, filter: &[u8]) -> Vec<u8> {
    let head = vec![10, 1, 2, 10, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0];
    message(id, &element(0x63, &[string(super::SUFFIX), head, filter.to_vec(), vec![0x30, 0]].concat()))
}

/// `(attribute=value)`
pub(crate) fn equality(attribute: &str, value: &str) -> Vec<u8> {
    element(0xa3, &[string(attribute), string(value)].concat())
}

/// `(attribute=*)`
pub(crate) fn present(attribute: &str) -> Vec<u8> {
    element(0x87, attribute.as_bytes())
}

/// `(:rule:=value)`, of all attributes that the rule applies to.
pub(crate) fn by_rule(rule: &str, value: &str) -> Vec<u8> {
    element(0xa9, &[element(0x81, rule.as_bytes()), element(0x83, value.as_bytes())].concat())
}

/// An add of one entry whose description has so many empty values.
pub(crate) fn add_of_nothing(id: u32, values: usize) -> Vec<u8> {
    let class = element(0x30, &[string("objectClass"), element(0x31, &string("organizationalRole"))].concat());
    let values = element(0x31, &[4_u8, 0].repeat(values));
    let description = element(0x30, &[string("description"), values].concat());
    let name = string(&format!("cn=nothing,{}", super::SUFFIX));
    message(id, &element(0x68, &[name, element(0x30, &[class, description].concat())].concat()))
}

/// One answer at the front of the octets received.
pub(crate) struct Answer {
    pub(crate) size: usize,
    pub(crate) id: u32,
    /// The tag of its operation: 0x64 is an entry.
    pub(crate) operation: u8,
    /// The resultCode, where it is a result.
    pub(crate) code: u8,
}

/// The next answer; none while it is not all there.
pub(crate) fn answer(octets: &[u8]) -> Option<Answer> {
    let (_, start, size) = header(octets)?;
    let content = octets.get(start..size)?;
    let (_, id_start, id_end) = header(content)?;
    let id = content.get(id_start..id_end)?.iter().fold(0, |id, octet| id << 8 | u32::from(*octet));
    let operation = content.get(id_end..)?;
    let (tag, start, _) = header(operation)?;
    let code = match operation.get(start..) {
        Some([0x0a, 1, code, ..]) => *code,
        _ => 0,
    };
    Some(Answer { size, id, operation: tag, code })
}

/// Tag, start and end of the content of the element at the front.
fn header(octets: &[u8]) -> Option<(u8, usize, usize)> {
    let (tag, first) = (*octets.first()?, *octets.get(1)?);
    if first < 0x80 {
        return Some((tag, 2, 2 + usize::from(first)));
    }
    let count = usize::from(first & 0x7f);
    let length = octets.get(2..2 + count)?.iter().fold(0_usize, |length, octet| length << 8 | usize::from(*octet));
    Some((tag, 2 + count, 2 + count + length))
}
