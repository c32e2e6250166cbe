//! Puts lines together that are one record: stack traces, statements of databases, JSON over
//! several lines, the slow log of MySQL, audit trails of Oracle. In: lines read together. Out:
//! records, each from where its first line starts to where its last one ends. Never joins lines
//! that were read at different times, so nothing waits for a line that may not come.

use bytes::Bytes;

use crate::lines::Line;

/// The most lines of one record.
const LINES_MAX: usize = 500;
/// Longest name of a part in an audit trail, in bytes.
const PART_NAME_BYTES_MAX: usize = 40;

/// Joins the lines that go on with the one before. A record is never longer than
/// `record_bytes_max`.
pub(crate) fn join(lines: Vec<Line>, record_bytes_max: usize) -> Vec<Line> {
    let any = lines.windows(2).any(|pair| goes_on(Kind::of(&pair[0].bytes), &pair[1].bytes, false));
    if !any {
        return lines;
    }
    let mut joined: Vec<Line> = Vec::with_capacity(lines.len());
    let mut open = Open::default();
    for line in lines {
        let fits = open.lines < LINES_MAX && open.bytes.len() + line.bytes.len() < record_bytes_max;
        match joined.last_mut() {
            Some(last)
                if fits
                    && last.next == line.start
                    && !last.cut
                    && !line.cut
                    && goes_on(open.kind, &line.bytes, open.asked) =>
            {
                open.take(&line.bytes);
                last.next = line.next;
            }
            _ => {
                close(&mut joined, &mut open);
                open = Open::begin(&line.bytes);
                joined.push(line);
            }
        }
    }
    close(&mut joined, &mut open);
    joined
}

/// Gives the last record the bytes of all its lines.
fn close(joined: &mut [Line], open: &mut Open) {
    if open.lines > 1
        && let Some(last) = joined.last_mut()
    {
        last.bytes = Bytes::from(std::mem::take(&mut open.bytes));
    }
}

/// The record that is being put together.
#[derive(Debug, Default)]
struct Open {
    kind: Kind,
    bytes: Vec<u8>,
    lines: usize,
    /// Whether the line that tells of the query's time was seen: then another user begins a new
    /// record.
    asked: bool,
}

impl Open {
    fn begin(line: &[u8]) -> Self {
        Self { kind: Kind::of(line), bytes: line.to_vec(), lines: 1, asked: is_query_time(line) }
    }

    fn take(&mut self, line: &[u8]) {
        self.bytes.push(b'\n');
        self.bytes.extend_from_slice(line);
        self.lines += 1;
        self.asked |= is_query_time(line);
    }
}

/// What a record begins with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Other,
    /// An empty line: nothing goes on with it.
    Empty,
    /// `{` alone.
    Json,
    /// `# Time: …` or `# User@Host: …`.
    SlowLog,
    /// `Sat Nov 21 00:12:00 2026 +00:00`.
    Dated,
}

impl Kind {
    fn of(line: &[u8]) -> Self {
        const DAYS: [&[u8]; 7] = [b"Mon ", b"Tue ", b"Wed ", b"Thu ", b"Fri ", b"Sat ", b"Sun "];
        match line {
            [] => Self::Empty,
            [b'{' | b'[', rest @ ..] if rest.iter().all(u8::is_ascii_whitespace) => Self::Json,
            _ if line.starts_with(b"# Time: ") || line.starts_with(b"# User@Host: ") => {
                Self::SlowLog
            }
            _ if line.len() < 40 && DAYS.iter().any(|day| line.starts_with(day)) => Self::Dated,
            _ => Self::Other,
        }
    }
}

fn is_query_time(line: &[u8]) -> bool {
    line.starts_with(b"# Query_time: ")
}

/// Whether a line goes on with a record of this kind.
fn goes_on(kind: Kind, line: &[u8], asked: bool) -> bool {
    match kind {
        Kind::Empty => false,
        Kind::SlowLog => {
            !(line.starts_with(b"# Time: ") || asked && line.starts_with(b"# User@Host: "))
        }
        Kind::Json => matches!(line.first(), Some(b' ' | b'\t' | b'}' | b']')),
        Kind::Dated if is_part(line) => true,
        Kind::Dated | Kind::Other => is_indented(line) || is_cause(line),
    }
}

/// Whether a line is set in and does not begin as lines of logs do.
fn is_indented(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    text.len() < line.len()
        && text.first().is_some_and(|first| !first.is_ascii_digit() && !b"[<{#".contains(first))
}

/// What the Java runtime and Python write between stack traces.
fn is_cause(line: &[u8]) -> bool {
    line.starts_with(b"Caused by: ") || line.starts_with(b"Suppressed: ")
}

/// `ACTION :[7] 'CONNECT'`, `LENGTH : '160'`.
fn is_part(line: &[u8]) -> bool {
    let end = line.iter().position(|byte| *byte == b':').unwrap_or(0);
    let name = line[..end].trim_ascii_end();
    !name.is_empty()
        && name.len() <= PART_NAME_BYTES_MAX
        && name.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b' ' || *byte == b'$')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let next = start + line.len() as u64;
            let bytes = Bytes::copy_from_slice(line.trim_end_matches('\n').as_bytes());
            lines.push(Line { start, next, bytes, cut: false });
            start = next;
        }
        let joined = join(lines, 1000);
        let mut at = 0;
        for line in &joined {
            assert_eq!(line.start, at, "no byte is lost: {text}");
            at = line.next;
        }
        assert_eq!(at, text.len() as u64);
        joined.iter().map(|line| String::from_utf8(line.bytes.to_vec()).unwrap()).collect()
    }

    #[test]
    fn lines_of_one_record() {
        let table: &[(&str, &[usize])] = &[
            ("a\nb\nc\n", &[1, 1, 1]),
            (
                "2026-11-21 ERROR x\njava.lang.Error: y\n\tat a.b(C.java:1)\n\t... 3 more\nCaused by: z\n\tat d\n2026-11-21 INFO\n",
                &[1, 5, 1],
            ),
            (
                "2026-11-21 00:12:00 UTC [1] LOG:  statement: select\n\t  a\n\tfrom b\n2026-11-21 x\n",
                &[3, 1],
            ),
            (
                "# Time: 2026-11-21T00:12:00Z\n# User@Host: root[root] @ [192.0.2.10]\n# Query_time: 1\nSET timestamp=1;\nselect 1;\n# User@Host: bob[bob] @ []\n# Query_time: 2\nselect 2;\n# Time: x\n",
                &[5, 3, 1],
            ),
            (
                "Sat Nov 21 00:12:00 2026 +00:00\nLENGTH : '160'\nACTION :[7] 'CONNECT'\nDATABASE USER:[1] '/'\nSTATUS:[1] '0'\nSat Nov 21 00:12:01 2026 +00:00\n",
                &[5, 1],
            ),
            ("{\n  \"a\": 1,\n  \"b\": [\n  ]\n}\n{\"c\":1}\n", &[5, 1]),
            // Lines that are set in and begin as a record does.
            ("a\n\t\t   12 Quit\n [1.0] kernel\n <34>x\n", &[1, 1, 1, 1]),
            ("\n  x\n", &[1, 1]),
        ];
        for (text, expected) in table {
            let got: Vec<usize> =
                records(text).iter().map(|record| record.split('\n').count()).collect();
            assert_eq!(&got, expected, "{text}");
        }
    }

    #[test]
    fn records_are_bounded() {
        let text = format!("a\n{}", "\tx\n".repeat(2000));
        let records = records(&text);
        assert!(records.len() > 3 && records.iter().all(|record| record.len() <= 1000));
    }
}
