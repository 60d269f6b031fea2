//! RocksDB's write-ahead log, read before RocksDB reads it: whether it ends as a crash leaves it.
//! RocksDB takes a record whose length leads beyond the end of the file for one that was being
//! written, and drops it with all that follow; where a length was changed on the disk, those were
//! acknowledged blocks, votes or openings. Here they are looked for, and where there are any the
//! log counts as damaged. Changes nothing.
//!
//! Format (RocksDB, `db/log_format.h`): blocks of 32 KiB; in each, records of a masked CRC-32C over
//! type and data (4 bytes, little-endian), length (2), type (1), data; less than 7 bytes at a
//! block's end are padding.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

const BLOCK_BYTES: usize = 32 * 1024;
const HEAD_BYTES: usize = 7;

/// Types of records that are neither fragments nor recycled; others are not written here.
const LAST_TYPE: u8 = 4;

/// Longest that may stand in a log of 32 KiB blocks before it is no log of ours.
const MAX_LOG_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// How a log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With a whole record, or with an incomplete one that nothing follows.
    Crash,
    /// What follows a record that does not read was written before: something was changed.
    Damaged {
        /// Where the record begins that does not read.
        offset: u64,
    },
}

/// The first file of the write-ahead log in a database's directory that something other than a
/// crash has changed, with the place of the change.
///
/// # Errors
/// When the directory or a log in it cannot be read.
pub fn damaged_file(directory: &Path) -> io::Result<Option<(PathBuf, u64)>> {
    for file in files(directory)? {
        if let Ending::Damaged { offset } = ending(&file)? {
            return Ok(Some((file, offset)));
        }
    }
    Ok(None)
}

/// The files of the write-ahead log in a database's directory, oldest first.
///
/// # Errors
/// When the directory cannot be read.
pub fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for file in fs::read_dir(directory)? {
        let file = file?.path();
        if file.extension().is_some_and(|extension| extension == "log") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a log file to its end.
///
/// # Errors
/// When it cannot be read, or is longer than a log of RocksDB's can be.
pub fn ending(path: &Path) -> io::Result<Ending> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() > MAX_LOG_BYTES {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    let mut block = vec![0; BLOCK_BYTES];
    let mut offset = 0_u64;
    let mut broken: Option<u64> = None;
    loop {
        let length = read_block(&mut file, &mut block)?;
        let bytes = block.get(..length).unwrap_or_default();
        match broken {
            None => {
                if let Some(at) = scan(bytes) {
                    broken = Some(offset.saturating_add(u64::try_from(at).unwrap_or(0)));
                    let after = bytes.get(at..).unwrap_or_default();
                    if holds_more(after) {
                        return Ok(Ending::Damaged { offset: broken.unwrap_or(offset) });
                    }
                }
            }
            // A block begins with a record, so that no search is needed there.
            Some(offset) if record(bytes).is_some_and(|length| length > HEAD_BYTES) => {
                return Ok(Ending::Damaged { offset });
            }
            Some(_) => {}
        }
        offset = offset.saturating_add(u64::try_from(length).unwrap_or(0));
        if length < BLOCK_BYTES {
            return Ok(Ending::Crash);
        }
    }
}

fn read_block(file: &mut File, block: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            read => filled = filled.saturating_add(read),
        }
    }
    Ok(filled)
}

/// Where in a block the first record begins that does not read; none when it reads to its end.
fn scan(block: &[u8]) -> Option<usize> {
    let mut at = 0_usize;
    loop {
        let rest = block.get(at..).unwrap_or_default();
        let room = BLOCK_BYTES.saturating_sub(at);
        if rest.is_empty() || room < HEAD_BYTES {
            return None;
        }
        match record(rest) {
            Some(length) => at = at.saturating_add(length),
            None => return Some(at),
        }
    }
}

/// Length of the record that begins here with its head, if it reads.
fn record(bytes: &[u8]) -> Option<usize> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let [c0, c1, c2, c3, l0, l1, kind] = *head;
    let length = usize::from(u16::from_le_bytes([l0, l1]));
    let data = rest.get(..length)?;
    let sound = kind <= LAST_TYPE
        && kind > 0
        && masked(crc32c(&[&[kind], data])) == u32::from_le_bytes([c0, c1, c2, c3]);
    sound.then(|| HEAD_BYTES.saturating_add(length))
}

/// Whether the record that does not read, or one behind it, was whole once.
fn holds_more(bytes: &[u8]) -> bool {
    let behind = (1..bytes.len())
        .any(|at| bytes.get(at..).and_then(record).is_some_and(|length| length > HEAD_BYTES));
    behind || whole_under_another_length(bytes)
}

/// Whether the checksum is right for another length than the record says, or for another type.
fn whole_under_another_length(bytes: &[u8]) -> bool {
    let Some((head, data)) = bytes.split_first_chunk::<HEAD_BYTES>() else { return false };
    let [c0, c1, c2, c3, _, _, kind] = *head;
    let expected = u32::from_le_bytes([c0, c1, c2, c3]);
    let mut crc = update(!0, &[kind]);
    data.iter().any(|byte| {
        crc = update(crc, &[*byte]);
        masked(!crc) == expected
    })
}

/// CRC-32C (Castagnoli) as RocksDB stores it, so that the checksum of data that holds checksums is
/// no weak one (`util/crc32c.h`).
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

fn crc32c(parts: &[&[u8]]) -> u32 {
    !parts.iter().fold(!0, |crc, part| update(crc, part))
}

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0_u32; 256];
    let mut rest: &mut [u32] = &mut table;
    let mut byte = 0_u32;
    while let [first, others @ ..] = rest {
        let mut crc = byte;
        let mut bit = 0_u8;
        while bit < 8 {
            let carry = crc & 1 == 1;
            crc >>= 1;
            if carry {
                crc ^= 0x82f6_3b78;
            }
            bit = bit.wrapping_add(1);
        }
        *first = crc;
        byte = byte.wrapping_add(1);
        rest = others;
    }
    table
}

fn update(crc: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(crc, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        let entry = TABLE.get(usize::from(low ^ byte)).copied().unwrap_or(0);
        (crc >> 8) ^ entry
    })
}

#[cfg(test)]
mod tests;
