//! One installation as the program finds it: checked configuration, seal key, schema, the machine's clock and randomness.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::policy_clock::PolicyClock;
use super::schema_files::{self, SchemaFileError};
use super::world::{SystemClock, SystemEntropy};
use crate::config::{Configuration, ConfigurationError};
use crate::directory::{IndexDeclaration, IndexKinds, MembershipAttribute};
use crate::model::schema::{AttributeType, PosixSchema, Schema, SchemaError};
use crate::model::{Secret, Timestamp};
use crate::operation::Settings;
use crate::policy::password::blocklist::{Blocklist, MAXIMUM_OCTETS};
use crate::store::disk::{EmergencyDisk, RealDisk};
use crate::store::{self, StoreOptions};
use crate::world::{Clock, Disk, Entropy};

/// Everything that is known before the data folder is opened.
pub struct Installation {
    /// The checked configuration.
    pub configuration: Configuration,
    /// The schema.
    pub schema: Arc<Schema>,
    /// The machine's clock.
    pub clock: Arc<dyn Clock>,
    /// The machine's randomness.
    pub entropy: Arc<dyn Entropy>,
    seal_key: Secret,
    /// Of this process alone.
    process_key: Secret,
    blocklist: Option<Arc<Blocklist>>,
}

/// Why an installation cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InstallationError {
    /// The configuration or a file it names.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The schema.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A schema file or the folder of them cannot be read.
    #[error("{0}; check schema in bindery.toml")]
    SchemaFile(#[from] SchemaFileError),
    /// The organisation's list of passwords cannot be used.
    #[error("{0}: {1}; check password.blocklist in bindery.toml, or build it with: bindery blocklist build FILE")]
    Blocklist(PathBuf, String),
}

impl Installation {
    /// Reads what `bindery.toml` and the files it names say.
    pub fn load(path: &Path) -> Result<Installation, InstallationError> {
        let clock: Arc<dyn Clock> = Arc::new(PolicyClock::new(Arc::new(SystemClock::new())));
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::new());
        let configuration = Configuration::load(path, clock.now())?;
        let seal_key = configuration.seal_key.read()?;
        let schema = Arc::new(schema(configuration.posix, configuration.schema.as_deref())?);
        let mut key = vec![0; 32];
        entropy.fill(&mut key);
        let process_key = Secret::new(key);
        let blocklist = blocklist(&configuration)?;
        let installation = Installation { configuration, schema, clock, entropy, seal_key, process_key, blocklist };
        indexes(&installation.configuration, &installation.schema, Unknown::MayBeDefinedOnline)?;
        identifiers(&installation.configuration, &installation.schema)?;
        Ok(installation)
    }

    /// Reads the configuration anew, for a reload; schema, key, clock and randomness stay.
    pub fn reload(&self) -> Result<(Configuration, Settings), InstallationError> {
        let mut configuration = Configuration::load(&self.configuration.file, self.clock.now())?;
        // They change with a restart only, but what would fail then is refused now.
        indexes(&configuration, &self.schema, Unknown::MayBeDefinedOnline)?;
        identifiers(&configuration, &self.schema)?;
        // Each needs an index that is made at start.
        configuration.identifiers = self.configuration.identifiers.clone();
        let blocklist = blocklist(&configuration)?;
        let settings = Settings { blocklist, ..configuration.settings(&self.seal_key, &self.process_key) };
        Ok((configuration, settings))
    }

    /// Settings for operations.
    pub fn settings(&self) -> Settings {
        let settings = self.configuration.settings(&self.seal_key, &self.process_key);
        Settings { blocklist: self.blocklist.clone(), ..settings }
    }

    /// What opening the data folder needs.
    pub fn store_options(&self) -> Result<StoreOptions, InstallationError> {
        let mut indexes = indexes(&self.configuration, &self.schema, Unknown::MayBeDefinedOnline)?;
        indexes.extend(identifiers(&self.configuration, &self.schema)?);
        Ok(StoreOptions { indexes, ..self.store_options_without_indexes() })
    }

    /// The same for who will not search: with the indexes alone that find out whether an identifier is taken.
    pub fn store_options_without_indexes(&self) -> StoreOptions {
        StoreOptions {
            data: self.configuration.data.clone(),
            seal_key: self.seal_key.clone(),
            key_file: self.configuration.seal_key.file().map(Path::to_owned),
            schema: Arc::clone(&self.schema),
            suffix: self.configuration.suffix.clone(),
            indexes: identifiers(&self.configuration, &self.schema).unwrap_or_default(),
            disk: self.disk(),
            entropy: Arc::clone(&self.entropy),
            clock: Arc::clone(&self.clock),
            reserve: self.configuration.disk_reserve,
        }
    }

    fn disk(&self) -> Arc<dyn Disk> {
        let disk = Arc::new(RealDisk);
        match &self.configuration.emergency_folder {
            Some(folder) => {
                let journal = store::folder_of_journal(&self.configuration.data);
                Arc::new(EmergencyDisk::new(disk.clone(), disk, journal, folder.clone()))
            }
            None => disk,
        }
    }

    /// Whether the declared indexes are possible with the schema as it is once the data folder is open, definitions made online included.
    pub fn check_indexes(&self, schema: &Schema) -> Result<(), InstallationError> {
        indexes(&self.configuration, schema, Unknown::IsRefused).map(drop)
    }

    /// The administrator that uid 0 and the server's own user are.
    pub fn administrator(&self) -> String {
        format!("cn=admin,{}", self.configuration.suffix)
    }

    /// Time by the machine.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// The indexes that answer whether an identifier is taken. Each attribute must be one whose values are compared and kept in entries; one that
