//! Parses the arguments, calls the command, prints the error, sets the exit code.
fn main() {}
