//! A disk that is made slow, outside the server: a preloaded library, built when it is needed, in which
//! each sync takes as long as a disk of a given speed takes for what was written since the last.

use crate::Failure;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment variable that tells the library how many bytes a second the disk takes.
pub(super) const RATE: &str = "SWARM_STORE_BYTES_PER_SECOND";

const SOURCE: &str = include_str!("throttle.c");

/// Builds the library at `target`.
pub(super) fn build(target: &Path) -> Result<PathBuf, Failure> {
    let source = target.with_extension("c");
    std::fs::write(&source, SOURCE)?;
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-o"])
        .arg(target)
        .arg(&source)
        .status()
        .map_err(|error| format!("a C compiler is needed for a slow disk: {error}"))?;
    if built.success() { Ok(target.to_owned()) } else { Err("throttle.c does not build".into()) }
}
