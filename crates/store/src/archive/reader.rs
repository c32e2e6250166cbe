//! Rows of an archived file → events, exactly as they were or only the fields that are wanted.
//! Columns that nobody wants are not read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};
use parquet::file::statistics::Statistics;
use serde_json::{Map, Value as Json};
use tocsin_model::{Event, EventId, Timestamp};

use crate::archive::shape::{self, Place, Shaped};
use crate::archive::shelf::Source;
use crate::archive::{EXACT, ID, NANOS, ORIGINAL, RECEIVED, RECEIVED_NANOS, REST, SHAPE, TIME};

/// Bytes that are read ahead where it is not known how many are needed.
const AHEAD_BYTES: u64 = 4096;

/// Which fields of events are wanted; identity and times always are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Everything.
    pub all: bool,
    /// Fields by name.
    pub names: BTreeSet<String>,
    /// Fields of this name or below it.
    pub below: BTreeSet<String>,
    /// The raw line.
    pub original: bool,
}

impl Wanted {
    /// Everything.
    pub(crate) fn all() -> Self {
        Self { all: true, original: true, ..Self::default() }
    }

    fn wants(&self, name: &str) -> bool {
        let below = |parent: &String| {
            name.strip_prefix(parent.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('.'))
        };
        self.all || self.names.contains(name) || self.below.iter().any(below)
    }
}

/// Rows that were written together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupInfo {
    pub rows: usize,
    /// Earliest and latest time, to the microsecond.
    pub span: Option<(i64, i64)>,
}

impl GroupInfo {
    /// Whether some row may be from `from` (included) to `to` (not).
    pub(crate) fn may_have(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
        let Some((low, high)) = self.span else { return true };
        from.is_none_or(|from| high >= from.0.div_euclid(1000))
            && to.is_none_or(|to| low <= to.0.div_euclid(1000))
    }
}

/// An archived file.
pub(crate) struct Opened {
    reader: SerializedFileReader<Chunks>,
    columns: HashMap<String, usize>,
    pub groups: Vec<GroupInfo>,
}

impl Opened {
    pub(crate) fn open(source: Arc<dyn Source>) -> Result<Arc<Self>> {
        let reader = SerializedFileReader::new(Chunks(source))?;
        let about = reader.metadata();
        let schema = about.file_metadata().schema_descr();
        let names = (0..schema.num_columns()).map(|at| (schema.column(at).name().to_owned(), at));
        let columns: HashMap<String, usize> = names.collect();
        let time = columns.get(TIME).copied();
        let groups = about.row_groups().iter().map(|group| GroupInfo {
            rows: usize::try_from(group.num_rows()).unwrap_or(0),
            span: time.and_then(|at| match group.column(at).statistics() {
                Some(Statistics::Int64(of)) => of.min_opt().copied().zip(of.max_opt().copied()),
                _ => None,
            }),
        });
        let groups = groups.collect();
        Ok(Arc::new(Self { reader, columns, groups }))
    }

    /// Reads one group from its start on.
    pub(crate) fn group(self: &Arc<Self>, number: usize) -> Group {
        let (cursors, shapes) = Default::default();
        Group { file: Arc::clone(self), number, cursors, shapes }
    }
}

/// Reads forward through a group of rows.
pub(crate) struct Group {
    file: Arc<Opened>,
    number: usize,
    cursors: HashMap<usize, Cursor>,
    shapes: HashMap<Bytes, Arc<[Shaped]>>,
}

/// A column, and how far it has been read.
struct Cursor {
    reader: ColumnReader,
    at: usize,
}

/// Some values of a column.
enum Cells {
    Texts(Vec<Option<ByteArray>>),
    Numbers(Vec<Option<i64>>),
}

impl Cells {
    fn text(&self, row: usize) -> Option<&str> {
        match self {
            Self::Texts(all) => all.get(row)?.as_ref()?.as_utf8().ok(),
            Self::Numbers(_) => None,
        }
    }

    fn number(&self, row: usize) -> Option<i64> {
        match self {
            Self::Numbers(all) => *all.get(row)?,
            Self::Texts(_) => None,
        }
    }
}

fn broken(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}

