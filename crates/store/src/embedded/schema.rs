//! The index schema: a typed field for every field of the dictionary, one dynamic JSON field for
//! all other names, and a few of the store's own.
//!
//! Every value is indexed once, in the way its questions need. Texts are in columns, whose
//! dictionaries answer what has which value
//! ([`TermsQuery`](crate::embedded::terms::TermsQuery)); a few that people look for by themselves,
//! addresses, and the words of lines and messages have postings.

use std::collections::HashMap;
use std::sync::LazyLock;

use tantivy::schema::{
    BytesOptions, DateOptions, DateTimePrecision, Field, FieldType, IndexRecordOption,
    IpAddrOptions, JsonObjectOptions, NumericOptions, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{RawTokenizer, TextAnalyzer, TokenizerManager};
use tantivy::{Index, IndexSettings};
use tocsin_model::field::{DICTIONARY, FieldKind};

use crate::embedded::tokens::WordTokenizer;
use crate::test::{Class, class_of};

/// The stored form of the event.
const SOURCE: &str = "_source";
/// Identity: stream and offset.
pub(crate) const STREAM: &str = "_stream";
pub(crate) const OFFSET: &str = "_offset";
/// Names of the fields that the event has.
const NAMES: &str = "_fields";
/// Words of the raw line, without those of a message that ends it.
const LINE: &str = "_line";
/// Everything that the dictionary does not know.
const DYNAMIC: &str = "_dynamic";
/// Those of its values that are no texts: columns do not tell `1` from `1.0`.
const NUMBERS: &str = "_numbers";
pub(crate) const INGESTED: &str = "event.ingested";
pub(crate) const TIMESTAMP: &str = "@timestamp";

/// Tokenizer that gives one token, the whole value.
const RAW: &str = "tocsin_raw";
/// Columns take whole values without any tokenizer under this name alone.
const COLUMN: &str = "raw";
/// Tokenizer that gives words.
const WORDS: &str = "tocsin_words";

/// Bytes of stored events that are compressed together.
const STORED_BLOCK_BYTES: usize = 64 * 1024;
/// zstd level of stored events.
const STORED_ZSTD_LEVEL: i32 = 3;

/// The fields of one index.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    pub source: Field,
    pub stream: Field,
    pub offset: Field,
    pub names: Field,
    pub line: Field,
    pub dynamic: Field,
    /// Indexes of before have none: there the dynamic field has postings.
    pub numbers: Option<Field>,
    pub ingested: Field,
    pub timestamp: Field,
    typed: HashMap<String, Field>,
    /// Names by the numbers of the fields.
    by_number: Vec<String>,
    fast: Vec<bool>,
    indexed: Vec<bool>,
}

impl Fields {
    /// Finds the fields of an index that may have been made by another version; `None` when one
    /// of the store's own is missing.
    pub(crate) fn of(schema: &Schema) -> Option<Self> {
        let field = |name| schema.get_field(name).ok();
        let mut typed = HashMap::new();
        let (mut fast, mut indexed, mut by_number) = (Vec::new(), Vec::new(), Vec::new());
        for (field, entry) in schema.fields() {
            by_number.push(entry.name().to_owned());
            fast.push(entry.is_fast());
            indexed.push(entry.is_indexed());
            if !entry.name().starts_with('_') {
                typed.insert(entry.name().to_owned(), field);
            }
        }
        Some(Self {
            source: field(SOURCE)?,
            stream: field(STREAM)?,
            offset: field(OFFSET)?,
            names: field(NAMES)?,
            line: field(LINE)?,
            dynamic: field(DYNAMIC)?,
            numbers: field(NUMBERS),
            ingested: field(INGESTED)?,
            timestamp: field(TIMESTAMP)?,
            typed,
            by_number,
            fast,
            indexed,
        })
    }

    /// The name of the field with this number.
    pub(crate) fn name(&self, number: usize) -> Option<&str> {
        self.by_number.get(number).map(String::as_str)
    }

