//! Parses the arguments, calls the command, prints the error, sets the exit code.

use std::process::ExitCode;

/// Gives memory back better and costs less per request than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    waxseal::cli::main()
}
