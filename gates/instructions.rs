//! Counts user-mode instructions: the operation runs in a process of its own under callgrind.
//!
//! What the kernel would do with what is written is left out, and so is handing it over; of storage,
//! caller and commit thread are counted apart.
//!
//! The profile of each run stays in `target/gates`, for `callgrind_annotate`.

use crate::chat::Failure;
use crate::operation::Operation;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where instructions are counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counted {
    /// Everywhere but in [`chasqui::shard::MemoryShard::write`].
    AllButWriting,
    /// In one function and all that it calls, by a pattern of its name.
    Function(&'static str),
    /// In the one thread whose functions have this in a name.
    Thread(&'static str),
}

/// The instructions of a process that repeats `operation`.
pub(crate) fn count(operation: Operation, count: u64) -> Result<u64, Failure> {
    let folder = Path::new("target/gates");
    fs::create_dir_all(folder)?;
    let profile = folder.join(format!("{}.{count}.callgrind", operation.name()));
    let counted = operation.counted();
    let options = match counted {
        Counted::AllButWriting => {
            ["--toggle-collect=*MemoryShard*::write".into(), "--collect-atstart=yes".into()]
        }
        Counted::Function(name) => {
            [format!("--toggle-collect={name}"), "--collect-atstart=no".into()]
        }
        Counted::Thread(_) => ["--separate-threads=yes".into(), "--collect-atstart=yes".into()],
    };
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .args(options)
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(std::env::current_exe()?)
        .args([operation.name(), &count.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("valgrind cannot be run ({error}): apt-get install valgrind"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    match counted {
        Counted::AllButWriting | Counted::Function(_) => total(&fs::read_to_string(&profile)?),
        Counted::Thread(name) => total(&of_thread(&profile, name)?),
    }
}

fn total(profile: &str) -> Result<u64, Failure> {
    let total = profile.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    match total.ok_or("the profile has no totals")?.trim().parse()? {
        0 => Err("nothing was counted: was what is counted renamed or inlined?".into()),
        total => Ok(total),
    }
}

/// The profile of the thread with such a function: each thread has a file, numbered from 1.
fn of_thread(profile: &Path, function: &str) -> Result<String, Failure> {
    for thread in 1.. {
        let file = format!("{}-{thread:02}", profile.display());
        let text = fs::read_to_string(&file)
            .map_err(|error| format!("no thread runs {function}: {error}"))?;
        if text.contains(function) {
            return Ok(text);
        }
    }
    Err("no thread at all".into())
}
