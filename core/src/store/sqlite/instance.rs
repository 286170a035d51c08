//! Which engine instances of a database file are alive.
//!
//! A lease tells that an owner is gone only once it has run out. On one machine there is something better: every
//! instance holds a locked file in `<database>.instances/` for as long as it lives, and the kernel lets go of the lock
//! when the process dies, however it dies. Whoever can take an owner's lock knows that the owner is dead. A frozen
//! process keeps its lock, and so does a forked child of a dead one; for those there is the lease. That there is no lock
//! proves nothing: the same file may have been opened by a name of which this folder is not beside.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorCode, Result};

/// Held while an instance creates its lock file or the tables.
const SETUP_LOCK: &str = "setup.lock";

/// How long another process may take for that.
const SETUP_DEADLINE: Duration = Duration::from_secs(30);
const SETUP_WAIT: Duration = Duration::from_millis(2);

/// This instance's proof of life.
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
        private_folder(&folder).or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Ok(()),
            _ => Err(unusable(error)),
        })?;
        // Under the setup lock nobody takes a lock file that is being made for one of the dead.
        let setup = lock_setup(&folder)?;
        let path = lock_path(&folder, owner);
        let file = open(&path).map_err(unusable)?;
        file.try_lock().map_err(|error| unusable(io::Error::from(error)))?;
        drop(setup);
        Ok(Self { folder, path, file: Mutex::new(Some(file)) })
    }

    /// What no other instance's name ends in.
    pub(super) fn unique(&self) -> String {
        self.path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    /// Runs `setup` while no other instance of this file runs its own: creating tables twice at once would fail.
    pub(super) fn with_exclusive_setup<T>(&self, setup: impl FnOnce() -> Result<T>) -> Result<T> {
        let _lock = lock_setup(&self.folder)?;
        setup()
    }

    /// Lets go of the lock. The file goes, too, unless runs of this instance are left, which are then seen to be a dead
    /// one's.
    pub(super) fn release(&self, leaves_runs: bool) {
        if !leaves_runs {
            // Removed first: between the two, the name must not stand for a living instance.
            let _ = std::fs::remove_file(&self.path);
        }
        self.let_go();
    }

    pub(super) fn let_go(&self) {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Removes what the dead have left behind, except of those owners whose runs are still to be settled.
    pub(super) fn remove_stale(&self, has_runs: impl Fn(&str) -> bool) {
        let Ok(_setup) = lock_setup(&self.folder) else { return };
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let Some(owner) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".lock")) else { continue };
            if path.file_name().is_some_and(|name| name != SETUP_LOCK)
                && life_at(&path) == Life::Dead
                && !has_runs(owner)
            {
                let _ = std::fs::remove_file(&path);
            }
        }
    }
}

/// What is known of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It holds its lock. It may be frozen.
    Alive,
    /// It has had a lock and holds it no more.
    Dead,
    /// There is no lock of its name: it may have reached the file in another way, or it is long gone.
    Unknown,
}

/// What is known of this owner.
pub(super) fn life_of(folder: &Path, owner: &str) -> Life {
    life_at(&lock_path(folder, owner))
}

fn life_at(path: &Path) -> Life {
    let Ok(file) = OpenOptions::new().read(true).write(true).open(path) else { return Life::Unknown };
    match file.try_lock_shared() {
        Ok(()) => Life::Dead,
        Err(TryLockError::WouldBlock) => Life::Alive,
        Err(TryLockError::Error(_)) => Life::Unknown,
    }
}

/// Held until the file is dropped.
fn lock_setup(folder: &Path) -> Result<File> {
    let file = open(&folder.join(SETUP_LOCK)).map_err(unusable)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
            Err(TryLockError::WouldBlock) if begun.elapsed() < SETUP_DEADLINE => std::thread::sleep(SETUP_WAIT),
            Err(TryLockError::WouldBlock) => return Err(held()),
        }
    }
}

fn lock_path(folder: &Path, owner: &str) -> PathBuf {
    // The owner's name ends in a UUID; what stands before it is the host's and may hold anything.
    let unique = owner.rsplit('/').next().unwrap_or(owner);
    folder.join(format!("{unique}.lock"))
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// For its owner only: what lies beside the database says who uses it.
fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn held() -> Error {
    let message = format!(
        "the store cannot be opened: another process has been opening it for {} s and holds {SETUP_LOCK} in the folder \
         beside it",
        SETUP_DEADLINE.as_secs()
    );
    Error::new(ErrorCode::StoreUnavailable, message).with_detail("field", "store")
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
        gone.let_go();
        assert_eq!(life_of(&alive.folder(), "a/1"), Life::Alive);
        assert_eq!(life_of(&alive.folder(), "a/2"), Life::Dead);
        assert_eq!(life_of(&alive.folder(), "a/3"), Life::Unknown);
        alive.release(true);
        assert_eq!(life_of(&alive.folder(), "a/1"), Life::Dead);
    }

    #[test]
    fn the_dead_are_known_as_long_as_they_have_runs() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("c.db");
        let alive = InstanceLock::acquire(&database, "a/1").unwrap();
        for owner in ["a/2", "a/3"] {
            InstanceLock::acquire(&database, owner).unwrap().let_go();
        }
        alive.remove_stale(|owner| owner == "2");
        assert_eq!(life_of(&alive.folder(), "a/1"), Life::Alive);
        assert_eq!(life_of(&alive.folder(), "a/2"), Life::Dead);
        assert_eq!(life_of(&alive.folder(), "a/3"), Life::Unknown);
    }
}
