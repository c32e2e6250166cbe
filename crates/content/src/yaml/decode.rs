//! [`Node`] tree → serde types, with the place of what does not fit.

use std::fmt;

use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use super::{Key, Kind, Node, Place, YamlError, nearest};

impl Node {
    /// Into a serde type. Unknown keys (with `deny_unknown_fields`), missing keys and wrong
    /// types are errors at their place, unknown keys with the nearest known one.
    pub fn decode<'de, T: de::Deserialize<'de>>(&'de self) -> Result<T, YamlError> {
        T::deserialize(De(self)).map_err(|error| YamlError {
            place: error.place.unwrap_or(self.place),
            message: error.message,
        })
    }
}

#[derive(Debug)]
struct DeError {
    place: Option<Place>,
    message: String,
}

impl DeError {
    fn or_at(mut self, place: Place) -> Self {
        self.place.get_or_insert(place);
        self
    }
}

impl fmt::Display for DeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DeError {}

impl de::Error for DeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { place: None, message: message.to_string() }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(match nearest(field, expected.iter().copied()) {
            Some(known) => format!("unknown key {field:?}, did you mean {known:?}?"),
            None => format!("unknown key {field:?}, use one of {}", expected.join(", ")),
        })
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(match nearest(variant, expected.iter().copied()) {
            Some(known) => format!("unknown value {variant:?}, did you mean {known:?}?"),
            None => format!("unknown value {variant:?}, use one of {}", expected.join(", ")),
        })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format!("key {field:?} is missing"))
    }
}

struct De<'n>(&'n Node);

impl<'n> De<'n> {
    fn scalar<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError>
    where
        'n: 'de,
    {
        let node = self.0;
        let result = match &node.kind {
            Kind::Scalar { .. } if node.is_null() => visitor.visit_unit(),
            Kind::Scalar { text, .. } => {
                if let Some(flag) = node.as_bool() {
                    visitor.visit_bool(flag)
                } else if let Some(number) = node.as_int() {
                    match (i64::try_from(number), u64::try_from(number)) {
                        (_, Ok(number)) => visitor.visit_u64(number),
                        (Ok(number), _) => visitor.visit_i64(number),
                        _ => visitor.visit_str(text),
                    }
                } else if let Some(number) = node.as_float() {
                    visitor.visit_f64(number)
                } else {
                    visitor.visit_borrowed_str(text)
                }
            }
            Kind::Seq(items) => {
                visitor.visit_seq(de::value::SeqDeserializer::new(items.iter().map(De)))
            }
            Kind::Map(entries) => visitor.visit_map(MapAccess { entries, at: 0 }),
        };
        result.map_err(|error: DeError| error.or_at(node.place))
    }
}

impl<'de> IntoDeserializer<'de, DeError> for De<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> de::Deserializer<'de> for De<'de> {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.scalar(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        let place = self.0.place;
        match &self.0.kind {
            Kind::Scalar { text, .. } if !self.0.is_null() => {
                visitor.visit_borrowed_str(text).map_err(|error: DeError| error.or_at(place))
            }
            _ => {
                let message = format!("expected text, found {}", self.0.describe());
                Err(DeError { place: Some(place), message })
            }
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        // An empty section (`syslog:` and nothing under it) means all its defaults.
        if self.0.is_null() {
            return visitor.visit_map(MapAccess { entries: &[], at: 0 });
        }
        self.scalar(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        let place = self.0.place;
        let result = match &self.0.kind {
            Kind::Scalar { text, .. } => visitor.visit_enum(text.as_str().into_deserializer()),
            Kind::Map(entries) if entries.len() == 1 => visitor
                .visit_enum(de::value::MapAccessDeserializer::new(MapAccess { entries, at: 0 })),
            _ => Err(de::Error::custom(format!("expected a word, found {}", self.0.describe()))),
        };
        result.map_err(|error: DeError| error.or_at(place))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char
        bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

struct MapAccess<'n> {
    entries: &'n [(Key, Node)],
    at: usize,
}

impl<'de> de::MapAccess<'de> for MapAccess<'de> {
    type Error = DeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DeError> {
        let Some((key, _)) = self.entries.get(self.at) else { return Ok(None) };
        let text = de::value::BorrowedStrDeserializer::new(&key.text);
        seed.deserialize(text).map(Some).map_err(|error: DeError| error.or_at(key.place))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, DeError> {
        let (_, node) = &self.entries[self.at];
        self.at += 1;
        seed.deserialize(De(node)).map_err(|error| error.or_at(node.place))
    }
}
