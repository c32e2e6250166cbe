//! Who may send: named senders with a token each.
//!
//! In: `collect.senders` of the configuration. Out: [`Senders`], which finds the sender of a
//! token. Never shows a token, never compares one in a time that tells how much of it is right.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is shown in place of a token.
const MASK: &str = "********";
/// Largest token read from a file, in bytes.
const TOKEN_BYTES_MAX: u64 = 4096;
/// Shortest token that is taken, in bytes: a shorter one is guessed.
const TOKEN_BYTES_MIN: usize = 8;

/// A sender and its token, given by one of the three keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SenderConfig {
    /// The token, at least 8 bytes. Better: `token_file` or `token_env`.
    pub token: Option<Token>,
    /// A file that holds the token.
    pub token_file: Option<PathBuf>,
    /// An environment variable that holds the token.
    pub token_env: Option<String>,
    /// Name of the source that understands what this sender sends (`nginx.access`), or a hint.
    /// Default: found for each event.
    pub source: Option<String>,
}

/// A token. Prints and serializes as a mask.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Of a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Must not reach a log or an error.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(MASK)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // The usual error would repeat the value.
        let text = String::deserialize(from);
        text.map(Self).map_err(|_| serde::de::Error::custom("a token has to be text: quote it"))
    }
}

impl JsonSchema for Token {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Token".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

/// A sender that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSender {
    /// Its name.
    pub name: Arc<str>,
    /// The source its events are read with.
    pub source: Option<Arc<str>>,
}

/// All senders that are known.
#[derive(Debug, Clone, Default)]
pub struct Senders {
    known: Vec<(blake3::Hash, KnownSender)>,
}

impl Senders {
    /// Reads all tokens.
    ///
    /// # Errors
    /// The senders whose token cannot be had, each with the reason.
    pub fn new(config: &BTreeMap<String, SenderConfig>) -> Result<Self, Vec<(String, String)>> {
        let (mut known, mut faults) = (Vec::new(), Vec::new());
        for (name, sender) in config {
            match sender.resolve() {
                Ok(token) => {
                    let hash = blake3::hash(token.as_bytes());
                    if known.iter().any(|(other, _)| *other == hash) {
                        faults.push((name.clone(), "its token is another sender's, too".into()));
                    }
                    let source = sender.source.as_deref().map(Arc::from);
                    known.push((hash, KnownSender { name: Arc::from(name.as_str()), source }));
                }
                Err(fault) => faults.push((name.clone(), fault)),
            }
        }
        if faults.is_empty() { Ok(Self { known }) } else { Err(faults) }
    }

    /// True when no sender is named: then everybody who reaches a listener may send.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The sender whose token this is.
    pub fn of_token(&self, token: &str) -> Option<&KnownSender> {
        let hash = blake3::hash(token.as_bytes());
        // Hashes are compared in constant time.
        self.known.iter().find(|(known, _)| *known == hash).map(|(_, sender)| sender)
    }
}

impl SenderConfig {
    fn resolve(&self) -> Result<String, String> {
        let token = match (&self.token, &self.token_file, &self.token_env) {
            (Some(token), None, None) => token.reveal().to_owned(),
            (None, Some(path), None) => read("token_file", path)?,
            (None, None, Some(variable)) => std::env::var(variable)
                .map_err(|_| format!("token_env: the variable {variable} is not set"))?,
            _ => return Err("give one of token, token_file and token_env".to_owned()),
        };
        if token.len() < TOKEN_BYTES_MIN {
            return Err(format!("token: shorter than {TOKEN_BYTES_MIN} bytes is guessed too soon"));
        }
        Ok(token)
    }
}

/// A secret of a file, without the line end.
pub(crate) fn read(key: &str, path: &Path) -> Result<String, String> {
    let fail = |why: String| format!("{key}: {} cannot be used: {why}", path.display());
    let size = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?.len();
    if size > TOKEN_BYTES_MAX {
        return Err(fail(format!("it is larger than {TOKEN_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_name_their_senders_and_are_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "secret-of-b\n").unwrap();
        let a = SenderConfig {
            token: Some(Token::new("secret-of-a")),
            source: Some("nginx.access".into()),
            ..SenderConfig::default()
        };
        let b = SenderConfig { token_file: Some(file), ..SenderConfig::default() };
        assert!(!format!("{a:?}{}", serde_json::to_string(&a).unwrap()).contains("secret"));
        let mut config = BTreeMap::from([("a".to_owned(), a.clone()), ("b".to_owned(), b)]);
        let senders = Senders::new(&config).unwrap();
        let name = |token: &str| senders.of_token(token).map(|sender| sender.name.to_string());
        assert_eq!(name("secret-of-a").as_deref(), Some("a"));
        assert_eq!(name("secret-of-b").as_deref(), Some("b"));
        assert_eq!((name("secret"), name("")), (None, None));
        let source = &senders.of_token("secret-of-a").unwrap().source;
        assert_eq!(source.as_deref(), Some("nginx.access"));
        let short = SenderConfig { token: Some(Token::new("x")), ..SenderConfig::default() };
        config.extend([
            ("c".into(), SenderConfig::default()),
            ("d".into(), short),
            ("e".into(), a),
        ]);
        let faults = Senders::new(&config).unwrap_err();
        let names: Vec<_> = faults.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["c", "d", "e"], "{faults:?}");
    }
}
