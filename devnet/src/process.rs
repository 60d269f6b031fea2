//! A process as `/proc` tells it: by number and start time, so that a number that the system gave
//! to somebody else is never signalled.

use crate::error::{DevnetError, io_error};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(20);
/// The unit in which Linux tells processor times, on every machine that this runs on.
const TICK_MS: u64 = 10;

/// A process, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessId {
    /// Its number.
    pub pid: u32,
    /// Clock ticks from the machine's start to its own.
    pub started_ticks: u64,
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pid.fmt(f)
    }
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    Running,
    Paused,
    Gone,
}

struct Stat {
    letter: char,
    started_ticks: u64,
}

impl ProcessId {
    /// The process that has this number now.
    ///
    /// # Errors
    /// [`DevnetError::Io`] when none has.
    pub fn of(pid: u32) -> Result<Self, DevnetError> {
        let stat = stat(pid).ok_or_else(|| {
            io_error(format!("process {pid}"))(io::Error::from(io::ErrorKind::NotFound))
        })?;
        Ok(Self { pid, started_ticks: stat.started_ticks })
    }

    pub(crate) fn activity(self) -> Activity {
        match stat(self.pid) {
            Some(stat) if stat.started_ticks == self.started_ticks => match stat.letter {
                'Z' | 'X' | 'x' => Activity::Gone,
                'T' | 't' => Activity::Paused,
                _ => Activity::Running,
            },
            _ => Activity::Gone,
        }
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_alive(self) -> bool {
        self.activity() != Activity::Gone
    }

    /// Sends a signal; nothing happens when it is gone.
    pub(crate) fn signal(self, signal: Signal) -> Result<(), DevnetError> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let Some(pid) = pid.filter(|_| self.is_alive()) else { return Ok(()) };
        match kill_process(pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(errno) => Err(io_error(format!("process {self}"))(io::Error::from(errno))),
        }
    }

    /// Waits until it has ended; false when it has not within `limit`.
    pub(crate) async fn ended_within(self, limit: Duration) -> bool {
        let begun = Instant::now();
        while self.is_alive() {
            if begun.elapsed() > limit {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
        true
    }

    /// Most memory that it has held at a time, in bytes; 0 when it is gone.
    #[must_use]
    pub fn peak_memory_bytes(self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes.filter(|_| self.is_alive()).unwrap_or(0).saturating_mul(1_024)
    }
}

/// Processor time that a process of this id has used with all its threads; zero when it is gone.
#[must_use]
pub fn processor_time(pid: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = text.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let spent = fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    Duration::from_millis(spent.sum::<u64>().saturating_mul(TICK_MS))
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may itself hold spaces and parentheses.
    let (_, fields) = text.rsplit_once(") ")?;
    let letter = fields.chars().next()?;
    let started_ticks = fields.split(' ').nth(19)?.parse().ok()?;
    Some(Stat { letter, started_ticks })
}
