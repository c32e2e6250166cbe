//! Files to scan → records: plain lines, gzip, JSON arrays and pretty-printed objects, Windows
//! `.evtx`. Never holds a whole file of lines in memory; a record's offset is its line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tocsin_model::{Position, Record, Timestamp};

/// The longest line taken whole, bytes; the rest of a longer one is left out.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The largest JSON document that is not one object a line, bytes.
pub const DOCUMENT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// One input being read.
pub struct Input {
    index: u64,
    name: Arc<str>,
    path: Option<Arc<str>>,
    hint: Option<Arc<str>>,
    received: Timestamp,
    body: Body,
    line: u64,
    bytes_read: u64,
}

enum Body {
    Lines(Box<dyn BufRead>),
    /// Values of one JSON document; each counts as a line.
    Values(std::vec::IntoIter<Bytes>),
    Evtx(Values),
}

type Values = Box<dyn Iterator<Item = io::Result<Bytes>>>;

/// How a Windows event log begins.
const EVTX: &[u8] = b"ElfFile\0";

impl Input {
    /// Opens a file, or standard input for `-`. `received` stands for the time of arrival, from
    /// which lines without a year take theirs: for files their time of change.
    ///
    /// # Errors
    /// When it cannot be opened or is a JSON document that is none.
    pub fn open(
        index: u64,
        path: &Path,
        hint: Option<Arc<str>>,
        now: Timestamp,
    ) -> io::Result<Self> {
        if path == Path::new("-") {
            let body = body_of(BufReader::with_capacity(256 * 1024, io::stdin()))?;
            return Ok(Self {
                index,
                name: "stdin".into(),
                path: None,
                hint,
                received: now,
                body,
                line: 0,
                bytes_read: 0,
            });
        }
        let name = path.display().to_string();
        let changed = std::fs::metadata(path)?.modified();
        let received = changed.map_or(now, Timestamp::from_system).min(now);
        let body = open_body(path)?;
        Ok(Self {
            index,
            name: format!("file:{name}").into(),
            path: Some(name.into()),
            hint,
            received,
            body,
            line: 0,
            bytes_read: 0,
        })
    }

    /// Bytes read so far, for progress.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// When reading fails.
    pub fn next_record(&mut self) -> io::Result<Option<Record>> {
        let (line, bytes) = match &mut self.body {
            Body::Lines(reader) => loop {
                let Some(bytes) = read_line(reader.as_mut(), &mut self.bytes_read)? else {
                    return Ok(None);
                };
                self.line += 1;
                if !bytes.is_empty() {
                    break (self.line, bytes);
                }
            },
            Body::Values(values) => match values.next() {
                Some(bytes) => {
                    self.line += 1;
                    self.bytes_read += bytes.len() as u64;
                    (self.line, bytes)
                }
                None => return Ok(None),
            },
            Body::Evtx(records) => match records.next() {
                Some(bytes) => {
                    self.line += 1;
                    (self.line, bytes?)
                }
                None => return Ok(None),
            },
        };
        let position = Position { stream: self.index, offset: line, next: line + 1 };
        Ok(Some(Record {
            input: self.name.clone(),
            position,
            received: self.received,
            bytes,
            hint: self.hint.clone(),
            peer: None,
            path: self.path.clone(),
        }))
    }
}

fn open_body(path: &Path) -> io::Result<Body> {
    let file = File::open(path)?;
    if path.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory, name its files"));
    }
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    if reader.fill_buf()?.starts_with(EVTX) {
        // What can be read in any order need not be in memory.
        return Ok(Body::Evtx(evtx_records(evtx::EvtxParser::from_path(path))?));
    }
    body_of(reader)
}

/// Tells by the first bytes what it is.
fn body_of(mut reader: BufReader<impl Read + 'static>) -> io::Result<Body> {
    let start = reader.fill_buf()?;
    if start.starts_with(EVTX) {
        let mut bytes = Vec::new();
        reader.take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
            let message = format!("over {DOCUMENT_BYTES_MAX} bytes; give the file by its name");
            return Err(io::Error::other(message));
        }
        return Ok(Body::Evtx(evtx_records(evtx::EvtxParser::from_buffer(bytes))?));
    }
    let reader: Box<dyn BufRead> = if start.starts_with(&[0x1f, 0x8b]) {
        let decoder = flate2::bufread::MultiGzDecoder::new(reader);
        Box::new(BufReader::with_capacity(256 * 1024, decoder))
    } else {
        Box::new(reader)
    };
    json_document(reader)
}

