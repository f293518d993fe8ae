//! Lines of a file, plain or compressed, in place in one buffer.

use std::io::{self, Read};
use std::ops::Range;

use memchr::memchr;

/// A longer line is passed over, but for its beginning.
pub const LINE_BYTES_MAX: usize = 64 << 20;

/// What is kept of a line that is too long.
const CUT_BYTES: usize = 64 << 10;

/// How far one can look ahead.
const PIECE_BYTES: usize = 256 << 10;

/// Asked of the file at a time, where nobody looks ahead: it is in the processor's cache until its lines have been read.
const READ_BYTES: usize = 64 << 10;

/// Holds the longest line and a piece behind it.
const BUFFER_BYTES_MAX: usize = LINE_BYTES_MAX + PIECE_BYTES;

/// A line: its place in [`Lines::bytes`], without its end and without white space around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Whole(Range<usize>),
    /// The beginning of a line that is too long.
    Cut(Range<usize>),
    End,
}

pub(super) struct Lines {
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// What was read and not yet handed out.
    ready: Range<usize>,
    is_at_end: bool,
    number: u64,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines")
            .field("number", &self.number)
            .field("ready", &self.ready)
            .finish_non_exhaustive()
    }
}

impl Lines {
    pub(super) fn new(mut input: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut magic = Vec::new();
        input.by_ref().take(4).read_to_end(&mut magic)?;
        let (is_gzip, is_zstd) = (magic.starts_with(&[0x1f, 0x8b]), magic == [0x28, 0xb5, 0x2f, 0xfd]);
        let whole = io::Cursor::new(magic).chain(input);
        let input: Box<dyn Read + Send> = if is_gzip {
            Box::new(flate2::read::MultiGzDecoder::new(io::BufReader::new(whole)))
        } else if is_zstd {
            Box::new(zstd::stream::read::Decoder::new(whole)?)
        } else {
            Box::new(whole)
        };
        let mut lines =
            Lines { input, buffer: vec![0; PIECE_BYTES], ready: 0..0, is_at_end: false, number: 0 };
        lines.skip_byte_order_mark()?;
        Ok(lines)
    }

    /// What lines' ranges are places in. Valid until the next line is asked for.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Number of the line handed out last, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The lines that come next, as far as one piece holds them, possibly with a torn last one.
    pub(super) fn look_ahead(&mut self) -> io::Result<&[u8]> {
        while !self.is_at_end && self.ready.len() < PIECE_BYTES {
            self.read_on()?;
        }
        Ok(&self.buffer[self.ready.clone()])
    }

    /// Where the next line begins, and what was read from there on.
    #[inline]
    pub(super) fn ready(&self) -> (usize, &[u8]) {
        (self.ready.start, &self.buffer[self.ready.clone()])
    }

    /// Passes over a line, of which the length counts its line feed.
    #[inline]
    pub(super) fn pass(&mut self, len: usize) {
        self.ready.start += len;
        self.number += 1;
    }

    /// The next line that is not empty.
    pub(super) fn next(&mut self) -> io::Result<Line> {
        loop {
            let (line, is_cut) = match self.raw_line()? {
                Some(found) => found,
                None => return Ok(Line::End),
            };
            self.number += 1;
            let text = &self.buffer[line.clone()];
            let (start, end) = (line.start + blanks(text.iter()), line.end - blanks(text.iter().rev()));
            if is_cut {
                return Ok(Line::Cut(line));
            }
            if start < end {
                return Ok(Line::Whole(start..end));
            }
        }
    }

    /// A line without its line feed, and whether it is only the beginning of one.
    fn raw_line(&mut self) -> io::Result<Option<(Range<usize>, bool)>> {
        let mut searched = 0;
        loop {
            let unsearched = &self.buffer[self.ready.start + searched..self.ready.end];
            if let Some(len) = memchr(b'\n', unsearched) {
                let line = self.ready.start..self.ready.start + searched + len;
                self.ready.start = line.end + 1;
                let is_cut = line.len() > LINE_BYTES_MAX;
                let end = if is_cut { line.start + CUT_BYTES } else { line.end };
                return Ok(Some((line.start..end, is_cut)));
            }
            searched = self.ready.len();
            if searched > LINE_BYTES_MAX {
                return self.pass_over().map(Some);
            }
            if self.is_at_end {
                let line = self.ready.clone();
                self.ready.start = line.end;
                return Ok((!line.is_empty()).then_some((line, false)));
            }
            self.read_on()?;
        }
    }

    /// Keeps the beginning of a line that is too long and drops the rest.
    fn pass_over(&mut self) -> io::Result<(Range<usize>, bool)> {
        self.buffer.copy_within(self.ready.start..self.ready.start + CUT_BYTES, 0);
        self.buffer.truncate(CUT_BYTES + PIECE_BYTES);
        self.buffer.shrink_to_fit();
        loop {
            self.ready = CUT_BYTES..CUT_BYTES;
            self.read_on()?;
            if let Some(len) = memchr(b'\n', &self.buffer[self.ready.clone()]) {
                self.ready.start += len + 1;
                return Ok((0..CUT_BYTES, true));
            }
            if self.is_at_end {
                self.ready.start = self.ready.end;
                return Ok((0..CUT_BYTES, true));
            }
        }
    }

    /// Reads once, behind what is ready; makes room for it first.
    fn read_on(&mut self) -> io::Result<()> {
        // Into the same memory as before, once little is left in it.
        if self.ready.start >= READ_BYTES && self.ready.len() <= READ_BYTES / 8 {
            self.buffer.copy_within(self.ready.clone(), 0);
            self.ready = 0..self.ready.len();
        }
        if self.ready.end == self.buffer.len() {
            let is_full_size = self.buffer.len() >= BUFFER_BYTES_MAX;
            if self.ready.start >= CUT_BYTES.max(self.ready.len()) || (is_full_size && self.ready.start > 0) {
                self.buffer.copy_within(self.ready.clone(), 0);
                self.ready = 0..self.ready.len();
            } else {
                self.buffer.resize((self.buffer.len() * 2).min(BUFFER_BYTES_MAX), 0);
            }
        }
        loop {
            let end = self.buffer.len().min(self.ready.end + READ_BYTES);
            match self.input.read(&mut self.buffer[self.ready.end..end]) {
                Ok(len) => {
                    self.is_at_end = len == 0;
                    self.ready.end += len;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn skip_byte_order_mark(&mut self) -> io::Result<()> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        while !self.is_at_end && self.ready.len() < MARK.len() {
            self.read_on()?;
        }
        if self.buffer[self.ready.clone()].starts_with(MARK) {
            self.ready.start += MARK.len();
        }
        Ok(())
    }
}

fn blanks<'a>(bytes: impl Iterator<Item = &'a u8>) -> usize {
    bytes.take_while(|byte| byte.is_ascii_whitespace()).count()
}
