//! Counts user-mode instructions: the operation runs in a process of its own under callgrind.
//!
//! What the kernel would do with what is written is left out, and so is handing it over: collecting
//! stops in [`chasqui::shard::MemoryShard::write`].
//!
//! The profile of each run stays in `target/gates`, for `callgrind_annotate`.

use crate::chat::Failure;
use crate::operation::Operation;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The instructions of a whole process that repeats `operation`.
pub(crate) fn count(operation: Operation, count: u64) -> Result<u64, Failure> {
    let folder = Path::new("target/gates");
    fs::create_dir_all(folder)?;
    let profile = folder.join(format!("{}.{count}.callgrind", operation.name()));
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--toggle-collect=*MemoryShard*::write",
            "--collect-atstart=yes",
        ])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(std::env::current_exe()?)
        .args([operation.name(), &count.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("valgrind cannot be run ({error}): apt-get install valgrind"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let text = fs::read_to_string(&profile)?;
    let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.ok_or("the profile has no totals")?.trim().parse()?)
}
