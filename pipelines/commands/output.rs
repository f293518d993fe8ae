//! What commands print for others to read: to stdout, which may be a pipe whose reader has had enough.

use std::fmt::Display;
use std::io::{self, BufWriter, StdoutLock, Write};

use super::CommandError;

/// Stdout, written in large pieces. Remembers that its reader has gone, since not every writer in between hands
/// on the error as it was.
#[derive(Debug)]
pub struct Output<W: Write = StdoutLock<'static>> {
    out: BufWriter<W>,
    is_closed: bool,
}

impl Output {
    /// The process's own.
    #[must_use]
    pub fn stdout() -> Self {
        Output::new(io::stdout().lock())
    }
}

impl<W: Write> Output<W> {
    fn new(out: W) -> Self {
        Output { out: BufWriter::with_capacity(64 * 1024, out), is_closed: false }
    }

    /// What came of printing, which ends here: [`CommandError::Closed`] where the reader has gone, else `what`.
    ///
    /// # Errors
    /// The printing or the last piece of it.
    pub fn end<E>(mut self, what: &str, printed: Result<(), E>) -> Result<(), CommandError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let flushed = self.flush();
        if self.is_closed {
            return Err(CommandError::Closed);
        }
        printed.map_err(|error| CommandError::failed(what, error))?;
        flushed.map_err(|error| CommandError::failed(what, error))
    }

    fn noted<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        self.is_closed |= done.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        done
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.out.write(bytes);
        self.noted(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.out.flush();
        self.noted(done)
    }
}

/// Prints a text and a line end.
///
/// # Errors
/// [`CommandError::Closed`] where nobody reads it.
pub fn print_line(text: impl Display) -> Result<(), CommandError> {
    let mut out = Output::stdout();
    let printed = writeln!(out, "{text}");
    out.end("could not print", printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe that takes a few bytes, and then fails.
    struct Pipe {
        room: usize,
        kind: io::ErrorKind,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.room = self.room.checked_sub(bytes.len()).ok_or(self.kind)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn printed(room: usize, kind: io::ErrorKind) -> Result<(), CommandError> {
        let mut out = Output::new(Pipe { room, kind });
        // As writers do that make another error of it.
        let printed = out.write_all(b"three lines\n").map_err(|_| "the writer could not write");
        out.end("could not print", printed)
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure_of_ours() {
        assert!(matches!(printed(0, io::ErrorKind::BrokenPipe), Err(CommandError::Closed)));
        assert!(printed(100, io::ErrorKind::BrokenPipe).is_ok());
    }

    #[test]
    fn a_full_disk_behind_stdout_is_said() {
        let error = printed(0, io::ErrorKind::StorageFull).expect_err("it is full").to_string();
        assert!(error.starts_with("could not print: "), "{error}");
    }
}
