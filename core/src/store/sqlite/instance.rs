//! Which engine instances of a database file are alive.
//!
//! A lease tells that an owner is gone only once it has run out. On one machine there is something better: every
//! instance holds a locked file in `<database>.instances/` for as long as it lives, and the kernel lets go of the lock
//! when the process dies, however it dies. Whoever can take an owner's lock knows that the owner is dead. A frozen
//! process keeps its lock, and so does a forked child of a dead one; for those there is the lease.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, ErrorCode, Result};

/// Held while an instance creates its lock file or the tables.
const SETUP_LOCK: &str = "setup.lock";

/// This instance's sign of life.
pub(super) struct InstanceLock {
    folder: PathBuf,
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl InstanceLock {
    pub(super) fn acquire(database: &Path, owner: &str) -> Result<Self> {
        let mut folder = database.as_os_str().to_owned();
        folder.push(".instances");
        let folder = PathBuf::from(folder);
        std::fs::create_dir(&folder).or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Ok(()),
            _ => Err(unusable(error)),
        })?;
        // Under the setup lock nobody takes a lock file that is being made for one of the dead.
        let setup = lock_setup(&folder)?;
        remove_stale(&folder);
        let path = lock_path(&folder, owner);
        let file = open(&path).map_err(unusable)?;
        file.try_lock().map_err(|error| unusable(io::Error::from(error)))?;
        drop(setup);
        Ok(Self { folder, path, file: Mutex::new(Some(file)) })
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    /// Runs `setup` while no other instance of this file runs its own: creating tables twice at once would fail.
    pub(super) fn with_exclusive_setup<T>(&self, setup: impl FnOnce() -> Result<T>) -> Result<T> {
        let _lock = lock_setup(&self.folder)?;
        setup()
    }

    pub(super) fn release(&self) {
        // Removed first: between the two, the name must not stand for a living instance.
        let _ = std::fs::remove_file(&self.path);
        self.file.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Whether no process holds the owner's lock. An owner without a lock file is dead too: the file is there before the
/// owner's first run, and is removed only after its last.
pub(super) fn is_dead(folder: &Path, owner: &str) -> bool {
    take_if_dead(&lock_path(folder, owner))
}

fn take_if_dead(path: &Path) -> bool {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) => return error.kind() == io::ErrorKind::NotFound,
    };
    match file.try_lock() {
        Ok(()) => {
            let _ = std::fs::remove_file(path);
            true
        }
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
    }
}

/// Held until the file is dropped.
fn lock_setup(folder: &Path) -> Result<File> {
    let file = open(&folder.join(SETUP_LOCK)).map_err(unusable)?;
    file.lock().map_err(unusable)?;
    Ok(file)
}

/// Removes what the dead left behind. Their runs stay recognizable: an owner without a file is dead.
fn remove_stale(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.file_name().is_some_and(|name| name != SETUP_LOCK) {
            take_if_dead(&path);
        }
    }
}

fn lock_path(folder: &Path, owner: &str) -> PathBuf {
    // The owner's name ends in a UUID; what stands before it is the host's and may hold anything.
    let unique = owner.rsplit('/').next().unwrap_or(owner);
    folder.join(format!("{unique}.lock"))
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn unusable(error: io::Error) -> Error {
    Error::new(ErrorCode::StoreUnavailable, format!("the store's folder cannot be written: {}", error.kind()))
        .with_detail("field", "store")
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_dead_are_dead() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("c.db");
        let alive = InstanceLock::acquire(&database, "a/1").unwrap();
        let gone = InstanceLock::acquire(&database, "a/2").unwrap();
        gone.file.lock().unwrap().take();
        assert!(!is_dead(&alive.folder(), "a/1"));
        assert!(is_dead(&alive.folder(), "a/2"));
        assert!(is_dead(&alive.folder(), "a/3"));
        alive.release();
        assert!(is_dead(&alive.folder(), "a/1"));
    }
}
