//! The source definition as written in `content/<pack>/sources/<name>/source.yml`: a closed list
//! of keys, all listed here. The order in which they work is fixed: `decode`, `messages`,
//! `fields`, `time`, `lookup`, `when`, then `set` for what is still missing.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The most lines a definition may have.
pub const DEFINITION_LINES_MAX: usize = 150;

/// One source: how to know its records and how to read them into ECS fields.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// One line about it, for people.
    pub about: String,
    /// What to switch on at the vendor, for the generated documentation.
    #[serde(default)]
    pub setup: String,
    /// Words that senders and configuration may use for it (`auth`, `nginx`, …).
    #[serde(default)]
    pub hints: Vec<String>,
    /// Where its log usually is; globs.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Where several sources match, the lowest wins; 50 unless said.
    #[serde(default = "default_order")]
    pub order: u32,
    /// The records it reads: any of these. Without one it is read only when asked for by name.
    #[serde(default, rename = "match")]
    pub matches: Vec<Match>,
    /// How the body is taken apart into raw fields.
    #[serde(default)]
    pub decode: Option<Decode>,
    /// Named groups of constants for `use`.
    #[serde(default)]
    pub groups: BTreeMap<String, Constants>,
    /// Kinds of messages, tried in order; the first that fits is taken.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// ECS field: the raw field it is read from, or several of which the first present counts.
    #[serde(default)]
    pub fields: BTreeMap<String, Words>,
    /// Raw fields that hold the time; the first that can be read counts. `field|utc` is UTC when
    /// it names no zone.
    #[serde(default)]
    pub time: Words,
    /// Tables that translate one field's value into another's.
    #[serde(default)]
    pub lookup: Vec<Lookup>,
    /// What more is known when fields hold certain values; each is looked at, in order.
    #[serde(default)]
    pub when: Vec<When>,
    /// Constants for fields that nothing else has set.
    #[serde(default)]
    pub set: Constants,
}

fn default_order() -> u32 {
    50
}

/// Field → constant.
pub type Constants = BTreeMap<String, Constant>;

/// One text or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Words {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Default for Words {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Words {
    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// A constant: text, number, boolean, nothing or a list.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum Constant {
    /// true or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Constant>),
    /// Nothing: in `when.if`, the field is absent; in `set`, it is removed.
    Nothing(()),
}

/// By hand: sources have thousands of them, and trying one kind after the other takes its time.
impl<'de> Deserialize<'de> for Constant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyConstant)
    }
}

struct AnyConstant;

impl<'de> Visitor<'de> for AnyConstant {
    type Value = Constant;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true, false, nothing or a list of them")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Constant, E> {
        Ok(Constant::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Constant, E> {
        Ok(Constant::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Constant, E> {
        Ok(i64::try_from(value).map_or(Constant::Float(value as f64), Constant::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Constant, E> {
        Ok(Constant::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Constant, E> {
        Ok(Constant::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Constant, E> {
        Ok(Constant::Text(value))
    }

    fn visit_unit<E>(self) -> Result<Constant, E> {
        Ok(Constant::Nothing(()))
    }

    fn visit_none<E>(self) -> Result<Constant, E> {
        Ok(Constant::Nothing(()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Constant, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Constant::List(list))
    }
}

/// Conditions on a record; all that are given must hold.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Name of the program in the frame, any of these; `*` at one end stands for anything.
    #[serde(default)]
    pub program: Words,
    /// Text the body begins with, any of these.
    #[serde(default)]
    pub prefix: Words,
    /// Text the body holds, any of these.
    #[serde(default)]
    pub contains: Words,
    /// Pattern the whole body fits, any of these.
    #[serde(default)]
    pub line: Words,
    /// Keys a JSON body has (`a|b`: one of them), with their value, `*` for any.
    #[serde(default)]
    pub json: BTreeMap<String, Constant>,
    /// Path or input name the record came by, any of these globs.
    #[serde(default)]
    pub path: Words,
    /// Hint the record came with, any of these words.
    #[serde(default)]
    pub hint: Words,
    /// `false`: only bodies that stand in no frame. `true`: only those in one.
    #[serde(default)]
    pub framed: Option<bool>,
    /// Only bodies that fit one of `messages`.
    #[serde(default)]
    pub fits: bool,
    /// What no other source reads: of JSON, or of any syslog frame.
    #[serde(default)]
    pub rest_of: Option<Rest>,
}

/// A kind of record that some source must read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// JSON objects.
    Json,
    /// Lines in a syslog frame.
    Syslog,
}

/// How a body is taken apart.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decode {
    /// A JSON object.
    Json,
    /// Pairs of key and value.
    Kv(Kv),
    /// Columns.
    Csv(Csv),
    /// Common Event Format.
    Cef,
    /// Log Event Extended Format.
    Leef,
    /// A record of the Linux audit system.
    Audit,
    /// A Windows event as XML.
    WindowsXml,
}

/// Pairs of key and value.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kv {
    /// What stands between pairs, one character; a blank unless said.
    #[serde(default)]
    pub pair: String,
    /// What stands between key and value; `=` unless said.
    #[serde(default)]
    pub assign: String,
    /// Field to take apart instead of the body (then after `messages`).
    #[serde(default)]
    pub from: String,
    /// Name put before the raw fields' names.
    #[serde(default)]
    pub under: String,
    /// Keep only what `fields` reads.
    #[serde(default)]
    pub drop_raw: bool,
}

/// Columns.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Csv {
    /// Names of the columns in order; `-` for one that is left out.
    pub columns: Vec<String>,
    /// What a line begins with that names the columns of those after it in the same input; without
    /// a `#` it is the first column's name itself.
    #[serde(default)]
    pub header: String,
    /// What stands between columns, one character; `,` unless said.
    #[serde(default)]
    pub separator: String,
    /// Field to take apart instead of the body (then after `messages`).
    #[serde(default)]
    pub from: String,
    /// Name put before the raw fields' names.
    #[serde(default)]
    pub under: String,
    /// Keep only what `fields` reads.
    #[serde(default)]
    pub drop_raw: bool,
}

/// A kind of message.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Patterns, any of which fits the whole text.
    pub grok: Words,
    /// Field to look at instead of the body.
    #[serde(default)]
    pub on: String,
    /// Groups of constants to set.
    #[serde(default, rename = "use")]
    pub uses: Words,
    /// Constants to set.
    #[serde(default)]
    pub set: Constants,
}

/// A table from one field's value to another's.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// Field whose value is looked up.
    pub from: String,
    /// Field that gets what the table says.
    pub to: String,
    /// Value → constant; compared without case.
    pub table: BTreeMap<String, Constant>,
    /// What `to` gets when the table does not know the value.
    #[serde(default)]
    pub default: Option<Constant>,
}

/// What more is known under a condition.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Field → value, list of values, text with `*` for anything (alone: present), or nothing
    /// (absent). All must hold; text is compared without case.
    #[serde(rename = "if")]
    pub condition: Constants,
    /// Groups of constants to set.
    #[serde(default, rename = "use")]
    pub uses: Words,
    /// Constants to set.
    #[serde(default)]
    pub set: Constants,
    /// Field → field it is copied from, replacing what it held.
    #[serde(default)]
    pub copy: BTreeMap<String, Words>,
    /// Field → patterns its whole text may fit, whose captures are set.
    #[serde(default)]
    pub grok: BTreeMap<String, Words>,
}

/// The JSON Schema of a `source.yml`, for editors.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Definition).into()
}
