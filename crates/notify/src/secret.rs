//! [`Secret`]: text that is used but never shown.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use crate::error::NotifyError;

/// What is shown in place of a secret.
pub const MASK: &str = "********";
/// The largest secret read from a file, in bytes.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// A password, token or address that contains one. Prints and serializes as [`MASK`].
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Must not reach a log or an error.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The secret that one of three keys gives: inline, the name of a file (its text without the
    /// line end), or the name of an environment variable. `key` is the inline key's name for
    /// errors.
    pub fn resolve(
        key: &str,
        inline: Option<&Secret>,
        file: Option<&PathBuf>,
        variable: Option<&str>,
    ) -> Result<Option<Secret>, NotifyError> {
        let given = usize::from(inline.is_some())
            + usize::from(file.is_some())
            + usize::from(variable.is_some());
        if given > 1 {
            let message = format!("give only one of {key}, {key}_file and {key}_env");
            return Err(NotifyError::Config(message));
        }
        if let Some(path) = file {
            return read(key, path).map(Some);
        }
        if let Some(variable) = variable {
            return match std::env::var(variable) {
                Ok(text) if !text.is_empty() => Ok(Some(Secret(text))),
                _ => Err(NotifyError::Config(format!(
                    "{key}_env names the environment variable {variable}, which is not set"
                ))),
            };
        }
        Ok(inline.cloned())
    }
}

fn read(key: &str, path: &Path) -> Result<Secret, NotifyError> {
    let fail = |why: String| {
        let path = path.display();
        NotifyError::Config(format!("{key}_file: {path} cannot be used: {why}"))
    };
    let size = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?.len();
    if size > SECRET_BYTES_MAX {
        return Err(fail(format!("it is larger than {SECRET_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(fail("it is empty".to_owned()));
    }
    Ok(Secret::new(text))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_never_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), MASK);
        assert_eq!(serde_json::to_string(&secret).unwrap(), format!("\"{MASK}\""));
        assert_eq!(serde_json::from_str::<Secret>("\"hunter2\"").unwrap(), secret);
    }

    #[test]
    fn comes_from_exactly_one_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, " t0ken\r\n").unwrap();
        let found = Secret::resolve("password", None, Some(&file), None).unwrap().unwrap();
        assert_eq!(found.reveal(), " t0ken");
        assert_eq!(Secret::resolve("password", None, None, None).unwrap(), None);

        std::fs::write(&file, "\n").unwrap();
        let missing = dir.path().join("missing");
        let inline = Secret::new("x");
        for (inline, file, variable, word) in [
            (None, Some(&file), None, "password_file: "),
            (None, Some(&missing), None, "missing"),
            (Some(&inline), Some(&file), None, "only one of password, password_file"),
            (None, None, Some("TOCSIN_TEST_NOT_SET"), "TOCSIN_TEST_NOT_SET, which is not set"),
        ] {
            let error = Secret::resolve("password", inline, file, variable).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
