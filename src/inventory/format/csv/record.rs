//! Cuts a CSV file into records: a bounded one at a time, with the line of the file on which it begins.

use std::io::{BufRead, BufReader, Read};

use csv_core::ReadRecordResult;

use crate::error::Fault;
use crate::inventory::RowFault;
use crate::inventory::format::{ROW_BYTES_MAX, ReadError};

/// Reads records. The last one read is the current one.
pub(super) struct Records<R> {
    input: BufReader<R>,
    core: csv_core::Reader,
    /// The current record's cells, one after the other; where each ends; and how many there are.
    cells: Vec<u8>,
    ends: Vec<usize>,
    count: usize,
    /// The line on which the current record begins.
    line: u64,
    /// Line ends that have been read.
    line_ends: u64,
    bytes: u64,
}

impl<R: Read> Records<R> {
    pub(super) fn new(input: R) -> Self {
        Records {
            input: BufReader::with_capacity(64 * 1024, input),
            core: csv_core::Reader::new(),
            cells: vec![0; 4 * 1024],
            ends: vec![0; 64],
            count: 0,
            line: 0,
            line_ends: 0,
            bytes: 0,
        }
    }

    /// Goes on to the next record; false at the end of the file.
    pub(super) fn advance(&mut self) -> Result<bool, ReadError> {
        self.skip_line_ends()?;
        self.line = self.line_ends + 1;
        let start = self.bytes;
        let (mut cells, mut ends) = (0, 0);
        loop {
            let input = self.input.fill_buf()?;
            let (result, read, wrote, ended) =
                self.core.read_record(input, &mut self.cells[cells..], &mut self.ends[ends..]);
            self.line_ends += line_ends(&input[..read]);
            self.bytes += read as u64;
            self.input.consume(read);
            cells += wrote;
            ends += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.cells.resize(self.cells.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => {
                    self.count = ends;
                    return Ok(true);
                }
                ReadRecordResult::End => return Ok(false),
            }
            if self.bytes - start > ROW_BYTES_MAX as u64 {
                let fault = Fault::OpenRow { mib: ROW_BYTES_MAX / 1024 / 1024 };
                return Err(ReadError::Fault(RowFault::new(self.line, "", fault)));
            }
        }
    }

    /// What stands between two records, so that the next one's line is known before it is read.
    fn skip_line_ends(&mut self) -> Result<(), ReadError> {
        loop {
            let input = self.input.fill_buf()?;
            let skipped = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let more = skipped > 0 && skipped == input.len();
            self.line_ends += line_ends(&input[..skipped]);
            self.bytes += skipped as u64;
            self.input.consume(skipped);
            if !more {
                return Ok(());
            }
        }
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number of cells of the current record.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn cell(&self, index: usize) -> Option<&[u8]> {
        let ends = &self.ends[..self.count];
        let start = index.checked_sub(1).map_or(0, |before| ends.get(before).copied().unwrap_or(0));
        ends.get(index).map(|end| &self.cells[start..*end])
    }
}

fn line_ends(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(u64, Vec<String>)> {
        let mut records = Records::new(text.as_bytes());
        let mut all = vec![];
        while records.advance().unwrap() {
            let cells =
                (0..records.len()).map(|index| String::from_utf8_lossy(records.cell(index).unwrap()).into_owned());
            all.push((records.line(), cells.collect()));
        }
        assert_eq!(records.bytes(), text.len() as u64);
        all
    }

    #[test]
    fn records_know_their_lines() {
        for end in ["\n", "\r\n"] {
            let text = "\u{feff}h,t~a,1~b,\"x~y\"~~~c,5\" pipe~d,\"z".replace('~', end);
            let cells = |cells: [&str; 2]| cells.map(|cell| cell.replace('~', end)).to_vec();
            let expected = vec![
                (1, cells(["h", "t"])),
                (2, cells(["a", "1"])),
                (3, cells(["b", "x~y"])),
                (7, cells(["c", "5\" pipe"])),
                (8, cells(["d", "z"])),
            ];
            assert_eq!(read(&text), expected);
        }
    }

    #[test]
    fn a_record_is_bounded() {
        let text = format!("h\n\"{}", "x,\n".repeat(ROW_BYTES_MAX));
        let mut records = Records::new(text.as_bytes());
        assert!(records.advance().unwrap());
        match records.advance() {
            Err(ReadError::Fault(fault)) => assert_eq!(fault.line, 2),
            other => panic!("{other:?}"),
        }
    }
}
