//! [`RowWriter`]: events → one Parquet file.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{
    Compression, Encoding, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel,
};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type};
use tocsin_model::field::{DICTIONARY, FieldKind};
use tocsin_model::{Event, FieldId, Timestamp, Value};

use crate::archive::shape::{self, fits, number_of, text_of};
use crate::archive::{EXACT, ID, NANOS, ORIGINAL, RECEIVED, RECEIVED_NANOS, REST, SHAPE, TIME};
use crate::matcher::is_present;

/// Events that are written together.
const GROUP_EVENTS: usize = 65_536;
/// Bytes of raw lines after which fewer are.
const GROUP_BYTES: usize = 64 * 1024 * 1024;
/// zstd level: files are written once and kept.
const ZSTD_LEVEL: i32 = 9;
/// Texts that are given to the packer together.
const BATCH: usize = 1024;
/// Bytes of texts that are packed together: long, so that they find what is alike.
const TEXT_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Other programs.
    Readable,
    /// Also to be read back, exactly.
    Exact,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub events: u64,
    /// Times of the first and last event.
    pub span: Option<(Timestamp, Timestamp)>,
    /// How many events have each field.
    pub fields: BTreeMap<String, u64>,
}

/// Writes events, oldest first, to one file.
pub struct RowWriter {
    writer: SerializedFileWriter<File>,
    columns: Vec<Column>,
    /// By number of the field: whether it has a column.
    has_column: Vec<bool>,
    rows: Rows,
    waiting: usize,
    waiting_bytes: usize,
    shape: String,
    written: Written,
}

impl RowWriter {
    /// Starts a file with columns for those fields of the dictionary that are `known`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn new(file: File, known: &dyn Fn(&str) -> bool, rows: Rows) -> Result<Self, ParquetError> {
        let mut columns = Vec::new();
        let mut has_column = vec![false; DICTIONARY.len()];
        let mut add = |name: &str, take| columns.push(Column::new(name, take));
        add(TIME, Take::Time);
        add(ID, Take::Id);
        add(RECEIVED, Take::Received);
        for spec in DICTIONARY.iter().filter(|spec| known(spec.name)) {
            let own = [TIME, ID, RECEIVED, ORIGINAL].contains(&spec.name);
            let Some(id) = FieldId::lookup(spec.name).filter(|_| !own) else { continue };
            has_column[id.index()] = true;
            let number = spec.kind == FieldKind::Long;
            add(spec.name, if number { Take::Number(id) } else { Take::Text(id) });
        }
        add(ORIGINAL, Take::Original);
        add(REST, Take::Rest);
        if rows == Rows::Exact {
            add(NANOS, Take::Nanos);
            add(RECEIVED_NANOS, Take::ReceivedNanos);
            add(SHAPE, Take::Shape);
            add(EXACT, Take::Exact);
        }
        let types = columns.iter().map(Column::schema);
        let types = types.map(|one| one.map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        let schema = Type::group_type_builder("tocsin").with_fields(types).build()?;
        let writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties()))?;
        let (waiting, waiting_bytes, shape, written) = Default::default();
        Ok(Self { writer, columns, has_column, rows, waiting, waiting_bytes, shape, written })
    }

    /// Adds an event.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, event: &Event) -> Result<(), ParquetError> {
        let mut exact = None;
        if self.rows == Rows::Exact {
            let has_column = &self.has_column;
            let has = |id: FieldId| has_column.get(id.index()).copied().unwrap_or(false);
            if !shape::write(event, &has, &mut self.shape) {
                self.shape.clear();
                exact = Some(shape::exact(event));
            }
        }
        for column in &mut self.columns {
            match &column.take {
                Take::Shape => column.text(Some(&self.shape)),
                Take::Exact => column.text(exact.as_deref()),
                Take::Rest => column.text(rest_of(event, &self.has_column).as_deref()),
                _ => column.add(event),
            }
        }
        self.count(event);
        self.waiting += 1;
        self.waiting_bytes += event.original().len();
        if self.waiting >= GROUP_EVENTS || self.waiting_bytes >= GROUP_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn count(&mut self, event: &Event) {
        let written = &mut self.written;
        written.events += 1;
        let (low, high) = written.span.unwrap_or((event.time, event.time));
        written.span = Some((low.min(event.time), high.max(event.time)));
        if self.rows == Rows::Readable {
            return;
        }
        let mut has = |name: &str| match written.fields.get_mut(name) {
            Some(events) => *events += 1,
            None => {
                written.fields.insert(name.to_owned(), 1);
            }
        };
        if !event.original().is_empty() {
            has(ORIGINAL);
        }
        let fields = event.iter().filter(|(_, value)| is_present(*value));
        let fields = fields.filter(|(id, _)| ![TIME, ID, RECEIVED].contains(&id.name()));
        fields.for_each(|(id, _)| has(id.name()));
    }

    fn write(&mut self) -> Result<(), ParquetError> {
        if self.waiting == 0 {
            return Ok(());
        }
        (self.waiting, self.waiting_bytes) = (0, 0);
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.columns {
            let Some(mut open) = group.next_column()? else {
                return Err(ParquetError::General(format!("no column {}", column.name)));
            };
            if column.take.is_number() {
                let levels = Some(column.levels.as_slice());
                open.typed::<Int64Type>().write_batch(&column.numbers, levels, None)?;
            } else {
                column.write_texts(open.typed::<ByteArrayType>())?;
            }
            open.close()?;
            column.clear();
        }
        group.close().map(|_| ())
    }

    /// Ends the file; how many events it has.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(self) -> Result<u64, ParquetError> {
        self.finish_told().map(|(written, _)| written.events)
    }

    pub(crate) fn finish_told(mut self) -> Result<(Written, File), ParquetError> {
        self.write()?;
        let file = self.writer.into_inner()?;
        Ok((self.written, file))
    }
}

