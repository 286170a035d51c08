//! Answering calls that wait, and listing them. Whoever answers need not be the process that asked, or one that offers the
//! run's tools.

use std::sync::Arc;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::engine::{Actor, Engine, Inner, Who};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, RunId};
use crate::model::{Answer, AnswerKind, Json, Run, RunStatus, Wait, WaitKind, WaitingCall};
use crate::store::{WaitingOf, WaitingRun, forbidden};
use crate::text::{counted_len, storable};
use crate::tool::check_schema;

/// How often an answer is attempted while others answer other calls of the run.
const ATTEMPTS: usize = 50;
/// How many characters a reason has at most: the model is told all of it.
const MAX_REASON: usize = 4_000;
/// How many runs are looked at together for calls that have expired.
const EXPIRED_AT_ONCE: usize = 50;

/// An answer to a call that waits.
#[derive(Clone, Debug)]
pub struct GivenAnswer {
    /// The run.
    pub run_id: RunId,
    /// The call.
    pub call_id: String,
    /// Whether the call is allowed; `false` also where a question is not answered.
    pub approved: Option<bool>,
    /// The call's output.
    pub output: Option<Json>,
    /// The arguments that the call is made with instead of its own.
    pub input: Option<Json>,
    /// Why; the model is told.
    pub reason: Option<String>,
    /// What stands for the call, where the answer is to be bound to it.
    pub token: Option<String>,
}

/// What has come of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    /// The run.
    pub run_id: RunId,
    /// The call.
    pub call_id: String,
    /// How many calls of the run wait still; with none it goes on.
    pub waiting: usize,
}

/// A part of a list of runs that wait.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingPage {
    /// The runs, with what they wait for.
    pub items: Vec<Run>,
    /// Where the next part begins, if there may be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<RunId>,
}

impl Engine {
    /// Answers a call that waits, once and for good. The run goes on when all of its calls are answered: in an engine that
    /// offers its tools.
    ///
    /// # Errors
    /// `NOT_WAITING`, `ANSWER_MISMATCH`, `ANSWER_EXPIRED`, `INVALID_INPUT` naming the field, `NOT_FOUND`, `FORBIDDEN`,
    /// `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn answer(&self, who: &Who, given: GivenAnswer) -> Result<Answered> {
        who.check()?;
        given.check(self.inner.options.runs.max_answer_bytes)?;
        for _ in 0..ATTEMPTS {
            let found = self.answerable(who, &given).await?;
            let now = self.inner.store.time().await?;
            let wait = self.inner.waiting_call(&found, &given, now)?;
            let answer = given.answer_to(wait, who)?;
            let waits = found.waits.answered(&given.call_id, answer, now).ok_or_else(not_waiting)?;
            if self.inner.store.change_waits(given.run_id, &found.waits, &waits).await? {
                self.inner.changed(given.run_id);
                let waiting = waits.calls.iter().filter(|wait| wait.is_open()).count();
                if waiting == 0 {
                    self.inner.worker.hurry();
                }
                return Ok(Answered { run_id: given.run_id, call_id: given.call_id, waiting });
            }
        }
        Err(Error::new(ErrorCode::StoreUnavailable, "the run is changed by others all the time"))
    }

    /// The run with what it waits for, or has waited for last, as far as this user may answer.
    async fn answerable(&self, who: &Who, given: &GivenAnswer) -> Result<WaitingRun> {
        let Some(found) = self.inner.store.waits(given.run_id).await? else {
            // Who may not see it is told so first.
            self.run(who, given.run_id).await?;
            return Err(not_waiting());
        };
        let answerers = found.waits.calls.iter().find(|wait| wait.call_id == given.call_id);
        let answerers = answerers.map(|wait| wait.answerers.as_slice()).unwrap_or_default();
        if answerers.is_empty() {
            self.chat(who, found.run.chat_id).await?;
        } else if found.run.workspace_id != who.workspace_id || !answerers.contains(&who.user_id) {
            return Err(forbidden());
        }
        Ok(found)
    }

    /// Runs that wait for an answer, in the order of their ids: those of one user, or of a whole workspace for an
    /// administrator.
    ///
    /// # Errors
    /// `FORBIDDEN`, `INVALID_INPUT`, `STORE_UNAVAILABLE`.
    pub async fn waiting(
        &self,
        workspace_id: &str,
        actor: &Actor,
        user_id: Option<String>,
        chat_id: Option<ChatId>,
        page: (Option<RunId>, usize),
    ) -> Result<WaitingPage> {
        actor.check(workspace_id)?;
        let user_id = match user_id {
            Some(user) if user != actor.user_id && !actor.is_admin => return Err(forbidden()),
            None if !actor.is_admin => Some(actor.user_id.clone()),
            user => user,
        };
        let (after, limit) = page;
        if limit == 0 {
            return Err(Error::invalid("limit", "must be at least 1"));
        }
        let of = WaitingOf { workspace_id: workspace_id.to_owned(), user_id, chat_id, after, limit };
        let found = self.inner.store.waiting_runs(&of).await?;
        let next_cursor = (found.len() == limit).then(|| found.last().map(|found| found.run.id)).flatten();
        let items = found.into_iter().map(|found| self.inner.shown(found)).collect();
        Ok(WaitingPage { items, next_cursor })
    }

    /// The run, with what it waits for if it does.
    pub(super) async fn with_waits(&self, run: Run) -> Result<Run> {
        if run.status != RunStatus::Waiting {
            return Ok(run);
        }
        match self.inner.store.waits(run.id).await? {
            Some(found) if found.run.status == RunStatus::Waiting => Ok(self.inner.shown(found)),
            _ => Ok(run),
        }
    }
}

