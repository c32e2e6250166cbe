//! Splits a syslog connection into messages (RFC 6587), newline-framed or octet-counted.
//!
//! In: chunks of bytes as they arrive. Out: [`Frame`]s. Which framing is in use is found for each
//! message, so a connection may mix them. Never holds more than one message of the greatest
//! length, never waits for bytes that a message does not need.

use bytes::Bytes;

use crate::lines::Held;

/// Most digits that a message length may have; more are taken for the text of a line.
const COUNT_DIGITS_MAX: usize = 9;
/// A length over so many times the limit is taken for nonsense, not for a message to skip.
const COUNT_TIMES_MAX: usize = 16;

/// One syslog message as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The message from its `<` on, without line end.
    pub bytes: Bytes,
    /// True when it was longer than the limit and its end was cut off.
    pub cut: bool,
}

/// Splits one connection's bytes into messages.
#[derive(Debug)]
pub struct FrameDecoder {
    frame_bytes_max: usize,
    state: State,
    held: Held,
    invalid: u64,
}

#[derive(Debug)]
enum State {
    /// Between messages, with the digits seen of what may be a length.
    Start(Vec<u8>),
    /// In a newline-framed message.
    Line,
    /// In an octet-counted message with so many bytes to come.
    Octets(usize),
}

/// What the bytes at the start of a message mean.
enum Opening {
    Undecided,
    Line,
    /// The length, and how many bytes the length itself takes.
    Octets(usize, usize),
    /// A length that cannot be true.
    Nonsense,
}

impl FrameDecoder {
    /// A decoder for a new connection.
    pub fn new(frame_bytes_max: usize) -> Self {
        let state = State::Start(Vec::new());
        Self { frame_bytes_max, state, held: Held::default(), invalid: 0 }
    }

    /// Takes the next bytes of the connection and appends the messages that they complete.
    pub fn push(&mut self, mut chunk: &[u8], out: &mut Vec<Frame>) {
        while !chunk.is_empty() {
            chunk = match &mut self.state {
                State::Start(_) => self.open(chunk),
                State::Line => self.line(chunk, out),
                State::Octets(_) => self.octets(chunk, out),
            };
        }
    }

    /// The message that the connection's end left incomplete, as far as it came.
    pub fn finish(&mut self) -> Option<Frame> {
        if let State::Start(opening) = std::mem::replace(&mut self.state, State::Start(Vec::new()))
        {
            self.held.extend(&opening, self.frame_bytes_max);
        }
        self.complete(&[])
    }

    /// How many lengths were nonsense since the last call.
    pub fn take_invalid(&mut self) -> u64 {
        std::mem::take(&mut self.invalid)
    }

    fn open<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        let State::Start(opening) = &mut self.state else { return chunk };
        let (first, rest) = (chunk[0], &chunk[1..]);
        if opening.is_empty() && matches!(first, b'\n' | b'\r') {
            return rest;
        }
        opening.push(first);
        let max = self.frame_bytes_max;
        match opening_of(opening, max) {
            Opening::Undecided => return rest,
            Opening::Octets(length, skip) => {
                self.held.extend(&opening[skip..], max);
                let come = opening.len() - skip;
                self.state = State::Octets(length - come);
            }
            decided => {
                self.invalid += u64::from(matches!(decided, Opening::Nonsense));
                // The last byte may be the line's end, which `line` looks for.
                opening.pop();
                self.held.extend(opening, max);
                self.state = State::Line;
                return chunk;
            }
        }
        rest
    }

    fn line<'a>(&mut self, chunk: &'a [u8], out: &mut Vec<Frame>) -> &'a [u8] {
        let Some(end) = memchr::memchr(b'\n', chunk) else {
            self.held.extend(chunk, self.frame_bytes_max);
            return &[];
        };
        out.extend(self.complete(&chunk[..end]));
        self.state = State::Start(Vec::new());
        &chunk[end + 1..]
    }

    fn octets<'a>(&mut self, chunk: &'a [u8], out: &mut Vec<Frame>) -> &'a [u8] {
        let State::Octets(left) = &mut self.state else { return chunk };
        let (mine, rest) = chunk.split_at((*left).min(chunk.len()));
        *left -= mine.len();
        if *left > 0 {
            self.held.extend(mine, self.frame_bytes_max);
        } else {
            // Some senders count a line end into the length.
            out.extend(self.complete(mine));
            self.state = State::Start(Vec::new());
        }
        rest
    }

    fn complete(&mut self, last: &[u8]) -> Option<Frame> {
        if last.is_empty() && self.held.is_empty() {
            return None;
        }
        self.held.extend(last, self.frame_bytes_max);
        let (mut bytes, cut) = self.held.complete(Bytes::new(), self.frame_bytes_max);
        if !cut {
            let end = bytes.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0));
            bytes.truncate(end.map_or(0, |end| end + 1));
        }
        (!bytes.is_empty()).then_some(Frame { bytes, cut })
    }
}