impl Group {
    /// The events of these rows, with the fields that are wanted. Rows only go forward.
    pub(crate) fn events(
        &mut self,
        from: usize,
        count: usize,
        wanted: &Wanted,
    ) -> Result<Vec<Event>> {
        let heads = self.heads(from, count)?;
        let exact = self.cells(EXACT, from, count)?;
        let texts = self.cells(SHAPE, from, count)?;
        let mut shapes = Vec::with_capacity(count);
        for row in 0..count {
            shapes.push(self.shape(&texts, row)?);
        }
        let (columns, with_rest) = self.columns_of(&shapes, from, count, wanted)?;
        let rest = if with_rest { Some(self.cells(REST, from, count)?) } else { None };
        let has_exact = (0..count).any(|row| exact.text(row).is_some());
        let with_original = wanted.original || has_exact;
        let lines = if with_original { Some(self.cells(ORIGINAL, from, count)?) } else { None };
        let mut events = Vec::with_capacity(count);
        for (row, (mut event, shape)) in heads.into_iter().zip(shapes).enumerate() {
            if let Some(line) = lines.as_ref().and_then(|lines| lines.text(row)) {
                event.set_original(line);
            }
            if let Some(exact) = exact.text(row) {
                shape::push_exact(&mut event, exact).ok_or_else(|| broken("an exact event"))?;
                events.push(event);
                continue;
            }
            let rest: Option<Map<String, Json>> = match rest.as_ref().and_then(|r| r.text(row)) {
                Some(text) => serde_json::from_str(text).map_err(|_| broken("_rest"))?,
                None => None,
            };
            for field in shape.iter().filter(|field| wanted.wants(&field.name)) {
                push(&mut event, field, row, &columns, rest.as_ref())
                    .ok_or_else(|| broken(&format!("{} of an event", field.name)))?;
            }
            events.push(event);
        }
        Ok(events)
    }

    /// The ids of these rows. Rows only go forward.
    pub(crate) fn ids(&mut self, from: usize, count: usize) -> Result<Vec<EventId>> {
        let ids = self.cells(ID, from, count)?;
        let all = (0..count).map(|row| ids.text(row).and_then(EventId::parse));
        all.map(|id| id.ok_or_else(|| broken("an id"))).collect()
    }

    /// Identity and times.
    fn heads(&mut self, from: usize, count: usize) -> Result<Vec<Event>> {
        let ids = self.cells(ID, from, count)?;
        let (times, nanos) = (self.cells(TIME, from, count)?, self.cells(NANOS, from, count)?);
        let received = self.cells(RECEIVED, from, count)?;
        let received_nanos = self.cells(RECEIVED_NANOS, from, count)?;
        let time = |micros: &Cells, nanos: &Cells, row| {
            let micros = micros.number(row)?.checked_mul(1000)?;
            micros.checked_add(nanos.number(row).unwrap_or(0)).map(Timestamp)
        };
        let mut events = Vec::with_capacity(count);
        for row in 0..count {
            let mut event = Event::default();
            event.id = ids.text(row).and_then(EventId::parse).ok_or_else(|| broken("an id"))?;
            event.time = time(&times, &nanos, row).ok_or_else(|| broken("a time"))?;
            let arrived = time(&received, &received_nanos, row);
            event.received = arrived.ok_or_else(|| broken("a time of arrival"))?;
            events.push(event);
        }
        Ok(events)
    }

    fn shape(&mut self, texts: &Cells, row: usize) -> Result<Arc<[Shaped]>> {
        let text = texts.text(row).unwrap_or("");
        if let Some(known) = self.shapes.get(text.as_bytes()) {
            return Ok(Arc::clone(known));
        }
        let shape: Arc<[Shaped]> = shape::read(text).ok_or_else(|| broken(SHAPE))?.into();
        self.shapes.insert(Bytes::copy_from_slice(text.as_bytes()), Arc::clone(&shape));
        Ok(shape)
    }

