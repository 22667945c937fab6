//! The `chasqui` binary: arguments, configuration, exit status; nothing else.

fn main() {}
