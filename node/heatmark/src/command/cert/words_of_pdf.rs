//! A PDF's words, read in a process of its own. A PDF from outside may make any reader of PDFs loop, fill its memory or
//! end in the middle: then this process ends, and the command says that the file cannot be read.
//! Refuses a file that takes more than 20 s, 2 GiB of memory or 64 MiB of words.

use super::super::answer::{Answer, Exit};
use super::super::failure::Failure;
use heatmark_reading::{Layout, MAX_PDF_BYTES, words_of_pdf};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const TIME: Duration = Duration::from_secs(20);
const PROCESSOR_SECONDS: u64 = 15;
const MEMORY_BYTES: u64 = 2 << 30;
const MAX_WORDS_BYTES: u64 = 64 << 20;

/// Reads the words of a PDF in another process.
pub(super) fn read(pdf: &[u8]) -> Result<Layout, String> {
    let program = std::env::current_exe().map_err(|_| "this program cannot be started again")?;
    let mut child = Command::new(program)
        .args(["cert", "words-of-pdf"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|_| "no process could be started to read the PDF")?;
    let read = exchange(&mut child, pdf);
    // Whatever came of it, nothing stays behind; a process that ended by itself cannot be killed.
    let _ = child.kill();
    let _ = child.wait();
    let bytes = read?;
    Layout::decode(&bytes).map_err(|error| error.to_string())
}

fn exchange(child: &mut Child, pdf: &[u8]) -> Result<Vec<u8>, String> {
    let failed = || "the PDF could not be read: damaged, encrypted, or made to do harm".to_owned();
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(failed());
    };
    let pdf = pdf.to_vec();
    // The other side may end without reading; that shows in its exit code.
    let writer = thread::spawn(move || drop(input.write_all(&pdf)));
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output.take(MAX_WORDS_BYTES).read_to_end(&mut bytes);
        read.map(|_| bytes)
    });
    let start = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if start.elapsed() < TIME => thread::sleep(Duration::from_millis(10)),
            _ => {
                // A process that has just ended cannot be killed.
                let _ = child.kill();
                return Err("the PDF could not be read: it takes too long".to_owned());
            }
        }
    };
    let bytes = reader.join().ok().and_then(Result::ok);
    // It has ended with its reader, one way or the other.
    let _ = writer.join();
    if status.success() { bytes.ok_or_else(failed) } else { Err(failed()) }
}

/// The other process: a PDF on standard input, its words on standard output.
pub(super) fn run() -> Result<Answer, Failure> {
    let failure = || Failure::input("the PDF cannot be read");
    for (resource, limit) in
        [(Resource::As, MEMORY_BYTES), (Resource::Cpu, PROCESSOR_SECONDS), (Resource::Core, 0)]
    {
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        setrlimit(resource, limit).map_err(|error| failure().because(error))?;
    }
    let limit = u64::try_from(MAX_PDF_BYTES).unwrap_or(u64::MAX);
    let mut pdf = Vec::new();
    io::stdin()
        .take(limit.saturating_add(1))
        .read_to_end(&mut pdf)
        .map_err(|error| failure().because(error))?;
    let layout = words_of_pdf(pdf).map_err(|error| failure().because(error))?;
    let json = serde_json::to_string(&layout).map_err(|error| failure().because(error))?;
    Ok(Answer::of(Exit::Yes, serde_json::Value::Null, json))
}
