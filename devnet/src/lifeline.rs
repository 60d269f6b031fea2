//! A named pipe whose writing end only the town's keeper holds, and that every node has as its
//! standard input: when the keeper is gone, however it went, the nodes read the end and stop.

use crate::error::{DevnetError, io_error};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

const NAME: &str = "lifeline";

/// The keeper's end.
#[derive(Debug)]
pub(crate) struct Lifeline {
    _end: File,
}

impl Lifeline {
    /// Makes the pipe of a town and holds it.
    pub(crate) fn hold(directory: &Path) -> Result<Self, DevnetError> {
        let path = path(directory);
        match mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0) {
            Ok(()) => {}
            Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => return Err(io_error(path.display())(io::Error::from(errno))),
        }
        // Opened for both, since opening for writing alone would wait for a reader.
        let end = OpenOptions::new().read(true).write(true).open(&path);
        Ok(Self { _end: end.map_err(io_error(path.display()))? })
    }
}

/// A node's end. Call it only while a keeper lives: else it waits for one.
pub(crate) fn reading_end(directory: &Path) -> Result<File, DevnetError> {
    let path = path(directory);
    File::open(&path).map_err(io_error(path.display()))
}

fn path(directory: &Path) -> PathBuf {
    directory.join(NAME)
}