impl Inner {
    /// The call that is meant, if it can be answered.
    fn waiting_call<'a>(&self, found: &'a WaitingRun, given: &GivenAnswer, now: Timestamp) -> Result<&'a Wait> {
        let WaitingRun { run, waits } = found;
        let wait = waits.calls.iter().find(|wait| wait.call_id == given.call_id);
        let wait = wait.ok_or_else(|| match run.status {
            RunStatus::Waiting => mismatch("the run does not wait for this call"),
            _ => not_waiting(),
        })?;
        let is_expired = wait.answer.as_ref().is_some_and(|answer| answer.kind == AnswerKind::Expired);
        if is_expired || (wait.is_open() && wait.is_over(now)) {
            return Err(Error::new(ErrorCode::AnswerExpired, "the time in which the call could be answered is over"));
        }
        if !wait.is_open() || run.status != RunStatus::Waiting || run.stop_requested_at.is_some() {
            return Err(not_waiting());
        }
        let is_bound = |token: &String| {
            let secrets = self.secrets.as_ref();
            secrets.is_some_and(|secrets| secrets.is_signed(token, run.id, waits.step, wait))
        };
        if given.token.as_ref().is_some_and(|token| !is_bound(token)) {
            return Err(mismatch("the token is for another call, or for other arguments"));
        }
        Ok(wait)
    }

    /// A run with the calls that wait.
    fn shown(&self, found: WaitingRun) -> Run {
        let WaitingRun { run, waits } = found;
        let show = |wait: &Wait| WaitingCall {
            call_id: wait.call_id.clone(),
            kind: wait.kind,
            tool_name: wait.tool_name.clone(),
            input: wait.input.clone(),
            schema: wait.schema.clone(),
            editable: wait.editable,
            expires_at: wait.expires_at,
            tainted_by: wait.tainted_by.clone(),
            token: self.secrets.as_ref().and_then(|secrets| secrets.sign_wait(run.id, waits.step, wait)),
        };
        let waiting_for = waits.calls.iter().filter(|wait| wait.is_open()).map(show).collect();
        Run { waiting_for: Some(waiting_for), ..run }
    }

    /// Answers what nobody has answered in time. Returns whether there may be more of it.
    pub(crate) async fn expire_waits(self: &Arc<Self>) -> Result<bool> {
        let found = self.store.expired_waits(EXPIRED_AT_ONCE).await?;
        let now = self.store.time().await?;
        for WaitingRun { run, waits } in &found {
            if let Some(expired) = waits.expired(now)
                && self.store.change_waits(run.id, waits, &expired).await?
            {
                self.changed(run.id);
            }
        }
        Ok(found.len() == EXPIRED_AT_ONCE)
    }
}

impl GivenAnswer {
    fn check(&self, max_bytes: u64) -> Result<()> {
        if self.reason.as_ref().is_some_and(|reason| counted_len(reason) > MAX_REASON) {
            return Err(Error::invalid("reason", format!("must have at most {MAX_REASON} characters")));
        }
        for (field, value) in [("output", &self.output), ("input", &self.input)] {
            let bytes = value.as_ref().map_or(0, |value| value.get().len());
            if u64::try_from(bytes).unwrap_or(u64::MAX) > max_bytes {
                return Err(Error::invalid(field, format!("must have at most {max_bytes} bytes")));
            }
        }
        Ok(())
    }

    /// What is kept of it, where it is an answer to this call.
    fn answer_to(&self, wait: &Wait, who: &Who) -> Result<Answer> {
        let kind = match wait.kind {
            WaitKind::Approval => self.approval(wait)?,
            _ => self.output_of(wait)?,
        };
        Ok(Answer {
            kind,
            reason: self.reason.clone().map(storable),
            input: self.input.clone(),
            output: self.output.clone().filter(|_| kind == AnswerKind::Answered),
            by: Some(who.user_id.clone()),
        })
    }

    fn approval(&self, wait: &Wait) -> Result<AnswerKind> {
        if self.output.is_some() {
            return Err(Error::invalid("output", "is not for a call that waits to be allowed"));
        }
        let approved = self.approved.ok_or_else(|| Error::invalid("approved", "is needed: true or false"))?;
        if let Some(input) = &self.input {
            let is_allowed = approved && wait.editable;
            let schema = wait.schema.as_ref().filter(|_| is_allowed);
            let schema = schema.ok_or_else(|| Error::invalid("input", "may not be changed"))?;
            check_schema(schema, input).map_err(|problem| Error::invalid("input", problem))?;
        }
        Ok(if approved { AnswerKind::Approved } else { AnswerKind::Denied })
    }

    fn output_of(&self, wait: &Wait) -> Result<AnswerKind> {
        if self.input.is_some() {
            return Err(Error::invalid("input", "may not be changed"));
        }
        match (&self.output, self.approved) {
            (None, Some(false)) => Ok(AnswerKind::Denied),
            (Some(_), Some(false)) => Err(Error::invalid("output", "must not be given beside approved: false")),
            (None, _) => Err(Error::invalid("output", "is needed, or approved: false")),
            (Some(output), _) => {
                let schema = wait.schema.as_ref().map_or(Ok(()), |schema| check_schema(schema, output));
                schema.map_err(|problem| Error::invalid("output", problem))?;
                Ok(AnswerKind::Answered)
            }
        }
    }
}

fn not_waiting() -> Error {
    Error::new(ErrorCode::NotWaiting, "the run does not wait for this answer, or not any more")
}

fn mismatch(message: &str) -> Error {
    Error::new(ErrorCode::AnswerMismatch, message)
}
