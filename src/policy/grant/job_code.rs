//! The job codes that a group is for (grantJobCode): `attribute=value`, or a value alone, which employeeType or departmentNumber has.

use crate::model::schema::Schema;
use crate::model::{AttributeTypeId, Rdn, Value};

/// Where a code without an attribute is looked for.
const USUAL: [&str; 2] = ["employeeType", "departmentNumber"];

/// One of the codes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobCode {
    attribute_types: Vec<AttributeTypeId>,
    value: Value,
}

/// It means nothing: the attribute is not known, or keeps secrets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JobCodeError;

impl JobCode {
    /// Reads one.
    pub fn read(schema: &Schema, text: &[u8]) -> Result<JobCode, JobCodeError> {
        if !text.contains(&b'=') {
            let found = USUAL.into_iter().filter_map(|name| schema.attribute_type(name)).map(|it| it.id);
            return Ok(JobCode { attribute_types: found.collect(), value: Value::copy_from_slice(text) });
        }
        let rdn = Rdn::parse(text).map_err(|_| JobCodeError)?;
        let [part] = rdn.parts.as_slice() else { return Err(JobCodeError) };
        let found = schema.attribute_type(&part.attribute_type).filter(|it| !it.secret).ok_or(JobCodeError)?;
        Ok(JobCode { attribute_types: vec![found.id], value: part.value.clone() })
    }

    /// Whether somebody with these values of attributes has it.
    pub fn is_of<'v, I: Iterator<Item = &'v [u8]>>(&self, schema: &Schema, values: impl Fn(AttributeTypeId) -> I) -> bool {
        self.attribute_types.iter().any(|id| {
            let key = |value: &[u8]| match schema.equality_key(*id, value) {
                Some(Ok(key)) => key.0.to_vec(),
                _ => value.to_vec(),
            };
            let wanted = key(&self.value);
            values(*id).any(|value| key(value) == wanted)
        })
    }
}
