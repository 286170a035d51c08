//! The wire of a program: a message is a line that it reads, and a line that it writes.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::channel::{Channel, Out};
use super::failure::McpFailure;
use super::http::MOST_BYTES;
use super::wire::{Heard, Program};

/// A program that runs. It is ended when this is dropped.
pub(super) struct Running(Mutex<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        let mut child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        // It is dead or dying: this takes it out of the list of processes.
        let _ = child.wait();
    }
}

/// Starts the program. It gets what it is given for its environment and `PATH`, and nothing else of ours: there may be
/// secrets in it.
pub(super) fn open(
    program: &Program,
    heard: Arc<Heard>,
    silence: Duration,
) -> Result<(Arc<Channel>, Arc<Running>), McpFailure> {
    let failed = |error: std::io::Error| McpFailure::NotReached(format!("its program: {}", error.kind()));
    let mut command = Command::new(&program.command);
    command.args(&program.arguments).env_clear().envs(path_of_ours()).envs(&program.environment);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(failed)?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let running = Arc::new(Running(Mutex::new(child)));
    let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else {
        return Err(McpFailure::NotReached("its program has no pipes".to_owned()));
    };
    let (lines, mut to_write) = mpsc::unbounded_channel::<String>();
    let channel = Arc::new(Channel::new(Out::Lines(lines), heard, silence));
    // Pipes block: each has a thread that ends with the program, or with the channel.
    let runtime = tokio::runtime::Handle::current();
    let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
        std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(failed)
    };
    spawn(
        "mcp-write",
        Box::new(move || {
            while let Some(line) = to_write.blocking_recv() {
                if writeln!(stdin, "{line}").and_then(|()| stdin.flush()).is_err() {
                    return;
                }
            }
        }),
    )?;
    let read = Arc::downgrade(&channel);
    spawn(
        "mcp-read",
        Box::new(move || {
            let mut reader = BufReader::new(stdout);
            while let Some(line) = line(&mut reader) {
                let Some(channel) = read.upgrade() else { return };
                runtime.block_on(channel.deliver(&line));
            }
            if let Some(channel) = read.upgrade() {
                channel.close();
            }
        }),
    )?;
    Ok((channel, running))
}

#[allow(clippy::disallowed_methods, reason = "a program is found where this process finds it")]
fn path_of_ours() -> Option<(&'static str, std::ffi::OsString)> {
    Some(("PATH", std::env::var_os("PATH")?))
}

/// A line of bounded length; nothing when there is none any more.
fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    let most = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX);
    reader.take(most).read_until(b'\n', &mut line).ok()?;
    // Without its end it was too long, or the program's last words.
    if line.pop() == Some(b'\n') { Some(String::from_utf8_lossy(&line).into_owned()) } else { None }
}
