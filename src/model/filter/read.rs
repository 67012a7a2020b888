//! Reading the string form.

use bytes::Bytes;

use super::{Filter, FilterError, MatchingRuleAssertion, Substrings, Value};
use crate::model::name;

/// Reads exactly one filter.
pub(super) fn filter(text: &[u8]) -> Result<Filter, FilterError> {
    if let Err(error) = std::str::from_utf8(text) {
        return Err(FilterError { position: error.valid_up_to(), problem: "octets that are no UTF-8 must be escaped" });
    }
    let mut reader = Reader { text, position: 0 };
    let filter = reader.filter(Filter::MAXIMUM_DEPTH)?;
    if reader.peek().is_some() {
        return Err(reader.error("text after the filter"));
    }
    Ok(filter)
}

struct Reader<'a> {
    text: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    /// One filter in parentheses, at most `depth` levels of them.
    fn filter(&mut self, depth: usize) -> Result<Filter, FilterError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.error("nested too deeply"));
        };
        self.expect(b'(', "expected (")?;
        let filter = match self.peek() {
            Some(b'&') => Filter::And(self.set(depth)?),
            Some(b'|') => Filter::Or(self.set(depth)?),
            Some(b'!') => {
                self.position += 1;
                Filter::Not(Box::new(self.filter(depth)?))
            }
            _ => self.item()?,
        };
        self.expect(b')', "expected )")?;
        Ok(filter)
    }

    fn set(&mut self, depth: usize) -> Result<Vec<Filter>, FilterError> {
        self.position += 1;
        let mut filters = Vec::new();
        while self.peek() == Some(b'(') {
            filters.push(self.filter(depth)?);
        }
        Ok(filters)
    }

    fn item(&mut self) -> Result<Filter, FilterError> {
        if self.peek() == Some(b':') {
            return self.extensible(None);
        }
        let attribute = self.attribute_description()?;
        match self.peek() {
            Some(b':') => self.extensible(Some(attribute)),
            Some(b'=') => {
                self.position += 1;
                self.equality_presence_or_substrings(attribute)
            }
            Some(b'>') => Ok(Filter::GreaterOrEqual(attribute, self.value_after(">=")?)),
            Some(b'<') => Ok(Filter::LessOrEqual(attribute, self.value_after("<=")?)),
            Some(b'~') => Ok(Filter::Approximate(attribute, self.value_after("~=")?)),
            _ => Err(self.error("expected = ~= >= <= or :=")),
        }
    }

    fn equality_presence_or_substrings(&mut self, attribute: String) -> Result<Filter, FilterError> {
        let start = self.position;
        let initial = self.value()?;
        if self.peek() != Some(b'*') {
            return Ok(Filter::Equality(attribute, initial));
        }
        let mut substrings = Substrings { initial: some_unless_empty(initial), ..Substrings::default() };
        let mut stars = 0;
        while self.peek() == Some(b'*') {
            self.position += 1;
            stars += 1;
            // What stands behind the last star is the end, and what seemed to be the end before it lies in between.
            substrings.any.extend(substrings.last.take());
            substrings.last = some_unless_empty(self.value()?);
        }
        if substrings != Substrings::default() {
            Ok(Filter::Substrings(attribute, substrings))
        } else if stars == 1 {
            Ok(Filter::Present(attribute))
        } else {
            Err(FilterError { position: start, problem: "a substring assertion without any text" })
        }
    }

    /// From the first colon on.
    fn extensible(&mut self, attribute: Option<String>) -> Result<Filter, FilterError> {
        let start = self.position;
        let mut dn_attributes = false;
        let mut matching_rule = None;
        self.expect(b':', "expected :")?;
        if self.peek() != Some(b'=') {
            let mut word = self.object_identifier()?;
            self.expect(b':', "expected :")?;
            if word.eq_ignore_ascii_case("dn") {
                dn_attributes = true;
                if self.peek() != Some(b'=') {
                    word = self.object_identifier()?;
                    self.expect(b':', "expected :")?;
                    matching_rule = Some(word);
                }
            } else {
                matching_rule = Some(word);
            }
        }
        if attribute.is_none() && matching_rule.is_none() {
            return Err(FilterError { position: start, problem: "neither an attribute nor a matching rule" });
        }
        self.expect(b'=', "expected :=")?;
        let value = self.value()?;
        Ok(Filter::Extensible(MatchingRuleAssertion { matching_rule, attribute, value, dn_attributes }))
    }

    fn value_after(&mut self, operator: &str) -> Result<Value, FilterError> {
        for octet in operator.bytes() {
            self.expect(octet, "expected = ~= >= <= or :=")?;
        }
        self.value()
    }

    /// Up to the first octet that cannot stand in a value: `)` and `*` are then the caller's to judge.
    fn value(&mut self) -> Result<Value, FilterError> {
        let mut value = Vec::new();
        while let Some(octet) = self.peek() {
            match octet {
                b'(' | b')' | b'*' | b'\0' => break,
                b'\\' => value.push(self.escaped()?),
                octet => {
                    value.push(octet);
                    self.position += 1;
                }
            }
        }
        Ok(Bytes::from(value))
    }

    fn escaped(&mut self) -> Result<u8, FilterError> {
        let digit = |offset: usize| {
            let octet = self.text.get(self.position + offset)?;
            char::from(*octet).to_digit(16)
        };
        let octet = match (digit(1), digit(2)) {
            (Some(high), Some(low)) => u8::try_from(high << 4 | low).ok(),
            _ => None,
        };
        let octet = octet.ok_or_else(|| self.error("\\ without two hexadecimal digits"))?;
        self.position += 3;
        Ok(octet)
    }

    /// A type with options.
    fn attribute_description(&mut self) -> Result<String, FilterError> {
        let start = self.position;
        let description = self.name_while(|octet| octet == b';');
        if !name::is_attribute_description(description.as_bytes()) {
            return Err(FilterError { position: start, problem: "not an attribute description" });
        }
        Ok(description)
    }

    fn object_identifier(&mut self) -> Result<String, FilterError> {
        let start = self.position;
        let rule = self.name_while(|_| false);
        if !name::is_object_identifier(rule.as_bytes()) {
            return Err(FilterError { position: start, problem: "not a matching rule" });
        }
        Ok(rule)
    }

    fn name_while(&mut self, also: impl Fn(u8) -> bool) -> String {
        let mut name = String::new();
        while let Some(octet) = self.peek() {
            if !octet.is_ascii_alphanumeric() && !matches!(octet, b'-' | b'.') && !also(octet) {
                break;
            }
            name.push(char::from(octet));
            self.position += 1;
        }
        name
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    fn expect(&mut self, octet: u8, problem: &'static str) -> Result<(), FilterError> {
        if self.peek() != Some(octet) {
            return Err(self.error(problem));
        }
        self.position += 1;
        Ok(())
    }

    fn error(&self, problem: &'static str) -> FilterError {
        FilterError { position: self.position, problem }
    }
}

fn some_unless_empty(value: Value) -> Option<Value> {
    (!value.is_empty()).then_some(value)
}
