//! Takes back what a killed process had written but not synced.
//!
//! `shim.c`, preloaded into the process, keeps the undo logs; this module builds it, tells a process to
//! load it, and undoes. Data first, newest change first, then names. See `shim.c` for the layout of the
//! side files and for what is not covered.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How much longer each sync takes: a disk that is not the fastest, so that kills hit the time between a
/// write and its sync as often as that between a sync and its answer.
const SYNC_DELAY_US: u64 = 3_000;

const UNDO_HEADER: usize = 16;
const RECORD_HEAD: usize = 32;
const NAME_RECORD: usize = 1040;
const NAME_BYTES: usize = 512;

/// The compiled shim and the folder it writes to.
#[derive(Debug)]
pub(crate) struct PowerCut {
    library: PathBuf,
    data: PathBuf,
    side: PathBuf,
}

/// What an undo took back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Undone {
    /// Changes of file contents.
    pub writes: usize,
    /// Created or renamed files.
    pub names: usize,
}

impl PowerCut {
    /// Compiles the shim to watch `data`. Its side files live in `scratch`, on the same file system
    /// as `data` but outside of it.
    pub(crate) fn new(data: &Path, scratch: &Path) -> io::Result<Self> {
        let library = scratch.join("shim.so");
        let side = scratch.join("side");
        fs::create_dir_all(&side)?;
        fs::create_dir_all(data)?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crash/shim.c");
        let status = Command::new("cc")
            .args(["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(source)
            .arg("-lpthread")
            .status()?;
        if !status.success() {
            return Err(io::Error::other("the shim does not compile"));
        }
        Ok(Self { library, data: data.to_owned(), side })
    }

    /// The environment that makes a process load the shim.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        vec![
            ("LD_PRELOAD".to_owned(), text(&self.library)),
            ("CRASH_SHIM_DATA".to_owned(), text(&self.data)),
            ("CRASH_SHIM_SIDE".to_owned(), text(&self.side)),
            ("CRASH_SHIM_SYNC_DELAY_US".to_owned(), SYNC_DELAY_US.to_string()),
        ]
    }

    /// Undoes everything unsynced and forgets it. The process must be dead.
    pub(crate) fn undo(&self) -> io::Result<Undone> {
        let mut files = HashMap::new();
        find_files(&self.data, &mut files)?;
        find_files(&self.side, &mut files)?;
        let mut undone = Undone::default();
        for entry in fs::read_dir(&self.side)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "undo") {
                let inode = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
                if let Some(file) = inode.and_then(|inode| files.get(&inode)) {
                    undone.writes += undo_writes(&fs::read(&path)?, file)?;
                }
            }
        }
        undone.names = self.undo_names()?;
        self.forget()?;
        Ok(undone)
    }

    /// Forgets what could be undone: the page cache survives this time. The process must be dead.
    pub(crate) fn forget(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.side)?;
        fs::create_dir_all(&self.side)
    }

    fn undo_names(&self) -> io::Result<usize> {
        let names = match fs::read(self.side.join("names")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            names => names?,
        };
        let mut undone = 0;
        for (index, record) in names.chunks_exact(NAME_RECORD).enumerate().rev() {
            let (live, rest) = (number(record, 0), &record[8..]);
            let (kind, from, to) = (rest[0], text(&rest[8..]), text(&rest[8 + NAME_BYTES..]));
            match (live, kind) {
                (1, b'c') if from.exists() => fs::remove_file(&from)?,
                (1, b'r') if to.exists() => {
                    fs::rename(&to, &from)?;
                    let kept = self.side.join(format!("{index}.kept"));
                    if kept.exists() {
                        fs::rename(&kept, &to)?;
                    }
                }
                _ => continue,
            }
            undone += 1;
        }
        Ok(undone)
    }
}

fn find_files(folder: &Path, files: &mut HashMap<u64, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            find_files(&entry.path(), files)?;
        } else if metadata.is_file() {
            files.insert(metadata.ino(), entry.path());
        }
    }
    Ok(())
}

/// A change as the undo log keeps it: what the range held before.
struct Change<'a> {
    size: u64,
    offset: u64,
    length: u64,
    kept: &'a [u8],
}

fn undo_writes(log: &[u8], path: &Path) -> io::Result<usize> {
    if log.len() < UNDO_HEADER {
        return Ok(0);
    }
    let mut rest = usize::try_from(number(log, 0)).ok().and_then(|start| log.get(start..));
    let mut changes = Vec::new();
    // A record cut short belongs to a change that was never made.
    while let Some(record) = rest.filter(|record| record.len() >= RECORD_HEAD) {
        let kept = usize::try_from(number(record, 24)).unwrap_or(usize::MAX);
        let Some(kept) = record[RECORD_HEAD..].get(..kept) else { break };
        let (size, offset, length) = (number(record, 0), number(record, 8), number(record, 16));
        changes.push(Change { size, offset, length, kept });
        rest = record.get(RECORD_HEAD + kept.len()..);
    }
    if changes.is_empty() {
        return Ok(0);
    }
    let file = OpenOptions::new().write(true).open(path)?;
    for change in changes.iter().rev() {
        restore(&file, change)?;
    }
    file.sync_all()?;
    Ok(changes.len())
}

