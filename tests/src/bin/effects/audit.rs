//! What was counted, against what the runs were told.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};
use turnkeep::RunId;
use turnkeep_tests::stage::{Observer, column};

const UNKNOWN: &str = "whether it took effect is unknown";

#[derive(Default)]
pub(crate) struct Audit {
    /// Calls with effects that are told to be done, and how often those and all others of these tools have counted.
    done: usize,
    counted: usize,
    not_done: usize,
    unknown_with_effects: usize,
    unknown_without: usize,
    repeated: usize,
    violations: Vec<String>,
}

impl Audit {
    pub(crate) fn is_clean(&self) -> bool {
        self.violations.is_empty() && self.done == self.counted && self.unknown_with_effects == 0
    }

    fn call(&mut self, run_id: RunId, part: &Value, counts: &mut BTreeMap<String, usize>) {
        let name = format!("{run_id}/{}", part["toolCallId"].as_str().unwrap_or_default());
        let count = counts.remove(&name).unwrap_or(0);
        let (is_done, error) = (part["state"] == "output-available", part["errorText"].as_str().unwrap_or_default());
        let is_unknown = error.contains(UNKNOWN);
        let mut broken = |what: &str| self.violations.push(format!("{what}: {name} counted {count} times: {part}"));
        if !is_done && part["state"] != "output-error" {
            broken("a call has no outcome");
        }
        match part["type"].as_str() {
            Some("tool-count") => {
                if count != usize::from(is_done) {
                    broken("a tool with effects");
                }
                if is_done && part["output"] != json!({"counted": name}) {
                    broken("an output is not what was noted");
                }
                self.counted += count;
                self.done += usize::from(is_done);
                self.not_done += usize::from(!is_done);
                self.unknown_with_effects += usize::from(is_unknown);
            }
            Some("tool-put") => {
                if is_done && count == 0 {
                    broken("an idempotent tool");
                }
                self.repeated += usize::from(count > 1);
            }
            _ => {
                if count > 1 || (is_done && count == 0) {
                    broken("a tool that declares nothing");
                }
                self.unknown_without += usize::from(is_unknown);
            }
        }
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, counted, not_done, unknown_with_effects, unknown_without, repeated, violations } = self;
        write!(
            f,
            "done={done} counted={counted} not_done={not_done} unknown={unknown_with_effects} \
             unknown_undeclared={unknown_without} repeated_idempotent={repeated} violations={}",
            violations.len()
        )
    }
}

/// Reads all of it.
pub(crate) fn audit(store: &str, runs: &[RunId]) -> Result<Audit, String> {
    let mut database = Observer::open(store)?;
    let mut counts = BTreeMap::new();
    for row in database.rows("SELECT call, COUNT(*) AS times FROM counted GROUP BY call", "")? {
        let times = column(&row, "times").and_then(|times| times.parse().ok()).unwrap_or(0);
        counts.insert(column(&row, "call").unwrap_or_default(), times);
    }
    let mut audit = Audit::default();
    for run_id in runs {
        const STEPS: &str = "SELECT parts FROM ai_chat_run_steps WHERE run_id = ?1";
        for row in database.rows(STEPS, &run_id.to_string())? {
            let parts: Vec<Value> =
                serde_json::from_str(&column(&row, "parts").unwrap_or_default()).map_err(|error| error.to_string())?;
            parts.iter().filter(|part| part["toolCallId"].is_string()).for_each(|part| {
                audit.call(*run_id, part, &mut counts);
            });
        }
    }
    let forgotten = counts.into_iter().map(|(name, times)| format!("{name} counted {times} times and is in no log"));
    audit.violations.extend(forgotten);
    audit.violations.iter().take(20).for_each(|violation| eprintln!("{violation}"));
    Ok(audit)
}
