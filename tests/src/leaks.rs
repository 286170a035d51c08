//! Watches for keys where none may be: in log lines of any level and any library, and in files.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once};

/// The keys that tests give to engines. Whatever shows one of them has leaked it.
pub const TEST_KEYS: &[&str] = &[
    "test-key-0123456789",
    "sk-fault-key-0123456789",
    "sk-stored-key-0123456789",
    "AIza-other-key-0123456789",
    "stt-own-key-0123456789",
    "an application secret of these tests",
];

static LINES: AtomicUsize = AtomicUsize::new(0);
static LEAKS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Checked;

impl Write for Checked {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.fetch_add(1, Ordering::Relaxed);
        let line = String::from_utf8_lossy(bytes);
        if TEST_KEYS.iter().any(|key| line.contains(key)) {
            LEAKS.lock().expect("no panic").push(line.into_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Begins to look at every log line of this process, of every level.
pub fn watch_logs() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(|| Checked)
            .init();
    });
}

/// Panics when a log line so far, or a file in `folder`, has shown a key.
pub fn assert_no_key_was_shown(folder: &Path) {
    assert!(LINES.load(Ordering::Relaxed) > 0, "nothing is logged, so nothing can be seen");
    let leaks = LEAKS.lock().expect("no panic");
    assert!(leaks.is_empty(), "{} log lines show a key, such as {:?}", leaks.len(), leaks.first());
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        for key in TEST_KEYS {
            let shown = bytes.windows(key.len()).any(|window| window == key.as_bytes());
            assert!(!shown, "{} shows a key", path.display());
        }
    }
}
