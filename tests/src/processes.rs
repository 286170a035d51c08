//! Child processes that are spoken to line by line, and that are there to be killed or frozen.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A line of a child's, and when it arrived.
#[derive(Clone, Debug)]
pub struct Line {
    /// When.
    pub at: Instant,
    /// Without its end.
    pub text: String,
}

/// A running child. It is killed when it is dropped.
pub struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Line>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts `program`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start<S: AsRef<OsStr>>(
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = S>,
    ) -> std::io::Result<Self> {
        Self::start_with(program, arguments, [])
    }

    /// As [`Process::start`], with more in its environment.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub fn start_with<S: AsRef<OsStr>>(
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = S>,
        environment: impl IntoIterator<Item = (&'static str, String)>,
    ) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).envs(environment).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or_else(|| std::io::Error::other("the child has no output"))?;
        let (sender, lines) = channel();
        let reader = std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut bytes = Vec::new();
            // What a killed child had begun to say, without the line's end, was not said.
            while output.read_until(b'\n', &mut bytes).is_ok() && bytes.pop() == Some(b'\n') {
                let line = Line { at: Instant::now(), text: String::from_utf8_lossy(&bytes).into_owned() };
                bytes.clear();
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, input, lines, reader: Some(reader) })
    }

    /// The next line, unless there is none before `deadline` or the child has closed its output.
    ///
    /// # Errors
    /// Which of the two.
    pub fn next_line(&self, deadline: Instant) -> Result<Line, RecvTimeoutError> {
        self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    }

    /// The lines that are there already.
    pub fn lines_so_far(&self) -> Vec<Line> {
        self.lines.try_iter().collect()
    }

    /// Says a line to the child. One that is gone does not hear it.
    pub fn say(&mut self, line: &str) {
        if let Some(input) = &mut self.input {
            let _ = writeln!(input, "{line}").and_then(|()| input.flush());
        }
    }

    /// Closes the child's input.
    pub fn hang_up(&mut self) {
        self.input = None;
    }

    /// Kills the child without a word (SIGKILL) and returns what it had said.
    pub fn kill(&mut self) -> Vec<Line> {
        // It fails only when the child has ended already.
        let _ = self.child.kill();
        self.rest()
    }

    /// Stops the child where it stands (SIGSTOP); `false` when it is gone.
    pub fn freeze(&self) -> bool {
        self.signal("-STOP")
    }

    /// Lets a frozen child go on (SIGCONT); `false` when it is gone.
    pub fn wake(&self) -> bool {
        self.signal("-CONT")
    }

    /// Waits until the child ends by itself; `None` when it has not by `deadline`.
    pub fn until_ended(&mut self, deadline: Instant) -> Option<Vec<Line>> {
        let mut said = Vec::new();
        loop {
            match self.next_line(deadline) {
                Ok(line) => said.push(line),
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        said.extend(self.rest());
        Some(said)
    }

    /// The system's program, so that no code here is unsafe. The child has not been waited for, so the id is its own.
    fn signal(&self, name: &str) -> bool {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        sent.is_ok_and(|status| status.success())
    }

    fn rest(&mut self) -> Vec<Line> {
        self.input = None;
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        self.lines_so_far()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a line to standard output, for whoever started this process; it is there before anything else happens.
pub fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    // Without a reader nobody is left to tell.
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// The value below which the given share of `times` lies, in milliseconds; sorts them.
pub fn percentile_ms(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a rank")]
    let rank = ((times.len() as f64 * share).ceil() as usize).saturating_sub(1);
    times.get(rank).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}