/// Tells a JSON array or a pretty-printed object from lines: by how the first line ends.
fn json_document(mut reader: Box<dyn BufRead>) -> io::Result<Body> {
    let start = reader.fill_buf()?;
    let first = start.split(|byte| *byte == b'\n').next().unwrap_or(&[]).trim_ascii();
    let whole = matches!(first, b"[" | b"{")
        || (first.starts_with(b"[{") || first.starts_with(b"[ {"))
        || first == b"\xef\xbb\xbf[";
    if !whole {
        return Ok(Body::Lines(reader));
    }
    let mut text = Vec::new();
    reader.take(DOCUMENT_BYTES_MAX).read_to_end(&mut text)?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").map_or(&text[..], |rest| rest);
    match values(text) {
        Ok(values) => Ok(Body::Values(values.into_iter())),
        // Not one JSON document after all: lines.
        Err(_) => Ok(Body::Lines(Box::new(io::Cursor::new(text.to_vec())))),
    }
}

fn values(text: &[u8]) -> Result<Vec<Bytes>, serde_json::Error> {
    use serde_json::value::RawValue;
    let mut found = Vec::new();
    for document in serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>() {
        let document = document?.get();
        match serde_json::from_str::<Vec<&RawValue>>(document) {
            Ok(items) => found.extend(items.iter().map(|item| item.get())),
            Err(_) => found.push(document),
        }
    }
    Ok(found.into_iter().map(|json| Bytes::copy_from_slice(json.as_bytes())).collect())
}

/// One line without its end; `None` at the end of the input.
fn read_line(reader: &mut dyn BufRead, bytes_read: &mut u64) -> io::Result<Option<Bytes>> {
    // Most lines stand whole in the buffer.
    let buffer = reader.fill_buf()?;
    if let Some(end) = memchr::memchr(b'\n', buffer) {
        let ends = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let len = buffer[..end].iter().rposition(|byte| !ends(byte)).map_or(0, |last| last + 1);
        let line = Bytes::copy_from_slice(&buffer[..len]);
        reader.consume(end + 1);
        *bytes_read += end as u64 + 1;
        return Ok(Some(line));
    }
    let mut line = Vec::new();
    let limit = LINE_BYTES_MAX as u64;
    let read = Read::take(&mut *reader, limit).read_until(b'\n', &mut line)?;
    *bytes_read += read as u64;
    if read == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') && read as u64 == limit {
        *bytes_read += skip_line(reader)?;
    }
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    Ok(Some(Bytes::from(line)))
}

fn skip_line(reader: &mut dyn BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = reader.fill_buf()?;
        let (used, done) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        reader.consume(used);
        skipped += used as u64;
        if done {
            return Ok(skipped);
        }
    }
}

/// The records of a Windows event log as JSON, one at a time.
fn evtx_records<T: Read + io::Seek>(
    parser: evtx::err::Result<evtx::EvtxParser<T>>,
) -> io::Result<Values> {
    let other = |error: evtx::err::EvtxError| io::Error::other(error.to_string());
    let settings = evtx::ParserSettings::new().num_threads(1);
    let mut parser = parser.map_err(other)?.with_configuration(settings);
    let records: Vec<io::Result<Bytes>> = parser
        .records_json()
        .map(|record| record.map(|record| Bytes::from(record.data)).map_err(other))
        .collect();
    Ok(Box::new(records.into_iter()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(bytes: &[u8]) -> Vec<(u64, String)> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut input = Input::open(0, file.path(), None, Timestamp(i64::MAX)).unwrap();
        let mut records = Vec::new();
        while let Some(record) = input.next_record().unwrap() {
            let text = String::from_utf8_lossy(&record.bytes).into_owned();
            records.push((record.position.offset, text));
        }
        records
    }

    #[test]
    fn lines_documents_and_gzip() {
        let owned = |records: &[(u64, &str)]| -> Vec<(u64, String)> {
            records.iter().map(|(line, text)| (*line, (*text).to_owned())).collect()
        };
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"a\nb\n").unwrap();
        let gzip = gzip.finish().unwrap();
        let table: &[(&[u8], &[(u64, &str)])] = &[
            (b"a\r\n\nb", &[(1, "a"), (3, "b")]),
            (b"{\"a\":1}\n{\"a\":2}\n", &[(1, "{\"a\":1}"), (2, "{\"a\":2}")]),
            (b"[\n{\"a\":1},\n{\"a\":2}]\n", &[(1, "{\"a\":1}"), (2, "{\"a\":2}")]),
            (b"[{\"a\":1},{\"a\":2}]", &[(1, "{\"a\":1}"), (2, "{\"a\":2}")]),
            (b"{\n \"a\": 1\n}\n", &[(1, "{\n \"a\": 1\n}")]),
            (b"{\nno json\n", &[(1, "{"), (2, "no json")]),
            (&gzip, &[(1, "a"), (2, "b")]),
        ];
        for (bytes, expected) in table {
            assert_eq!(read(bytes), owned(expected), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn lines_over_the_limit_are_cut_and_the_next_one_is_whole() {
        let mut bytes = vec![b'x'; LINE_BYTES_MAX + 10];
        bytes.extend_from_slice(b"\nnext\n");
        let records = read(&bytes);
        assert_eq!(records[0].1.len(), LINE_BYTES_MAX);
        assert_eq!(records[1], (2, "next".to_owned()));
    }
}