fn properties() -> WriterProperties {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default();
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_data_page_row_count_limit(GROUP_EVENTS);
    for times in [TIME, RECEIVED] {
        let path = ColumnPath::from(times);
        builder = builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    let id = ColumnPath::from(ID);
    builder = builder
        .set_column_dictionary_enabled(id.clone(), false)
        .set_column_encoding(id, Encoding::DELTA_BYTE_ARRAY);
    for texts in [ORIGINAL, "message", REST] {
        let path = ColumnPath::from(texts);
        builder = builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_data_page_size_limit(path, TEXT_PAGE_BYTES);
    }
    builder.build()
}

/// Values of one column, those that are there, and where they are.
struct Column {
    name: String,
    take: Take,
    texts: Vec<u8>,
    ends: Vec<usize>,
    numbers: Vec<i64>,
    levels: Vec<i16>,
}

/// What a column takes of an event.
enum Take {
    Time,
    Received,
    Nanos,
    ReceivedNanos,
    Id,
    Original,
    Rest,
    Shape,
    Exact,
    Text(FieldId),
    Number(FieldId),
}

impl Take {
    fn is_number(&self) -> bool {
        use Take::{Nanos, Number, Received, ReceivedNanos, Time};
        matches!(self, Time | Received | Nanos | ReceivedNanos | Number(_))
    }
}

impl Column {
    fn new(name: &str, take: Take) -> Self {
        let (texts, ends, numbers, levels) = Default::default();
        Self { name: name.to_owned(), take, texts, ends, numbers, levels }
    }

    /// A path of one part, dots and all.
    fn schema(&self) -> Result<Type, ParquetError> {
        let number = self.take.is_number();
        let physical = if number { Physical::INT64 } else { Physical::BYTE_ARRAY };
        let logical = match self.take {
            Take::Time | Take::Received => Some(LogicalType::timestamp(true, TimeUnit::MICROS)),
            _ if number => None,
            _ => Some(LogicalType::String),
        };
        Type::primitive_type_builder(&self.name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .build()
    }

    fn add(&mut self, event: &Event) {
        match &self.take {
            Take::Time => self.number(Some(event.time.0.div_euclid(1000))),
            Take::Received => self.number(Some(event.received.0.div_euclid(1000))),
            Take::Nanos => self.number(Some(event.time.0.rem_euclid(1000))),
            Take::ReceivedNanos => self.number(Some(event.received.0.rem_euclid(1000))),
            Take::Id => self.text(Some(&event.id.to_string())),
            Take::Original => {
                let original = event.original();
                self.text((!original.is_empty()).then_some(original));
            }
            Take::Number(id) => self.number(event.get(*id).and_then(number_of)),
            Take::Text(id) => match event.get(*id) {
                Some(Value::Str(text)) => self.text(Some(text)),
                other => self.text(other.and_then(text_of).as_deref()),
            },
            Take::Rest | Take::Shape | Take::Exact => {}
        }
    }

    fn number(&mut self, number: Option<i64>) {
        self.levels.push(i16::from(number.is_some()));
        self.numbers.extend(number);
    }

    fn text(&mut self, text: Option<&str>) {
        self.levels.push(i16::from(text.is_some()));
        if let Some(text) = text {
            self.texts.extend_from_slice(text.as_bytes());
            self.ends.push(self.texts.len());
        }
    }

    /// Gives the texts to the packer without a copy of each.
    fn write_texts(
        &mut self,
        writer: &mut parquet::column::writer::ColumnWriterImpl<'_, ByteArrayType>,
    ) -> Result<(), ParquetError> {
        let all = Bytes::from(std::mem::take(&mut self.texts));
        let (mut start, mut place) = (0, 0);
        for levels in self.levels.chunks(BATCH) {
            let there = levels.iter().filter(|level| **level == 1).count();
            let ends = self.ends.get(place..place + there).unwrap_or_default();
            place += there;
            let texts: Vec<ByteArray> = ends
                .iter()
                .map(|end| ByteArray::from(all.slice(std::mem::replace(&mut start, *end)..*end)))
                .collect();
            writer.write_batch(&texts, Some(levels), None)?;
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.texts.clear();
        self.ends.clear();
        self.numbers.clear();
        self.levels.clear();
    }
}

/// What no column holds.
fn rest_of(event: &Event, has_column: &[bool]) -> Option<String> {
    let in_column = |id: FieldId, value: Value<'_>| {
        let has = has_column.get(id.index()).copied().unwrap_or(false);
        has && id.spec().is_some_and(|spec| fits(spec.kind, value))
    };
    let mut rest = serde_json::Map::new();
    for (id, value) in event.iter() {
        if !in_column(id, value) && !matches!(value, Value::Object) {
            rest.insert(id.name().to_owned(), value.to_json());
        }
    }
    (!rest.is_empty()).then(|| serde_json::Value::Object(rest).to_string())
}
