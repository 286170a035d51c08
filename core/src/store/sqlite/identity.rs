//! Whether the file that is open is still the one that its name stands for.
//!
//! A file that was removed, renamed or replaced by a backup goes on taking writes of those who have it open, and whatever
//! they acknowledge is gone with them. So the writer looks before each commit.

use std::path::{Path, PathBuf};

/// The files of a database as they were when they were first written.
pub(super) struct Identity {
    file: Option<(PathBuf, Id)>,
    log: PathBuf,
    log_id: Option<Id>,
}

type Id = (u64, u64);

#[cfg(unix)]
fn id_of(path: &Path) -> Option<Id> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Files that are open cannot be removed or renamed here.
#[cfg(not(unix))]
fn id_of(_: &Path) -> Option<Id> {
    None
}

impl Identity {
    /// The identity of the file that has just been opened.
    pub(super) fn of(path: &Path) -> Self {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        Self { file: id_of(path).map(|id| (path.to_owned(), id)), log: PathBuf::from(log), log_id: None }
    }

    /// That of a database in memory, which cannot be lost.
    pub(super) fn in_memory() -> Self {
        Self { file: None, log: PathBuf::new(), log_id: None }
    }

    /// Whether what is committed now can be found by others.
    pub(super) fn holds(&mut self) -> bool {
        let Some((path, id)) = &self.file else { return true };
        if id_of(path) != Some(*id) {
            return false;
        }
        let log = id_of(&self.log);
        // It is there as long as anybody has the file open, from the first write on.
        if self.log_id.is_some() && self.log_id != log {
            return false;
        }
        self.log_id = log;
        true
    }
}