    /// The columns that hold something wanted of these events, and whether `_rest` does.
    fn columns_of(
        &mut self,
        shapes: &[Arc<[Shaped]>],
        from: usize,
        count: usize,
        wanted: &Wanted,
    ) -> Result<(BTreeMap<Box<str>, Cells>, bool)> {
        let mut different: Vec<&Arc<[Shaped]>> = Vec::new();
        for shape in shapes {
            if !different.iter().any(|known| Arc::ptr_eq(known, shape)) {
                different.push(shape);
            }
        }
        let (mut names, mut with_rest) = (BTreeSet::new(), false);
        for field in different.into_iter().flat_map(|shape| shape.iter()) {
            if wanted.wants(&field.name) {
                match field.place {
                    Place::Column => {
                        names.insert(field.name.clone());
                    }
                    Place::Rest => with_rest = true,
                }
            }
        }
        let mut columns = BTreeMap::new();
        for name in names {
            let cells = self.cells(&name, from, count)?;
            columns.insert(name, cells);
        }
        Ok((columns, with_rest))
    }

    fn cells(&mut self, name: &str, from: usize, count: usize) -> Result<Cells> {
        let Self { file, number, cursors, .. } = self;
        let Some(column) = file.columns.get(name).copied() else {
            return Err(broken(&format!("there is no column {name}")));
        };
        let cursor = match cursors.entry(column) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let reader = file.reader.get_row_group(*number)?.get_column_reader(column)?;
                entry.insert(Cursor { reader, at: 0 })
            }
        };
        cursor.read(from, count)
    }
}

impl Cursor {
    fn read(&mut self, from: usize, count: usize) -> Result<Cells> {
        let skip = from.checked_sub(self.at).ok_or_else(|| broken("rows only go forward"))?;
        let mut levels = Vec::with_capacity(count);
        let cells = match &mut self.reader {
            ColumnReader::ByteArrayColumnReader(reader) => {
                let mut values = Vec::with_capacity(count);
                reader.skip_records(skip)?;
                reader.read_records(count, Some(&mut levels), None, &mut values)?;
                Cells::Texts(spread(&levels, values))
            }
            ColumnReader::Int64ColumnReader(reader) => {
                let mut values = Vec::with_capacity(count);
                reader.skip_records(skip)?;
                reader.read_records(count, Some(&mut levels), None, &mut values)?;
                Cells::Numbers(spread(&levels, values))
            }
            _ => return Err(broken("a column of another type")),
        };
        if levels.len() != count {
            return Err(broken("a column ends early"));
        }
        self.at = from + count;
        Ok(cells)
    }
}

/// Values in the rows that have one.
fn spread<T>(levels: &[i16], values: Vec<T>) -> Vec<Option<T>> {
    let mut values = values.into_iter();
    levels.iter().map(|level| if *level == 1 { values.next() } else { None }).collect()
}

/// Adds a field to the event.
fn push(
    event: &mut Event,
    field: &Shaped,
    row: usize,
    columns: &BTreeMap<Box<str>, Cells>,
    rest: Option<&Map<String, Json>>,
) -> Option<()> {
    let Some(id) = field.id else { return Some(()) };
    if field.place == Place::Rest {
        return match rest.and_then(|rest| rest.get(&*field.name)) {
            Some(value) => shape::push_json(event, id, &field.tags, value),
            None => shape::push_nothing(event, id, &field.tags),
        };
    }
    let cells = columns.get(&field.name)?;
    if let Some(number) = cells.number(row) {
        return shape::push_number(event, id, &field.tags, number);
    }
    match cells.text(row) {
        Some(text) => shape::push_text(event, id, &field.tags, text),
        None => shape::push_nothing(event, id, &field.tags),
    }
}

/// A file as the reader of Parquet wants it.
struct Chunks(Arc<dyn Source>);

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.0.bytes()
    }
}

impl ChunkReader for Chunks {
    type T = Ahead;

    fn get_read(&self, start: u64) -> Result<Ahead> {
        Ok(Ahead { source: Arc::clone(&self.0), at: start, buffer: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        Ok(self.0.read(start, length)?)
    }
}

/// Reads on from a place.
struct Ahead {
    source: Arc<dyn Source>,
    at: u64,
    buffer: Bytes,
}

impl Read for Ahead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.buffer.is_empty() {
            let left = self.source.bytes().saturating_sub(self.at);
            let len = left.min(AHEAD_BYTES.max(out.len() as u64));
            self.buffer = self.source.read(self.at, len as usize)?;
            self.at += len;
        }
        let len = out.len().min(self.buffer.len());
        out[..len].copy_from_slice(&self.buffer.split_to(len));
        Ok(len)
    }
}
