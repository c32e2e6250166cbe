//! Splits a stream of bytes into lines, wherever its chunks begin and end.
//!
//! In: chunks of bytes. Out: [`Line`]s with their places in the stream. Never holds more than one
//! line of the greatest length, never looks at what a line says.

use std::io::Read;

use bytes::Bytes;

/// One line of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it starts, bytes from the start of the stream.
    pub start: u64,
    /// Where the next line starts.
    pub next: u64,
    /// Its bytes without the line end (LF or CRLF), at most as many as the limit.
    pub bytes: Bytes,
    /// True when it was longer than the limit and its end was cut off.
    pub cut: bool,
}

/// Splits a stream into lines. A line without a line end waits for the rest.
#[derive(Debug)]
pub struct LineSplitter {
    line_bytes_max: usize,
    /// Where the line that is being read starts.
    start: u64,
    /// How many bytes of it were seen.
    seen: u64,
    held: Held,
}

impl LineSplitter {
    /// A splitter for a stream that is read from the offset `start`, which begins a line.
    pub fn new(start: u64, line_bytes_max: usize) -> Self {
        Self { line_bytes_max, start, seen: 0, held: Held::default() }
    }

    /// Where the line begins that is not complete yet: from here reading must resume.
    pub fn line_start(&self) -> u64 {
        self.start
    }

    /// Where the next chunk belongs.
    pub fn position(&self) -> u64 {
        self.start + self.seen
    }

    /// Takes the next chunk and appends the lines that it completes to `out`.
    pub fn push(&mut self, chunk: &Bytes, out: &mut Vec<Line>) {
        let mut from = 0;
        for newline in memchr::memchr_iter(b'\n', chunk) {
            let piece = chunk.slice(from..newline);
            self.seen += (piece.len() + 1) as u64;
            let (bytes, cut) = self.held.complete(piece, self.line_bytes_max);
            let next = self.position();
            out.push(Line { start: self.start, next, bytes, cut });
            (self.start, self.seen) = (next, 0);
            from = newline + 1;
        }
        let rest = &chunk[from..];
        self.seen += rest.len() as u64;
        self.held.extend(rest, self.line_bytes_max);
    }

    /// The last line when the stream ended without a line end.
    pub fn finish(&mut self) -> Option<Line> {
        if self.seen == 0 {
            return None;
        }
        let (bytes, cut) = self.held.complete(Bytes::new(), self.line_bytes_max);
        let line = Line { start: self.start, next: self.position(), bytes, cut };
        (self.start, self.seen) = (line.next, 0);
        Some(line)
    }
}

/// The beginning of a line or frame whose end has not arrived: at most its first `max + 1` bytes
/// (one more for a CR), and whether there was more.
#[derive(Debug, Default)]
pub(crate) struct Held {
    bytes: Vec<u8>,
    over: bool,
}

impl Held {
    pub(crate) fn extend(&mut self, piece: &[u8], max: usize) {
        let room = (max + 1).saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        self.over |= piece.len() > room;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What is held and `last`, without a CR at the end, cut to `max` bytes; and whether bytes
    /// were cut off. Copies only what was split over chunks.
    pub(crate) fn complete(&mut self, last: Bytes, max: usize) -> (Bytes, bool) {
        let mut whole = last;
        if !self.bytes.is_empty() || self.over {
            self.extend(&whole, max);
            whole = Bytes::from(std::mem::take(&mut self.bytes));
        }
        let over = std::mem::take(&mut self.over);
        if !over && whole.last() == Some(&b'\r') {
            whole.truncate(whole.len() - 1);
        }
        let cut = over || whole.len() > max;
        whole.truncate(max);
        (whole, cut)
    }
}

/// Reads all lines of `from`, in order, until its end, including a last one without a line end.
/// Stops early when `each` returns false.
///
/// # Errors
/// When reading fails; the lines before were given.
pub fn read_lines(
    mut from: impl Read,
    line_bytes_max: usize,
    mut each: impl FnMut(Line) -> bool,
) -> std::io::Result<()> {
    let mut splitter = LineSplitter::new(0, line_bytes_max);
    let mut lines = Vec::new();
    loop {
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        chunk.truncate(read);
        splitter.push(&Bytes::from(chunk), &mut lines);
        if !lines.drain(..).all(&mut each) {
            return Ok(());
        }
    }
    if let Some(line) = splitter.finish() {
        each(line);
    }
    Ok(())
}

/// Bytes read at once from a file or stream.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(pieces: &[&[u8]], max: usize) -> Vec<(u64, u64, String, bool)> {
        let mut splitter = LineSplitter::new(0, max);
        let mut lines = Vec::new();
        for piece in pieces {
            splitter.push(&Bytes::copy_from_slice(piece), &mut lines);
        }
        lines.extend(splitter.finish());
        let text = |line: Line| String::from_utf8_lossy(&line.bytes).into_owned();
        lines.into_iter().map(|l| (l.start, l.next, text(l.clone()), l.cut)).collect()
    }

    #[test]
    fn lines_end_with_lf_or_crlf_and_are_cut_at_the_limit() {
        let line = |start, next, text: &str, cut| (start, next, text.to_owned(), cut);
        assert_eq!(
            split(&[b"ab\r\n\ncd", b"e\n", b"half"], 8),
            [
                line(0, 4, "ab", false),
                line(4, 5, "", false),
                line(5, 9, "cde", false),
                line(9, 13, "half", false)
            ]
        );
        assert_eq!(
            split(&[b"1234\r\n12345\n", b"1234567", b"89\nab"], 4),
            [
                line(0, 6, "1234", false),
                line(6, 12, "1234", true),
                line(12, 22, "1234", true),
                line(22, 24, "ab", false)
            ]
        );
        assert_eq!(split(&[], 4), []);
    }

    proptest! {
        #[test]
        fn split_points_do_not_matter(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
            cuts in proptest::collection::vec(0usize..200, 0..6),
            max in 1usize..12,
        ) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let lines = split(&pieces, max);
            prop_assert_eq!(&lines, &split(&[&bytes], max));
            let mut at = 0;
            for (start, next, _, _) in &lines {
                prop_assert_eq!(*start, at);
                at = *next;
            }
            prop_assert_eq!(at, bytes.len() as u64);
            let mut read = Vec::new();
            read_lines(&bytes[..], max, |line| { read.push(line.start); true }).unwrap();
            prop_assert_eq!(read, lines.iter().map(|line| line.0).collect::<Vec<_>>());
        }
    }
}
