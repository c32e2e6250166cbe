//! A value on its way through the encoding modifiers: tokens or bytes in, tokens out. A value
//! with wildcards is never encoded: it would match something else.

use super::Part;
use super::chain::Transform;
use super::value::{self, Token};

/// A value on its way through the encodings.
pub(crate) enum Encoded {
    Text(Vec<Token>),
    Bytes(Vec<u8>),
}

impl Encoded {
    /// What one transformation makes of the value.
    pub(crate) fn apply(self, transform: Transform) -> Result<Vec<Self>, String> {
        Ok(match transform {
            Transform::Windash => match self {
                Self::Text(mut tokens) => {
                    value::windash(&mut tokens);
                    vec![Self::Text(tokens)]
                }
                Self::Bytes(_) => return Err("windash must stand before encodings".to_owned()),
            },
            Transform::Position(part) => {
                let mut tokens = self.into_tokens()?;
                if matches!(part, Part::Contains | Part::End) {
                    tokens.insert(0, Token::Star);
                }
                if matches!(part, Part::Contains | Part::Start) {
                    tokens.push(Token::Star);
                }
                vec![Self::Text(tokens)]
            }
            Transform::Utf16(order) => match self {
                Self::Text(tokens) => {
                    let text = value::plain(&tokens).ok_or_else(no_wildcards)?;
                    vec![Self::Bytes(value::utf16(&text, order))]
                }
                Self::Bytes(_) => {
                    return Err("only one of the utf16 modifiers can be used".to_owned());
                }
            },
            Transform::Base64 => {
                vec![Self::Text(value::literal(&value::base64(&self.into_bytes()?)))]
            }
            Transform::Base64Offset => {
                let bytes = self.into_bytes()?;
                let offsets = value::base64_offsets(&bytes)
                    .ok_or("the value is too short for base64offset")?;
                offsets.iter().map(|text| Self::Text(value::literal(text))).collect()
            }
        })
    }

    fn into_bytes(self) -> Result<Vec<u8>, String> {
        match self {
            Self::Text(tokens) => {
                value::plain(&tokens).map(String::into_bytes).ok_or_else(no_wildcards)
            }
            Self::Bytes(bytes) => Ok(bytes),
        }
    }

    /// The pattern it has become.
    pub(crate) fn into_tokens(self) -> Result<Vec<Token>, String> {
        match self {
            Self::Text(tokens) => Ok(tokens),
            Self::Bytes(bytes) => String::from_utf8(bytes)
                .map(|text| value::literal(&text))
                .map_err(|_| "utf16 of this value is no text; put base64 after it".to_owned()),
        }
    }
}

fn no_wildcards() -> String {
    "a value with wildcards cannot be encoded; write \\* or \\? for the characters".to_owned()
}