/// Reads the start of a message: `123 <` opens an octet-counted one.
fn opening_of(bytes: &[u8], max: usize) -> Opening {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || bytes[0] == b'0' || digits > COUNT_DIGITS_MAX {
        return Opening::Line;
    }
    match &bytes[digits..] {
        [] | [b' '] => Opening::Undecided,
        [b' ', b'<'] => {
            let count =
                bytes[..digits].iter().fold(0, |n, digit| n * 10 + usize::from(digit - b'0'));
            let allowed = max.saturating_mul(COUNT_TIMES_MAX);
            if count > allowed { Opening::Nonsense } else { Opening::Octets(count, digits + 1) }
        }
        _ => Opening::Line,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(pieces: &[&[u8]], max: usize) -> (Vec<String>, u64) {
        let mut decoder = FrameDecoder::new(max);
        let mut frames = Vec::new();
        for piece in pieces {
            decoder.push(piece, &mut frames);
        }
        frames.extend(decoder.finish());
        let show = |frame: &Frame| {
            let cut = if frame.cut { "…" } else { "" };
            format!("{}{cut}", String::from_utf8_lossy(&frame.bytes))
        };
        (frames.iter().map(show).collect(), decoder.take_invalid())
    }

    #[test]
    fn framing_is_found_for_each_message() {
        let table: [(&[u8], &[&str]); 14] = [
            (b"<34>one\n<35>two\r\n<36>half", &["<34>one", "<35>two", "<36>half"]),
            (b"7 <34>one7 <35>two", &["<34>one", "<35>two"]),
            (b"8 <34>one\n8 <35>two\n", &["<34>one", "<35>two"]),
            (b"7 <34>one\n7 <35>two\n", &["<34>one", "<35>two"]),
            (b"<34>one\n7 <35>two<36>three\n", &["<34>one", "<35>two", "<36>three"]),
            (b"11 <34>one\ntwo<35>x\n", &["<34>one\ntwo", "<35>x"]),
            (b"20 <34>half", &["<34>half"]),
            (b"12", &["12"]),
            (b"12 ", &["12 "]),
            (b"12 monkeys\n", &["12 monkeys"]),
            (b"2026-11-21T00:11:50Z vm sshd\n", &["2026-11-21T00:11:50Z vm sshd"]),
            (b"123456789012 <34>x\n", &["123456789012 <34>x"]),
            (b"\n\r\n\0\n<34>a\0\n", &["<34>a"]),
            (b"1 <1 <", &["<", "<"]),
        ];
        for (bytes, frames) in table {
            assert_eq!(decode(&[bytes], 64).0, frames, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn long_messages_are_cut_and_nonsense_lengths_counted() {
        assert_eq!(decode(&[b"<34>123456\n<35>x\n"], 8).0, ["<34>1234…", "<35>x"]);
        assert_eq!(decode(&[b"10 <34>1234565 <35>x"], 8).0, ["<34>1234…", "<35>x"]);
        let nonsense = decode(&[b"999999999 <34>x\n7 <34>abc"], 64);
        assert_eq!(nonsense, (vec!["999999999 <34>x".to_owned(), "<34>abc".to_owned()], 1));
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let message = "<[0-9]{1,3}>[a-z \n]{0,8}";
        let piece = prop_oneof![
            message.prop_map(|m| format!("{} {m}", m.len()).into_bytes()),
            message.prop_map(|m| format!("{m}\n").into_bytes()),
            proptest::collection::vec(any::<u8>(), 0..12),
            "[0-9]{1,11} <?".prop_map(String::into_bytes),
        ];
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn split_points_do_not_matter(
            bytes in stream(),
            cuts in proptest::collection::vec(0usize..150, 0..8),
            max in 4usize..20,
        ) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(decode(&pieces, max), decode(&[&bytes], max));
        }

        #[test]
        fn both_framings_give_what_was_sent(
            messages in proptest::collection::vec(("<[0-9]{1,3}>[ -~]{0,20}", any::<bool>()), 0..10),
        ) {
            let frame = |(text, counted): &(String, bool)| match counted {
                true => format!("{} {text}", text.len()),
                false => format!("{text}\n"),
            };
            let bytes: String = messages.iter().map(frame).collect();
            let sent: Vec<_> = messages.iter().map(|(text, _)| text.clone()).collect();
            prop_assert_eq!(decode(&[bytes.as_bytes()], 64), (sent, 0));
        }
    }
}