/// is not defined may be defined online.
fn identifiers(configuration: &Configuration, schema: &Schema) -> Result<Vec<IndexDeclaration>, InstallationError> {
    let settings = &configuration.identifiers;
    let numbers = settings.numbers.iter().map(|range| &range.attribute);
    let all = settings.unique.iter().chain(numbers).map(|name| {
        let impossible = schema.attribute_type(name).is_some_and(|attribute| {
            attribute.equality.is_none() || attribute.secret || MembershipAttribute::of_type(attribute).is_some()
        });
        if impossible {
            return Err(InstallationError::from(configuration.identifier_error(name, "cannot be unique")));
        }
        let kinds = IndexKinds { equality: true, ..IndexKinds::default() };
        Ok(IndexDeclaration { attribute: name.clone(), kinds })
    });
    all.collect()
}

/// The organisation's list of passwords that may not be chosen.
fn blocklist(configuration: &Configuration) -> Result<Option<Arc<Blocklist>>, InstallationError> {
    let Some(path) = &configuration.blocklist else { return Ok(None) };
    let wrong = |problem: String| InstallationError::Blocklist(path.clone(), problem);
    let length = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if length > MAXIMUM_OCTETS {
        return Err(wrong("the file is larger than any list".to_owned()));
    }
    let octets = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let list = Blocklist::read(&octets).map_err(|error| wrong(error.to_string()))?;
    Ok(Some(Arc::new(list)))
}

/// The built-in schema, and what a folder of files says beside it.
fn schema(posix: PosixSchema, folder: Option<&Path>) -> Result<Schema, InstallationError> {
    let files = folder.map(schema_files::read).transpose()?.unwrap_or_default();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let (schema, left_out) = Schema::installed(posix, &files)?;
    for note in left_out {
        tracing::warn!("schema: {note}");
    }
    Ok(schema)
}

/// What becomes of an index on an attribute that is not defined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unknown {
    MayBeDefinedOnline,
    IsRefused,
}

/// Declared indexes; each must be one that the attribute's matching rules carry.
fn indexes(configuration: &Configuration, schema: &Schema, unknown: Unknown) -> Result<Vec<IndexDeclaration>, InstallationError> {
    let declared = configuration.indexes.iter().map(|index| {
        let wrong = |problem: &str| InstallationError::from(configuration.index_error(index, problem));
        let attribute = schema.attribute_type(&index.attribute);
        if attribute.is_none() && unknown == Unknown::IsRefused {
            return Err(wrong("is no attribute type"));
        }
        let lacks = |rule: fn(&AttributeType) -> bool| attribute.is_some_and(rule);
        let missing = [
            (index.equality && lacks(|it| it.equality.is_none()), "has no equality rule, so eq is not possible"),
            (index.ordering && lacks(|it| it.ordering.is_none()), "has no ordering rule, so ord is not possible"),
            (index.substring && lacks(|it| it.substring.is_none()), "has no substring rule, so sub is not possible"),
        ];
        if let Some((_, problem)) = missing.into_iter().find(|(wrong, _)| *wrong) {
            return Err(wrong(problem));
        }
        let kinds = IndexKinds {
            equality: index.equality,
            presence: index.presence,
            ordering: index.ordering,
            substring: index.substring,
        };
        Ok(IndexDeclaration { attribute: index.attribute.clone(), kinds })
    });
    declared.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_files_are_read_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("20-ward.schema", "attributetype ( 1.3.6.1.4.1.99999.1.1 NAME 'ward' SUP hall )\n");
        write("10-hall.ldif", "attributeTypes: ( 1.3.6.1.4.1.99999.1.2 NAME 'hall' SUP name )\n");
        write("notes.txt", "no schema at all");
        let found = schema(PosixSchema::default(), Some(folder.path())).unwrap();
        let number = |name: &str| found.attribute_type(name).unwrap().id;
        assert!(number("hall") < number("ward"));
        write("30-bad.ldif", "attributeTypes: ( 1.3.6.1.4.1.99999.1.3 NAME 'bad' )\n");
        let problem = schema(PosixSchema::default(), Some(folder.path())).err().unwrap().to_string();
        assert!(problem.contains("30-bad.ldif: line 1"), "{problem}");
        let missing = schema(PosixSchema::default(), Some(&folder.path().join("nowhere"))).err().unwrap().to_string();
        assert!(missing.contains("nowhere") && missing.contains("check schema in bindery.toml"), "{missing}");
    }
}
