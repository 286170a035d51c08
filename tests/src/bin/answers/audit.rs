//! What was asked, answered and made, against what the runs' logs say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;
use turnkeep_tests::stage::{Observer, column};

use crate::script;

const UNKNOWN: &str = "unknown";
const EXPIRED: &str = "nobody answered";
/// What is said of a call that the model was in the middle of when its answer broke off: nobody was asked.
const CUT_OFF: &str = "The tool call did not complete.";
/// What may be said to an answer that is not taken.
const REFUSALS: [&str; 4] = ["NOT_WAITING", "ANSWER_EXPIRED", "ANSWER_MISMATCH", "STORE_UNAVAILABLE"];

/// A call of a run.
type Call = (String, String);

/// What the processes have said, kept where no kill reaches it.
#[derive(Default)]
pub(crate) struct Told {
    given: BTreeMap<Call, BTreeSet<String>>,
    taken: BTreeMap<Call, Vec<String>>,
    refused: BTreeMap<String, usize>,
    /// How often each moment of a run was come to.
    pub(crate) moments: BTreeMap<String, usize>,
}

impl Told {
    /// Notes a line; returns which moment it tells of.
    pub(crate) fn note(&mut self, line: &str) -> Option<&'static str> {
        let words: Vec<&str> = line.split(' ').collect();
        let moment = match words.as_slice() {
            ["gives", run, call, mark] => {
                self.given.entry(((*run).into(), (*call).into())).or_default().insert((*mark).into());
                "gives"
            }
            ["took", run, call, mark] => {
                self.taken.entry(((*run).into(), (*call).into())).or_default().push((*mark).into());
                "took"
            }
            ["refused", code] => {
                *self.refused.entry((*code).into()).or_default() += 1;
                return None;
            }
            ["asking"] => "asking",
            ["making"] => "making",
            ["made"] => "made",
            _ => return None,
        };
        *self.moments.entry(moment.to_owned()).or_default() += 1;
        Some(moment)
    }
}

#[derive(Default)]
pub(crate) struct Audit {
    runs: usize,
    calls: usize,
    made: usize,
    edited: usize,
    denied: usize,
    expired: usize,
    unknown: usize,
    cut_off: usize,
    lost: usize,
    made_twice: usize,
    stuck: usize,
    late: usize,
    wrong: usize,
}

impl Audit {
    pub(crate) fn is_clean(&self) -> bool {
        self.lost + self.made_twice + self.stuck + self.late + self.wrong == 0
    }

    /// How it went besides.
    pub(crate) fn details(&self, told: &Told) -> String {
        let Self { made, edited, denied, expired, unknown, cut_off, .. } = self;
        let refused: Vec<String> = told.refused.iter().map(|(code, times)| format!("{code}={times}")).collect();
        let refused = refused.join(" ");
        format!(
            "made={made} edited={edited} denied={denied} expired={expired} unknown={unknown} cut_off={cut_off} {refused}"
        )
    }

    fn broken(count: &mut usize, what: &str, of: &dyn fmt::Display) {
        *count += 1;
        eprintln!("{what}: {of}");
    }

    fn run(&mut self, id: &str, status: &str, parts: &[Value], told: &Told, made: &mut BTreeMap<Call, Vec<String>>) {
        self.runs += 1;
        if status != "succeeded" {
            Self::broken(&mut self.stuck, "a run did not go on to its end", &format!("{id} is {status}"));
        }
        for (call_id, tool) in script::waiting_calls() {
            let call = (id.to_owned(), call_id.clone());
            let Some(part) = parts.iter().find(|part| part["toolCallId"] == call_id.as_str()) else {
                if status == "succeeded" {
                    Self::broken(&mut self.lost, "a call is not in the log", &format!("{id} {call_id}"));
                }
                continue;
            };
            self.calls += 1;
            self.call(&call, tool, part, told, made.remove(&call).unwrap_or_default());
        }
    }