fn restore(file: &File, change: &Change<'_>) -> io::Result<()> {
    const ZEROS: [u8; 4096] = [0; 4096];
    file.write_all_at(change.kept, change.offset)?;
    let end = change.offset + change.length;
    // Zeros beyond the present end need no writing: growing the file makes them.
    let zeros_end = end.min(file.metadata()?.len());
    let mut at = change.offset + u64::try_from(change.kept.len()).expect("it is in memory");
    while at < zeros_end {
        let count = usize::try_from(zeros_end - at).map_or(ZEROS.len(), |n| n.min(ZEROS.len()));
        file.write_all_at(&ZEROS[..count], at)?;
        at += u64::try_from(count).expect("at most a page");
    }
    file.set_len(change.size)
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn text(bytes: &[u8]) -> PathBuf {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(0);
    PathBuf::from(String::from_utf8_lossy(&bytes[..end]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, Write};

    const PROBE: &str = "CHASQUI_CRASH_PROBE";

    /// Runs in a process of its own, under the shim, and is killed at its end: writes, some of it
    /// synced. In the test's own process it does nothing.
    #[test]
    fn probe() {
        let Ok(folder) = std::env::var(PROBE) else { return };
        act(Path::new(&folder)).expect("the probe writes");
        std::process::abort();
    }

    fn act(folder: &Path) -> io::Result<()> {
        let sync_folder = || File::open(folder)?.sync_all();

        // Appended to: what follows the sync goes.
        let mut appended = File::create(folder.join("appended"))?;
        appended.write_all(b"synced")?;
        appended.sync_data()?;
        appended.write_all(b" and not")?;

        // Preallocated and written from the start, as a journal is.
        let mut journal = File::create(folder.join("journal"))?;
        journal.set_len(1 << 20)?;
        journal.sync_all()?;
        journal.write_all(b"first")?;
        journal.sync_data()?;
        journal.write_all(b"second")?;

        // Overwritten in place, cut, and overwritten again.
        let mut rewritten = File::create(folder.join("rewritten"))?;
        rewritten.write_all(b"the old content")?;
        rewritten.sync_all()?;
        rewritten.rewind()?;
        rewritten.write_all(b"THE")?;
        rewritten.set_len(5)?;
        rewritten.write_all_at(b"0123456789abcdefghij", 1)?;

        // Its name synced with the folder, its content not.
        File::create(folder.join("forgotten"))?.write_all(b"x")?;
        sync_folder()?;

        // Replaced: the name is durable only with its folder.
        fs::write(folder.join("one"), b"one")?;
        fs::write(folder.join("two"), b"two")?;
        for name in ["one", "two"] {
            File::open(folder.join(name))?.sync_all()?;
        }
        sync_folder()?;
        let replacement = folder.join("replacement");
        fs::write(&replacement, b"new one")?;
        File::open(&replacement)?.sync_all()?;
        fs::rename(&replacement, folder.join("one"))?;
        sync_folder()?;
        fs::write(&replacement, b"new two")?;
        File::open(&replacement)?.sync_all()?;
        fs::rename(&replacement, folder.join("two"))?;

        // Neither its content nor its name synced.
        File::create(folder.join("lost"))?.write_all(b"x")
    }

    #[test]
    fn a_power_cut_leaves_exactly_what_was_synced() {
        let scratch = tempfile::tempdir().expect("a folder");
        let data = scratch.path().join("data");
        let cut = PowerCut::new(&data, scratch.path()).expect("the shim builds");
        let status = Command::new(std::env::current_exe().expect("a path"))
            .args(["--exact", "power_cut::tests::probe"])
            .envs(cut.environment())
            .env(PROBE, &data)
            .output()
            .expect("it runs");
        assert!(!status.status.success(), "the probe ends by aborting");
        assert!(fs::read(data.join("appended")).is_ok_and(|bytes| bytes == b"synced and not"));

        let undone = cut.undo().expect("the side files are whole");

        let read = |name: &str| fs::read(data.join(name)).ok();
        assert_eq!(read("appended").as_deref(), Some(&b"synced"[..]));
        let journal = read("journal").expect("it was synced");
        assert_eq!(journal.len(), 1 << 20);
        assert!(journal.starts_with(b"first\0\0\0\0\0\0\0"));
        assert_eq!(read("rewritten").as_deref(), Some(&b"the old content"[..]));
        assert_eq!(read("forgotten").as_deref(), Some(&b""[..]));
        assert_eq!(read("lost"), None);
        assert_eq!(read("one").as_deref(), Some(&b"new one"[..]));
        assert_eq!(read("two").as_deref(), Some(&b"two"[..]));
        assert_eq!(read("replacement").as_deref(), Some(&b"new two"[..]));
        assert!(undone.writes >= 7 && undone.names >= 2, "{undone:?}");
        assert_eq!(cut.undo().expect("nothing is left"), Undone::default());
    }
}