    /// The typed field of this name.
    pub(crate) fn typed(&self, name: &str) -> Option<Field> {
        self.typed.get(name).copied()
    }

    /// Whether the field has a column.
    pub(crate) fn is_fast(&self, field: Field) -> bool {
        self.fast.get(field.field_id() as usize).copied().unwrap_or(false)
    }

    /// Whether the field has postings.
    pub(crate) fn is_indexed(&self, field: Field) -> bool {
        self.indexed.get(field.field_id() as usize).copied().unwrap_or(false)
    }

    /// Names of the typed fields that have a column.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        let all = self.typed.iter().filter(|(_, field)| self.is_fast(**field));
        all.map(|(name, _)| name.as_str())
    }

    /// How a field of this index compares: a name that the dictionary learned after the index
    /// was made is still dynamic here.
    pub(crate) fn class_of(&self, name: &str) -> Class {
        match class_of(name) {
            Class::Dynamic | Class::Keyword | Class::Long | Class::Ip | Class::Date
                if self.typed(name).is_none() =>
            {
                Class::Dynamic
            }
            class => class,
        }
    }
}

/// The column of a field that the dictionary does not know.
pub(crate) fn dynamic_column(name: &str) -> String {
    format!("{DYNAMIC}.{}", name.replace('\\', "\\\\"))
}

/// The schema of indexes made now.
pub(crate) fn schema() -> Schema {
    let mut builder = Schema::builder();
    builder.add_bytes_field(SOURCE, BytesOptions::default().set_stored());
    let column = NumericOptions::default().set_fast();
    builder.add_u64_field(STREAM, column.clone());
    builder.add_u64_field(OFFSET, column.clone());
    builder.add_text_field(NAMES, TextOptions::default().set_indexing_options(whole()));
    builder.add_text_field(LINE, text());
    let dynamic = JsonObjectOptions::default().set_expand_dots_enabled();
    builder.add_json_field(DYNAMIC, dynamic.clone().set_fast(COLUMN));
    builder.add_json_field(NUMBERS, dynamic.set_indexing_options(whole()));
    let date = DateOptions::default().set_fast().set_precision(DateTimePrecision::Nanoseconds);
    builder.add_date_field(INGESTED, date.clone());
    for spec in DICTIONARY {
        match spec.kind {
            FieldKind::Keyword | FieldKind::Object | FieldKind::Wildcard | FieldKind::Flattened => {
                builder.add_text_field(spec.name, keyword(LOOKED_FOR.contains(&spec.name)))
            }
            FieldKind::Text => builder.add_text_field(spec.name, text()),
            FieldKind::Long => builder.add_i64_field(spec.name, column.clone()),
            FieldKind::Ip => {
                let ip = IpAddrOptions::default().set_indexed().set_fast();
                builder.add_ip_addr_field(spec.name, ip)
            }
            FieldKind::Date => builder.add_date_field(spec.name, date.clone()),
        };
    }
    builder.build()
}

/// The same fields with their columns alone: for what is only sorted and counted.
pub(crate) fn columns_only() -> Schema {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
        let mut builder = Schema::builder();
        for (_, entry) in schema().fields() {
            let (name, fast) = (entry.name(), entry.is_fast());
            let column = NumericOptions::default();
            let column = if fast { column.set_fast() } else { column };
            match entry.field_type() {
                FieldType::U64(_) => builder.add_u64_field(name, column),
                FieldType::I64(_) => builder.add_i64_field(name, column),
                FieldType::Date(options) => builder.add_date_field(name, options.clone()),
                FieldType::IpAddr(_) => {
                    builder.add_ip_addr_field(name, IpAddrOptions::default().set_fast())
                }
                FieldType::JsonObject(_) => {
                    let dynamic = JsonObjectOptions::default();
                    builder.add_json_field(name, dynamic.set_fast(COLUMN).set_expand_dots_enabled())
                }
                FieldType::Str(_) if fast => {
                    builder.add_text_field(name, TextOptions::default().set_fast(COLUMN))
                }
                FieldType::Str(_) => builder.add_text_field(name, TextOptions::default()),
                _ => builder.add_bytes_field(name, BytesOptions::default()),
            };
        }
        builder.build()
    });
    SCHEMA.clone()
}

