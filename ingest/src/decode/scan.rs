//! JSON in place: members in any order, slices of the payload in place of copies.
//!
//! Accepts exactly what RFC 8259 does, and `NaN`, `Infinity`, `-Infinity` where a value may stand, so that
//! such a reading can be rejected by itself. Nesting has the bound that serde_json has.

use super::number::{self, Number};
use super::text::{self, Text};

/// Arrays and objects within each other, at most.
const DEPTH_MAX: u8 = 127;

/// Where and how the payload stops being JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Syntax {
    pub(crate) at: usize,
    pub(crate) expected: &'static str,
}

pub(crate) type Scan<T> = Result<T, Syntax>;

/// A value: scalars read, objects as their raw text, checked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Token<'a> {
    Null,
    Bool(bool),
    Number(Number<'a>),
    /// `NaN`, `Infinity` or `-Infinity`.
    NonFinite(&'a str),
    Text(Text<'a>),
    Object(&'a str),
    Array,
}

impl Token<'_> {
    /// For messages: what it is.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Token::Null => "null",
            Token::Bool(_) => "a boolean",
            Token::Number(_) => "a number",
            Token::NonFinite(_) => "not a finite number",
            Token::Text(_) => "a text",
            Token::Object(_) => "an object",
            Token::Array => "an array",
        }
    }
}

/// Reads a text from front to back.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    depth: u8,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Scanner { text, bytes: text.as_bytes(), at: 0, depth: 0 }
    }

    pub(super) fn expected<T>(&self, expected: &'static str) -> Scan<T> {
        Err(Syntax { at: self.at, expected })
    }

    /// The next byte that is no white space, not yet taken; 0 at the end.
    #[inline]
    pub(crate) fn peek(&mut self) -> u8 {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(&byte) => return byte,
                None => return 0,
            }
        }
    }

    /// Nothing but white space may follow.
    pub(crate) fn end(&mut self) -> Scan<()> {
        self.peek();
        if self.at == self.bytes.len() { Ok(()) } else { self.expected("the end of the payload") }
    }

    /// Calls `member` for each member of the object that begins here; it must take the value.
    #[inline]
    pub(crate) fn members(&mut self, mut member: impl FnMut(&mut Self, Text<'a>) -> Scan<()>) -> Scan<()> {
        if self.peek() != b'{' {
            return self.expected("{");
        }
        self.enter()?;
        if self.peek() == b'}' {
            return self.leave();
        }
        loop {
            if self.peek() != b'"' {
                return self.expected("a member's name in double quotes");
            }
            let name = self.string()?;
            if self.peek() != b':' {
                return self.expected(":");
            }
            self.at += 1;
            member(self, name)?;
            match self.peek() {
                b',' => self.at += 1,
                b'}' => return self.leave(),
                _ => return self.expected(", or }"),
            }
        }
    }

    /// Calls `element` for each element of the array that begins here; it must take the value.
    #[inline]
    pub(crate) fn elements(&mut self, mut element: impl FnMut(&mut Self) -> Scan<()>) -> Scan<()> {
        if self.peek() != b'[' {
            return self.expected("[");
        }
        self.enter()?;
        if self.peek() == b']' {
            return self.leave();
        }
        loop {
            self.peek();
            element(self)?;
            match self.peek() {
                b',' => self.at += 1,
                b']' => return self.leave(),
                _ => return self.expected(", or ]"),
            }
        }
    }

    fn enter(&mut self) -> Scan<()> {
        if self.depth == DEPTH_MAX {
            return self.expected("at most 127 levels of nesting");
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "the last step of a scan")]
    fn leave(&mut self) -> Scan<()> {
        self.depth -= 1;
        self.at += 1;
        Ok(())
    }

    /// Takes a value of any kind.
    #[inline]
    pub(crate) fn value(&mut self) -> Scan<Token<'a>> {
        match self.peek() {
            b'"' => self.string().map(Token::Text),
            b'0'..=b'9' => number::read(self).map(Token::Number),
            b'-' if self.bytes.get(self.at + 1) == Some(&b'I') => {
                self.word("-Infinity").map(Token::NonFinite)
            }
            b'-' => number::read(self).map(Token::Number),
            b'{' => self.raw(|scanner| scanner.members(Self::skip_member)).map(Token::Object),
            b'[' => self.raw(|scanner| scanner.elements(Self::skip)).map(|_| Token::Array),
            b't' => self.word("true").map(|_| Token::Bool(true)),
            b'f' => self.word("false").map(|_| Token::Bool(false)),
            b'n' => self.word("null").map(|_| Token::Null),
            b'N' => self.word("NaN").map(Token::NonFinite),
            b'I' => self.word("Infinity").map(Token::NonFinite),
            _ => self.expected("a value"),
        }
    }

    /// The raw text that `read` takes.
    pub(crate) fn raw(&mut self, read: impl FnOnce(&mut Self) -> Scan<()>) -> Scan<&'a str> {
        let start = self.at;
        read(self)?;
        Ok(&self.text[start..self.at])
    }

    fn skip(&mut self) -> Scan<()> {
        self.value().map(drop)
    }

    fn skip_member(&mut self, _: Text<'a>) -> Scan<()> {
        self.skip()
    }

    fn word(&mut self, word: &'static str) -> Scan<&'static str> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return self.expected("a value");
        }
        self.at += word.len();
        Ok(word)
    }

    /// Takes a string whose opening quote comes next.
    #[inline]
    fn string(&mut self) -> Scan<Text<'a>> {
        self.at += 1;
        let start = self.at;
        let mut is_escaped = false;
        loop {
            self.at = text::stop(self.bytes, self.at);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    let raw = &self.text[start..self.at];
                    self.at += 1;
                    return Ok(Text { raw, is_escaped });
                }
                Some(b'\\') => {
                    is_escaped = true;
                    match text::escape(&self.bytes[self.at..]) {
                        Some((_, len)) => self.at += len,
                        None => return self.expected("a valid escape"),
                    }
                }
                Some(_) => return self.expected("no control character in a string"),
                None => return self.expected("the end of a string"),
            }
        }
    }
}
