//! From octets to the logical lines of one record: unfolded, without comments, with the number of their first line.

use std::io::{self, BufRead};
use std::ops::Range;

use bytes::Bytes;

use super::LdifError;

/// One line after unfolding.
pub(super) struct Line {
    /// Where it starts in the file, from 1.
    pub(super) number: u64,
    /// Without its line end.
    pub(super) text: Bytes,
}

impl Line {
    pub(super) fn error(&self, problem: impl Into<String>) -> LdifError {
        LdifError { line: self.number, problem: problem.into() }
    }
}

/// Longest logical line in octets.
pub(super) const MAXIMUM_LINE: usize = 16 * 1024 * 1024;
/// Most memory that the lines of one record may take, in octets.
pub(super) const MAXIMUM_RECORD: usize = 256 * 1024 * 1024;

/// A line while its record is read: its text is a range of the record's buffer.
struct LogicalLine {
    number: u64,
    text: Range<usize>,
    problem: Option<&'static str>,
}

impl LogicalLine {
    fn is_blank(&self) -> bool {
        self.text.is_empty() && self.problem.is_none()
    }
}

/// Cuts its input into records.
pub(super) struct LineReader<R> {
    input: R,
    /// Physical lines read so far.
    read: u64,
    failed: bool,
}

impl<R: BufRead> LineReader<R> {
    pub(super) fn new(input: R) -> LineReader<R> {
        LineReader { input, read: 0, failed: false }
    }

    /// The lines up to the next blank line; none at the end of the input. An error has consumed the record it is about; after a
    /// failure of the input there is nothing more.
    pub(super) fn record(&mut self) -> Option<Result<Vec<Line>, LdifError>> {
        if self.failed {
            return None;
        }
        match self.try_record() {
            Ok(record) => record,
            Err(error) => {
                self.failed = true;
                Some(Err(LdifError { line: self.read + 1, problem: format!("cannot be read: {error}") }))
            }
        }
    }

    /// All lines of a record share one buffer: values are slices of it, so a record costs one allocation and not one a line.
    fn try_record(&mut self) -> io::Result<Option<Result<Vec<Line>, LdifError>>> {
        let mut text = Vec::new();
        let mut lines = Vec::new();
        let mut problem = None;
        while let Some(line) = self.logical_line(&mut text)? {
            if problem.is_some() && !line.is_blank() {
                text.clear();
                continue;
            }
            if line.problem.is_some() {
                problem = line.problem.map(|problem| LdifError { line: line.number, problem: problem.into() });
                lines.clear();
            } else if line.is_blank() {
                if lines.is_empty() && problem.is_none() {
                    continue;
                }
                break;
            } else if text.get(line.text.start) == Some(&b'#') {
                text.truncate(line.text.start);
            } else {
                let number = line.number;
                lines.push(line);
                if text.len().saturating_add(lines.len() * size_of::<Line>()) > MAXIMUM_RECORD {
                    problem = Some(LdifError { line: number, problem: "the record is longer than 256 MiB".into() });
                    lines.clear();
                }
            }
        }
        if let Some(problem) = problem {
            return Ok(Some(Err(problem)));
        }
        let text = Bytes::from(text);
        let lines: Vec<Line> = lines.into_iter().map(|line| Line { number: line.number, text: text.slice(line.text) }).collect();
        Ok((!lines.is_empty()).then_some(Ok(lines)))
    }

    /// A physical line and the continuations (lines that start with a space) behind it, appended to the record's text.
    fn logical_line(&mut self, text: &mut Vec<u8>) -> io::Result<Option<LogicalLine>> {
        if self.peek()?.is_none() {
            return Ok(None);
        }
        let number = self.read + 1;
        // Behind a line that is not blank, this one would have been its continuation.
        let mut problem = (self.peek()? == Some(b' ')).then_some("a line that starts with a space continues none");
        let start = text.len();
        let mut fits = self.physical_line(text, start)?;
        if text.len() > start {
            while self.peek()? == Some(b' ') {
                self.input.consume(1);
                fits &= self.physical_line(text, start)?;
            }
        }
        if !fits {
            problem = Some("the line is longer than 16 MiB");
        }
        Ok(Some(LogicalLine { number, text: start..text.len(), problem }))
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.input.fill_buf() {
                Ok(buffer) => return Ok(buffer.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Appends one line without its end (LF or CR LF) to the logical line that begins at `logical`. What does not fit is read over, and
    /// reported as false.
    fn physical_line(&mut self, text: &mut Vec<u8>, logical: usize) -> io::Result<bool> {
        let start = text.len();
        let mut fits = true;
        while self.peek()?.is_some() {
            let buffer = self.input.fill_buf()?;
            let end = buffer.iter().position(|octet| *octet == b'\n');
            let piece = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            // One octet more, because it may be the CR of the line's end.
            if fits && text.len() - logical + piece.len() <= MAXIMUM_LINE + 1 {
                text.extend_from_slice(piece);
            } else {
                fits = false;
            }
            let consumed = piece.len() + usize::from(end.is_some());
            self.input.consume(consumed);
            if end.is_some() {
                break;
            }
        }
        self.read += 1;
        if text.len() > start && text.last() == Some(&b'\r') {
            text.pop();
        }
        Ok(fits && text.len() - logical <= MAXIMUM_LINE)
    }
}
