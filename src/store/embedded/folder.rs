//! The data folder: who holds it, which format it has, which life it is in.
//!
//! ```text
//! LOCK     locked while a process uses the folder
//! FORMAT   the number of the format, decimal
//! EPOCH    the number of this life, decimal
//! rows/    the database
//! ```
//!
//! A file appears whole or not at all: it is written under another name, synced and renamed.
//! Without EPOCH a new life begins, so a backup leaves it out and every restore is a new life.

use super::OpenError;
use crate::model::Epoch;
use crate::store::copy::Purpose;
use rustix::fs::FlockOperation;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The newest format this version writes and reads.
const FORMAT: u32 = 1;

/// A data folder that this process holds.
pub(super) struct Folder {
    path: PathBuf,
    epoch: Epoch,
    /// Holds the lock until it is closed.
    _lock: File,
}

impl Folder {
    /// Takes hold of a folder, creating it if there is none and its purpose allows.
    pub(super) fn open(path: &Path, purpose: Purpose) -> Result<Self, OpenError> {
        if purpose == Purpose::Source && !path.join("FORMAT").exists() {
            return Err(OpenError::Absent(path.to_owned()));
        }
        let io_error = |source| OpenError::Io { path: path.to_owned(), source };
        // It holds password hashes and private messages: nobody else has business in it.
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io_error)?;
        let lock = lock(path)?;
        let format = read_number(&path.join("FORMAT")).map_err(io_error)?;
        let unusable = |reason| OpenError::Unusable { path: path.to_owned(), reason };
        match format {
            Stored::Absent if rows(path).exists() => {
                return Err(unusable("it holds rows, but no FORMAT file"));
            }
            Stored::Absent => {}
            Stored::Damaged => return Err(unusable("its FORMAT file is damaged")),
            Stored::Number(found) => check_format(path, found)?,
        }
        let is_new = matches!(format, Stored::Absent);
        let stored = match read_number(&path.join("EPOCH")).map_err(io_error)? {
            Stored::Absent => None,
            Stored::Damaged => return Err(unusable("its EPOCH file is damaged")),
            Stored::Number(number) => {
                Some(Epoch::new(number).ok_or_else(|| unusable("its EPOCH file is damaged"))?)
            }
        };
        let epoch = match (stored, purpose) {
            (Some(epoch), Purpose::Target(copied)) if epoch == copied => epoch,
            (None, Purpose::Target(copied)) if is_new => {
                write_number(path, "EPOCH", copied.get()).map_err(io_error)?;
                copied
            }
            (_, Purpose::Target(_)) => return Err(OpenError::Occupied(path.to_owned())),
            (Some(epoch), _) => epoch,
            (None, _) => new_epoch(path).map_err(io_error)?,
        };
        // After EPOCH, so that a folder which is to become a copy never is without the one it needs.
        if is_new {
            write_number(path, "FORMAT", FORMAT.into()).map_err(io_error)?;
        }
        Ok(Self { path: path.to_owned(), epoch, _lock: lock })
    }

    /// Where the database lies.
    pub(super) fn rows(&self) -> PathBuf {
        rows(&self.path)
    }

    /// The life the folder is in.
    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }
}

fn rows(path: &Path) -> PathBuf {
    path.join("rows")
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let io_error = |source| OpenError::Io { path: path.to_owned(), source };
    let mut open = File::options();
    open.create(true).truncate(false).write(true);
    let file = open.open(path.join("LOCK")).map_err(io_error)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse(path.to_owned())),
        Err(error) => Err(io_error(error.into())),
    }
}

fn check_format(path: &Path, found: u64) -> Result<(), OpenError> {
    let found = u32::try_from(found).unwrap_or(u32::MAX);
    if found > FORMAT {
        return Err(OpenError::NewerFormat { path: path.to_owned(), found, known: FORMAT });
    }
    Ok(())
}

/// Begins a new life, for whoever opens the folder from now on.
pub(super) fn new_epoch(path: &Path) -> io::Result<Epoch> {
    let epoch = loop {
        let bits = getrandom::u64().map_err(io::Error::other)?;
        if let Some(epoch) = Epoch::from_random(bits) {
            break epoch;
        }
    };
    write_number(path, "EPOCH", epoch.get())?;
    Ok(epoch)
}

/// A number kept in a file.
enum Stored {
    Absent,
    Damaged,
    Number(u64),
}

fn read_number(path: &Path) -> io::Result<Stored> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim_end().parse().map_or(Stored::Damaged, Stored::Number)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Stored::Absent),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(Stored::Damaged),
        Err(error) => Err(error),
    }
}

fn write_number(folder: &Path, name: &str, number: u64) -> io::Result<()> {
    let draft = folder.join(format!("{name}.new"));
    let mut file = File::create(&draft)?;
    writeln!(file, "{number}")?;
    file.sync_all()?;
    fs::rename(&draft, folder.join(name))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_by_one_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let held = Folder::open(folder.path(), Purpose::Use).expect("opens");
        let second = Folder::open(folder.path(), Purpose::Use);
        assert!(matches!(second, Err(OpenError::InUse(_))));
        drop(held);
        Folder::open(folder.path(), Purpose::Use).expect("opens once it is free");
    }

    #[test]
    fn a_folder_keeps_its_epoch_until_the_file_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let epoch = || Folder::open(folder.path(), Purpose::Use).expect("opens").epoch();
        let first = epoch();
        assert_eq!(epoch(), first);
        fs::remove_file(folder.path().join("EPOCH")).expect("there");
        assert_ne!(epoch(), first);
    }

    #[test]
    fn a_newer_format_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("FORMAT"), "2\n").expect("writable");
        let refused = Folder::open(folder.path(), Purpose::Use).err().expect("refused");
        assert!(matches!(refused, OpenError::NewerFormat { found: 2, known: 1, .. }));
        assert!(refused.to_string().contains("has format 2, but this version reads up to 1"));
        assert!(!folder.path().join("EPOCH").exists());
    }

    #[test]
    fn damaged_notes_are_refused() {
        for (name, text) in [("FORMAT", "one"), ("EPOCH", "0"), ("EPOCH", "\u{1f}")] {
            let folder = tempfile::tempdir().expect("a folder");
            fs::write(folder.path().join(name), text).expect("writable");
            let refused = Folder::open(folder.path(), Purpose::Use).err().expect("refused");
            assert!(matches!(refused, OpenError::Unusable { .. }), "{name}");
        }
    }

    #[test]
    fn rows_without_a_format_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("rows")).expect("writable");
        assert!(matches!(
            Folder::open(folder.path(), Purpose::Use),
            Err(OpenError::Unusable { .. })
        ));
    }
}
