//! One installation as the program finds it: checked configuration, seal key, schema, the machine's clock and randomness.

use std::path::Path;
use std::sync::Arc;

use super::world::{SystemClock, SystemEntropy};
use crate::config::{Configuration, ConfigurationError};
use crate::directory::{IndexDeclaration, IndexKinds};
use crate::model::schema::{Schema, SchemaError};
use crate::model::{Secret, Timestamp};
use crate::operation::Settings;
use crate::store::StoreOptions;
use crate::store::disk::RealDisk;
use crate::world::{Clock, Entropy};

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
}

impl Installation {
    /// Reads what `bindery.toml` and the files it names say.
    pub fn load(path: &Path) -> Result<Installation, InstallationError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::new());
        let configuration = Configuration::load(path, clock.now())?;
        let seal_key = configuration.seal_key.read()?;
        let schema = Arc::new(Schema::embedded()?);
        let installation = Installation { configuration, schema, clock, entropy, seal_key };
        indexes(&installation.configuration, &installation.schema)?;
        Ok(installation)
    }

    /// Reads the configuration anew, for a reload; schema, key, clock and randomness stay.
    pub fn reload(&self) -> Result<(Configuration, Settings), InstallationError> {
        let configuration = Configuration::load(&self.configuration.file, self.clock.now())?;
        // They change with a restart only, but what would fail then is refused now.
        indexes(&configuration, &self.schema)?;
        let settings = configuration.settings(&self.seal_key);
        Ok((configuration, settings))
    }

    /// Settings for operations.
    pub fn settings(&self) -> Settings {
        self.configuration.settings(&self.seal_key)
    }

    /// What opening the data folder needs.
    pub fn store_options(&self) -> Result<StoreOptions, InstallationError> {
        Ok(StoreOptions { indexes: indexes(&self.configuration, &self.schema)?, ..self.store_options_without_indexes() })
    }

    /// The same for who will not search.
    pub fn store_options_without_indexes(&self) -> StoreOptions {
        StoreOptions {
            data: self.configuration.data.clone(),
            seal_key: self.seal_key.clone(),
            schema: Arc::clone(&self.schema),
            suffix: self.configuration.suffix.clone(),
            indexes: Vec::new(),
            disk: Arc::new(RealDisk),
            entropy: Arc::clone(&self.entropy),
            clock: Arc::clone(&self.clock),
        }
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

/// Declared indexes, resolved; each must be one that the attribute's matching rules carry.
fn indexes(configuration: &Configuration, schema: &Schema) -> Result<Vec<IndexDeclaration>, InstallationError> {
    let declared = configuration.indexes.iter().map(|index| {
        let wrong = |problem: &str| InstallationError::from(configuration.index_error(index, problem));
        let attribute = schema.attribute_type(&index.attribute).ok_or_else(|| wrong("is no attribute type"))?;
        let missing = [
            (index.equality && attribute.equality.is_none(), "has no equality rule, so eq is not possible"),
            (index.ordering && attribute.ordering.is_none(), "has no ordering rule, so ord is not possible"),
            (index.substring && attribute.substring.is_none(), "has no substring rule, so sub is not possible"),
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