/// The fields of indexes made now.
pub(crate) fn current_fields() -> Option<&'static Fields> {
    static FIELDS: LazyLock<Option<Fields>> = LazyLock::new(|| Fields::of(&schema()));
    FIELDS.as_ref()
}

/// Texts that people look for by themselves, in months of events: who, which name, which file.
/// Postings find these at once; their columns would be gone through value by value.
const LOOKED_FOR: [&str; 21] = [
    "user.name",
    "user.id",
    "user.email",
    "user.effective.name",
    "user.target.name",
    "related.user",
    "related.hosts",
    "related.hash",
    "source.domain",
    "destination.domain",
    "url.domain",
    "dns.question.name",
    "file.name",
    "file.hash.md5",
    "file.hash.sha1",
    "file.hash.sha256",
    "process.hash.md5",
    "process.hash.sha1",
    "process.hash.sha256",
    "email.from.address",
    "email.to.address",
];

/// The whole value is one key.
fn whole() -> TextFieldIndexing {
    TextFieldIndexing::default()
        .set_tokenizer(RAW)
        .set_index_option(IndexRecordOption::Basic)
        .set_fieldnorms(false)
}

fn keyword(has_postings: bool) -> TextOptions {
    let options = TextOptions::default().set_fast(COLUMN);
    if has_postings { options.set_indexing_options(whole()) } else { options }
}

fn text() -> TextOptions {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(WORDS)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions)
        .set_fieldnorms(false);
    TextOptions::default().set_indexing_options(indexing)
}

/// How indexes made now are laid out.
pub(crate) fn settings() -> IndexSettings {
    IndexSettings {
        docstore_compression: tantivy::store::Compressor::Zstd(tantivy::store::ZstdCompressor {
            compression_level: Some(STORED_ZSTD_LEVEL),
        }),
        docstore_compress_dedicated_thread: false,
        docstore_blocksize: STORED_BLOCK_BYTES,
        ..IndexSettings::default()
    }
}

/// The tokenizers that the schema names.
pub(crate) fn tokenizers() -> TokenizerManager {
    let manager = TokenizerManager::default();
    manager.register(RAW, TextAnalyzer::from(RawTokenizer::default()));
    manager.register(WORDS, TextAnalyzer::from(WordTokenizer::default()));
    manager
}

/// Gives an opened index its tokenizers.
pub(crate) fn prepare(index: &mut Index) {
    index.set_tokenizers(tokenizers());
    index.set_fast_field_tokenizers(tokenizers());
}

/// The word that `fields` says for a field.
pub(crate) fn kind_word(schema: &Schema, fields: &Fields, name: &str) -> &'static str {
    let Some(field) = fields.typed(name) else {
        return if name == "event.original" { "text" } else { "dynamic" };
    };
    let of_dictionary = DICTIONARY.iter().find(|spec| spec.name == name).map(|spec| spec.kind);
    match (schema.get_field_entry(field).field_type(), of_dictionary) {
        (_, Some(FieldKind::Wildcard)) => "wildcard",
        (_, Some(FieldKind::Flattened)) => "flattened",
        (_, Some(FieldKind::Object)) => "object",
        (_, Some(FieldKind::Text)) => "text",
        (FieldType::I64(_), _) => "long",
        (FieldType::IpAddr(_), _) => "ip",
        (FieldType::Date(_), _) => "date",
        _ => "keyword",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_look_for_is_in_the_dictionary() {
        for name in LOOKED_FOR {
            let known = DICTIONARY.iter().find(|spec| spec.name == name).map(|spec| spec.kind);
            assert_eq!(known, Some(FieldKind::Keyword), "{name}");
        }
    }
}