    fn call(&mut self, call: &Call, tool: &str, part: &Value, told: &Told, made: Vec<String>) {
        let of = format!("{} {} made {made:?}, {part}", call.0, call.1);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let is_approval = matches!(tool, "write" | "soon");
        let (output, error) = (text(&part["output"]), text(&part["errorText"]));
        let is_answered = told.given.contains_key(call) || !made.is_empty();
        if error == CUT_OFF && part.get("approval").is_none() && !is_answered {
            self.cut_off += 1;
            return;
        }
        let mark = match () {
            () if is_approval => text(&part["approval"]["reason"]),
            () if part["state"] == "output-available" => output,
            () => error.clone(),
        };
        let is_expired = tool == "soon" && mark.to_lowercase().contains(EXPIRED);
        self.expired += usize::from(is_expired);
        let none = Vec::new();
        let taken = told.taken.get(call).unwrap_or(&none);
        if taken.len() > 1 || (is_expired && !taken.is_empty()) {
            Self::broken(&mut self.late, "an answer was taken late", &format!("{taken:?} {of}"));
        }
        if taken.iter().any(|taken| *taken != mark) {
            Self::broken(&mut self.lost, "an answer that was taken is not in the log", &format!("{taken:?} {of}"));
        }
        if !is_expired && !told.given.get(call).is_some_and(|given| given.contains(&mark)) {
            Self::broken(&mut self.lost, "a call has no answer, or nobody's", &of);
        }
        if is_approval {
            self.approval(part, &error, &made, &of);
        } else if !made.is_empty() {
            Self::broken(&mut self.wrong, "a call was made that is not ours to make", &of);
        }
    }

    fn approval(&mut self, part: &Value, error: &str, made: &[String], of: &dyn fmt::Display) {
        self.made += made.len();
        if made.len() > 1 {
            Self::broken(&mut self.made_twice, "a call was made twice", of);
        }
        let (is_allowed, is_done) = (part["approval"]["approved"] == true, part["state"] == "output-available");
        self.edited += usize::from(part["approval"]["edited"] == true);
        self.denied += usize::from(!is_allowed);
        let is_unknown = is_allowed && error.contains(UNKNOWN);
        self.unknown += usize::from(is_unknown);
        if !is_allowed && (!made.is_empty() || is_done) {
            Self::broken(&mut self.wrong, "a call was made that was not allowed", of);
        }
        if is_allowed && !is_unknown && (!is_done || made.len() != 1) {
            Self::broken(&mut self.lost, "a call that was allowed was not made", of);
        }
        let input = part["input"].to_string();
        if made.iter().any(|made| *made != input) {
            Self::broken(&mut self.wrong, "a call was made with other arguments than were allowed", of);
        }
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, calls, lost, made_twice, stuck, late, wrong, .. } = self;
        write!(
            f,
            "runs={runs} calls={calls} lost={lost} made_twice={made_twice} stuck={stuck} late={late} wrong={wrong}"
        )
    }
}

/// Reads all of it.
pub(crate) fn audit(store: &str, told: &Told) -> Result<Audit, String> {
    let (mut database, mut audit) = (Observer::open(store)?, Audit::default());
    let mut made: BTreeMap<Call, Vec<String>> = BTreeMap::new();
    for row in database.rows("SELECT call FROM counted", "")? {
        let name = column(&row, "call").unwrap_or_default();
        let (of, input) = name.split_once(' ').ok_or("a count without arguments")?;
        let (run, call) = of.split_once('/').ok_or("a count without a call")?;
        made.entry((run.to_owned(), call.to_owned())).or_default().push(input.to_owned());
    }
    for row in database.rows("SELECT id, status FROM ai_chat_runs", "")? {
        let (id, status) = (column(&row, "id").unwrap_or_default(), column(&row, "status").unwrap_or_default());
        let mut parts: Vec<Value> = Vec::new();
        for row in database.rows("SELECT parts FROM ai_chat_run_steps WHERE run_id = ?1 ORDER BY step_number", &id)? {
            let of_step = serde_json::from_str::<Vec<Value>>(&column(&row, "parts").unwrap_or_default());
            parts.extend(of_step.map_err(|error| error.to_string())?);
        }
        audit.run(&id, &status, &parts, told, &mut made);
    }
    for call in made.keys() {
        Audit::broken(&mut audit.wrong, "a call was made that is in no log", &format!("{call:?}"));
    }
    for code in told.refused.keys().filter(|code| !REFUSALS.contains(&code.as_str())) {
        Audit::broken(&mut audit.wrong, "an answer was refused with another code", code);
    }
    Ok(audit)
}
