//! Stored events → one Parquet file, packed with zstd: for DuckDB, Spark, pandas and others.
//!
//! A column for every field of the dictionary that stored events have (numbers as numbers, a list
//! of several values as JSON), the raw line, and `_rest`: as JSON what the dictionary does not know
//! or what is no number where one belongs. Times to the microsecond. Oldest first.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use tocsin_model::field::{DICTIONARY, FieldKind};
use tocsin_model::{Event, FieldId, Timestamp, Value};
use tocsin_store::{EventStore, ScanRequest};

use crate::backtest::Watch;

/// Events that are written together.
const GROUP_EVENTS: usize = 65_536;
/// zstd level: files are written once and kept.
const ZSTD_LEVEL: i32 = 9;

/// Writes every event that matches to the new file `target`; how many.
///
/// # Errors
/// When the store cannot be read or the file cannot be written.
pub fn export(
    store: &dyn EventStore,
    request: &ScanRequest,
    target: &Path,
    watch: &Watch,
) -> Result<u64, String> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", target.display());
    let fields = store.fields().map_err(|error| error.to_string())?;
    let known = |name: &str| fields.iter().any(|field| field.name == name);
    let mut table = Table::new(&known).map_err(|error| named(&error))?;
    let file = File::options().write(true).create_new(true).open(target);
    let file = file.map_err(|error| named(&error))?;
    let level = ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default();
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    let mut writer = SerializedFileWriter::new(file, table.schema.clone(), Arc::new(properties))
        .map_err(|error| named(&error))?;
    let mut failed = None;
    let written = store.scan(request, &mut |scanned| {
        for event in scanned.events {
            table.add(event);
            if table.rows >= GROUP_EVENTS
                && let Err(error) = table.write(&mut writer)
            {
                failed = Some(error);
                return ControlFlow::Break(());
            }
        }
        watch.done.store(scanned.done, Ordering::Relaxed);
        watch.total.store(scanned.total, Ordering::Relaxed);
        match watch.cancel.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    let written = written.map_err(|error| error.to_string())?;
    let done = failed.map_or(Ok(()), Err).and_then(|()| table.write(&mut writer));
    done.and_then(|()| writer.close().map(|_| ())).map_err(|error| named(&error))?;
    Ok(written)
}

/// Values of one column, those that are there, and where they are.
struct Column {
    name: String,
    take: Take,
    texts: Vec<ByteArray>,
    numbers: Vec<i64>,
    levels: Vec<i16>,
}

/// What a column takes of an event.
enum Take {
    Time,
    Received,
    Id,
    Original,
    Rest,
    Text(FieldId),
    Number(FieldId),
}

/// The rows that wait to be written.
struct Table {
    schema: Arc<Type>,
    columns: Vec<Column>,
    rows: usize,
}

impl Table {
    fn new(known: &dyn Fn(&str) -> bool) -> Result<Self, ParquetError> {
        let mut takes = vec![
            ("@timestamp", Take::Time),
            ("event.id", Take::Id),
            ("event.ingested", Take::Received),
        ];
        for spec in DICTIONARY.iter().filter(|spec| known(spec.name)) {
            let own = ["@timestamp", "event.id", "event.ingested", "event.original"];
            let Some(id) = FieldId::lookup(spec.name).filter(|_| !own.contains(&spec.name)) else {
                continue;
            };
            let number = spec.kind == FieldKind::Long;
            takes.push((spec.name, if number { Take::Number(id) } else { Take::Text(id) }));
        }
        takes.push(("event.original", Take::Original));
        takes.push(("_rest", Take::Rest));
        let mut columns = Vec::new();
        let mut types = Vec::new();
        for (name, take) in takes {
            types.push(Arc::new(type_of(name, &take)?));
            let (texts, numbers, levels) = Default::default();
            columns.push(Column { name: name.to_owned(), take, texts, numbers, levels });
        }
        let schema = Type::group_type_builder("tocsin").with_fields(types).build()?;
        Ok(Self { schema: Arc::new(schema), columns, rows: 0 })
    }

    fn add(&mut self, event: &Event) {
        self.rows += 1;
        for column in &mut self.columns {
            column.add(event);
        }
    }

    fn write(&mut self, writer: &mut SerializedFileWriter<File>) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        let mut group = writer.next_row_group()?;
        for column in &mut self.columns {
            let Some(mut open) = group.next_column()? else {
                return Err(ParquetError::General(format!("no column {}", column.name)));
            };
            let levels = Some(column.levels.as_slice());
            if column.take.is_number() {
                open.typed::<Int64Type>().write_batch(&column.numbers, levels, None)?;
            } else {
                open.typed::<ByteArrayType>().write_batch(&column.texts, levels, None)?;
            }
            open.close()?;
            column.texts.clear();
            column.numbers.clear();
            column.levels.clear();
        }
        group.close().map(|_| ())
    }
}

impl Take {
    fn is_number(&self) -> bool {
        matches!(self, Self::Time | Self::Received | Self::Number(_))
    }
}

fn type_of(name: &str, take: &Take) -> Result<Type, ParquetError> {
    let physical = if take.is_number() { Physical::INT64 } else { Physical::BYTE_ARRAY };
    let logical = match take {
        Take::Time | Take::Received => Some(LogicalType::timestamp(true, TimeUnit::MICROS)),
        Take::Number(_) => None,
        _ => Some(LogicalType::String),
    };
    Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
}

impl Column {
    fn add(&mut self, event: &Event) {
        match &self.take {
            Take::Time => self.number(Some(micros(event.time))),
            Take::Received => self.number(Some(micros(event.received))),
            Take::Id => self.text(Some(event.id.to_string())),
            Take::Original => {
                let original = event.original();
                self.text((!original.is_empty()).then(|| original.to_owned()));
            }
            Take::Rest => self.text(rest_of(event)),
            Take::Number(id) => self.number(event.get(*id).and_then(number_of)),
            Take::Text(id) => {
                let text = event.get(*id).and_then(text_of);
                self.text(text);
            }
        }
    }

    fn number(&mut self, number: Option<i64>) {
        self.levels.push(i16::from(number.is_some()));
        self.numbers.extend(number);
    }

    fn text(&mut self, text: Option<String>) {
        self.levels.push(i16::from(text.is_some()));
        self.texts.extend(text.map(|text| ByteArray::from(text.into_bytes())));
    }
}

/// What all readers can compare with times of their own.
fn micros(time: Timestamp) -> i64 {
    time.0.div_euclid(1000)
}

fn number_of(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Int(number) => Some(number),
        Value::Str(text) => text.parse().ok(),
        _ => None,
    }
}

/// What no column holds.
fn rest_of(event: &Event) -> Option<String> {
    let in_column = |id: FieldId, value: Value<'_>| match id.spec() {
        Some(spec) if spec.kind == FieldKind::Long => number_of(value).is_some(),
        Some(_) => true,
        None => false,
    };
    let mut rest = serde_json::Map::new();
    for (id, value) in event.iter().filter(|(id, value)| !in_column(*id, *value)) {
        rest.insert(id.name().to_owned(), value.to_json());
    }
    (!rest.is_empty()).then(|| serde_json::Value::Object(rest).to_string())
}

fn text_of(value: Value<'_>) -> Option<String> {
    match value {
        Value::Null | Value::Object => None,
        Value::List(list) if list.len() == 1 => list.iter().next().and_then(text_of),
        Value::List(_) => Some(value.to_json().to_string()),
        value => value.to_text().map(std::borrow::Cow::into_owned),
    }
}
