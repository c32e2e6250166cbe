//! [`Secret`]: text that is used but never shown.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};

use crate::error::NotifyError;

/// What is shown in place of a secret.
pub const MASK: &str = "********";
/// The largest secret read from a file, in bytes.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// A password, token or address that contains one. Prints and serializes as [`MASK`].
#[derive(Clone, PartialEq, Eq)]
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
    let file = File::open(path).map_err(|error| fail(error.to_string()))?;
    let mut text = String::new();
    let read = file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text);
    let size = read.map_err(|error| fail(error.to_string()))?;
    if size as u64 > SECRET_BYTES_MAX {
        return Err(fail(format!("it is larger than {SECRET_BYTES_MAX} bytes")));
    }
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

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

/// Takes text, and refuses anything else without repeating it, as the usual errors would.
struct SecretVisitor;

const NOT_TEXT: &str = "a secret has to be text: put it in quotes";

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text in quotes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::new(text))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Secret, E> {
        Err(E::custom(NOT_TEXT))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Secret, E> {
        Err(E::custom(NOT_TEXT))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Secret, E> {
        Err(E::custom(NOT_TEXT))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Secret, E> {
        Err(E::custom(NOT_TEXT))
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
    fn what_is_no_text_is_refused_without_repeating_it() {
        for json in ["90125", "-90125", "90125.5", "[\"90125\"]", "{\"90125\":1}"] {
            let error = serde_json::from_str::<Secret>(json).unwrap_err().to_string();
            assert!(!error.contains("90125") && error.contains("quotes"), "{error}");
        }
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
