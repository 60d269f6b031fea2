//! The binary `heatmark`: parses the command line and hands over.

use std::process::ExitCode;

fn main() -> ExitCode {
    heatmark::command::main()
}
