//! The tokenizer of text fields: [`crate::words`] for Tantivy, with marks where a raw line was
//! cut in two.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

use crate::words::{TEXT_BYTES_MAX, cut, lower, next_word};

/// First character of a message that was cut off the end of its raw line; a token of its own.
pub(crate) const MESSAGE_START: char = '\u{2}';
/// Last character of a raw line whose message was cut off; a token of its own.
pub(crate) const LINE_END: char = '\u{3}';

/// Gives the words of a text.
#[derive(Clone, Default)]
pub(crate) struct WordTokenizer {
    token: Token,
    buffer: String,
}

impl Tokenizer for WordTokenizer {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        self.token.reset();
        let (start, text) = match text.strip_prefix(MESSAGE_START) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (end, text) = match text.strip_suffix(LINE_END) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let rest = cut(text, TEXT_BYTES_MAX);
        WordStream { rest, start, end, token: &mut self.token, buffer: &mut self.buffer }
    }
}

/// The words still to come.
pub(crate) struct WordStream<'a> {
    rest: &'a str,
    start: bool,
    end: bool,
    token: &'a mut Token,
    buffer: &'a mut String,
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        self.token.text.clear();
        self.token.position = self.token.position.wrapping_add(1);
        if std::mem::take(&mut self.start) {
            self.token.text.push(MESSAGE_START);
            return true;
        }
        if let Some(word) = next_word(&mut self.rest) {
            self.token.text.push_str(lower(word, self.buffer));
            return true;
        }
        if std::mem::take(&mut self.end) {
            self.token.text.push(LINE_END);
            return true;
        }
        false
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}
