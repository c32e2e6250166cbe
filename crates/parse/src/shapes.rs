//! What is not understood, by input and shape: a line's shape is the line without what differs
//! from line to line. In: records that no source fitted. Out: shapes with counts and some lines.
//! Never keeps more than its limits allow; what is forgotten is counted.

use tocsin_model::Timestamp;

/// The most shapes remembered.
pub const SHAPES_MAX: usize = 500;
/// The most lines kept of a shape.
pub const SHAPE_SAMPLES_MAX: usize = 3;
/// Longest line kept, in bytes.
pub const SHAPE_SAMPLE_BYTES_MAX: usize = 1024;
/// Longest shape, in bytes.
const SHAPE_BYTES_MAX: usize = 160;
/// The most of a line that is looked at, in bytes.
const LOOKED_AT_BYTES_MAX: usize = 512;

/// Lines that look alike and are not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The input they came by.
    pub input: String,
    /// The source that took them without knowing the message, or `unparsed`.
    pub source: String,
    /// The line with `0` for numbers, `*` for what is quoted, and so on.
    pub shape: String,
    /// How many there were.
    pub count: u64,
    /// Arrival of the first.
    pub first: Timestamp,
    /// Arrival of the last.
    pub last: Timestamp,
    /// Some of them, as they came; the first ones.
    pub samples: Vec<String>,
}

/// The shapes of what is not understood.
#[derive(Debug, Default)]
pub struct Shapes {
    known: Vec<Shape>,
    forgotten: u64,
}

impl Shapes {
    /// Counts a line that `source` (or nobody: `unparsed`) could not read.
    pub fn note(&mut self, input: &str, source: &str, line: &str, received: Timestamp) {
        let shape = shape(line);
        let same = |known: &&mut Shape| {
            known.shape == shape && known.input == input && known.source == source
        };
        if let Some(known) = self.known.iter_mut().find(same) {
            known.count += 1;
            known.last = received;
            if known.samples.len() < SHAPE_SAMPLES_MAX {
                known.samples.push(cut(line).to_owned());
            }
            return;
        }
        if self.known.len() >= SHAPES_MAX {
            self.forget_rarest();
        }
        self.known.push(Shape {
            input: input.to_owned(),
            source: source.to_owned(),
            shape,
            count: 1,
            first: received,
            last: received,
            samples: vec![cut(line).to_owned()],
        });
    }

    /// The shapes, the most frequent first.
    pub fn list(&self) -> Vec<Shape> {
        let mut all = self.known.clone();
        all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.shape.cmp(&b.shape)));
        all
    }

    /// How many lines are no longer in the list because there were too many shapes.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn forget_rarest(&mut self) {
        let rarest =
            self.known.iter().enumerate().min_by_key(|(_, shape)| (shape.count, shape.last.0));
        if let Some((at, _)) = rarest {
            self.forgotten += self.known.swap_remove(at).count;
        }
    }
}

fn cut(line: &str) -> &str {
    &line[..line.floor_char_boundary(SHAPE_SAMPLE_BYTES_MAX.min(line.len()))]
}

/// A line without what differs from line to line: `0` for numbers and hexadecimal, `*` for what
/// stands in quotes.
pub fn shape(line: &str) -> String {
    let line = &line[..line.floor_char_boundary(LOOKED_AT_BYTES_MAX.min(line.len()))];
    let mut shape = String::with_capacity(SHAPE_BYTES_MAX);
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        if shape.len() >= SHAPE_BYTES_MAX {
            break;
        }
        if matches!(first, '"' | '\'')
            && let Some(end) = rest[1..].find(first)
        {
            shape.push(first);
            shape.push('*');
            shape.push(first);
            rest = &rest[end + 2..];
            continue;
        }
        if !first.is_alphanumeric() {
            shape.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let end = rest.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let number = word.bytes().any(|byte| byte.is_ascii_digit());
        shape.push_str(if number { "0" } else { word });
        rest = after;
    }
    shape.truncate(shape.floor_char_boundary(SHAPE_BYTES_MAX));
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_look_alike_have_one_shape() {
        let table = [
            ("shop[77]: order 12 of 'bob' failed", "shop[0]: order 0 of '*' failed"),
            ("2026-11-21 00:12:00 WARN x=deadbeef01", "0-0-0 0:0:0 WARN x=0"),
            ("", ""),
            ("'open", "'open"),
            ("a \"b c\" ünï 1", "a \"*\" ünï 0"),
        ];
        for (line, expected) in table {
            assert_eq!(shape(line), expected, "{line}");
        }
        assert!(shape(&"x ".repeat(10_000)).len() <= SHAPE_BYTES_MAX);
    }

    #[test]
    fn shapes_are_counted_and_bounded() {
        let mut shapes = Shapes::default();
        for number in 0..10 {
            let line = format!("shop[{number}]: order {number} failed");
            shapes.note("file", "unparsed", &line, Timestamp(number));
        }
        let list = shapes.list();
        assert_eq!(list.len(), 1);
        assert_eq!((list[0].count, list[0].samples.len()), (10, SHAPE_SAMPLES_MAX));
        for number in 0..SHAPES_MAX + 5 {
            let word: String =
                format!("{number:05}").bytes().map(|digit| char::from(digit + 49)).collect();
            shapes.note("file", "unparsed", &word, Timestamp(20));
        }
        assert_eq!(shapes.list().len(), SHAPES_MAX);
        assert_eq!(shapes.list()[0].count, 10, "the frequent one stays");
        assert_eq!(shapes.forgotten(), 6);
    }
}
