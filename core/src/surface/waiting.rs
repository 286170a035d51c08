//! Runs that wait for somebody: what they wait for, and answering it.

use serde::Deserialize;

use crate::engine::{Actor, Answered, Engine, GivenAnswer, WaitingPage, Who};
use crate::error::Result;
use crate::id::{ChatRef, RunId};
use crate::model::{Json, present};

use super::Operation;

/// How many runs are listed unless more are asked for.
const DEFAULT_RUNS: usize = 50;

/// Answers a call that a run waits for, once and for good, from any process: a call that needs an approval with `approved`,
/// a question or a tool of the client's with `output` (or `approved: false`, which says that there will be none). The run
/// goes on when all of its calls are answered, in an engine that offers its tools. `waiting` says how many are left.
///
/// # Errors
/// `NOT_WAITING` for a call that does not wait, or was answered; `ANSWER_MISMATCH` for one that is none of those, and for a
/// token of another call or other arguments; `ANSWER_EXPIRED`; `INVALID_INPUT`, `NOT_FOUND`, `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Answer {
    workspace_id: String,
    /// Who answers: the chat's owner, or one of the tool's `answerers` where it names some.
    user_id: String,
    /// The run.
    run_id: RunId,
    /// The call.
    call_id: String,
    /// Whether the call may be made.
    #[serde(default)]
    approved: Option<bool>,
    /// The call's output; it has to fit the question's schema.
    #[serde(default, deserialize_with = "present")]
    output: Option<Json>,
    /// Arguments that the call is made with instead of its own, where its tool allows that.
    #[serde(default, deserialize_with = "present")]
    input: Option<Json>,
    /// Why; the model is told.
    #[serde(default)]
    reason: Option<String>,
    /// The call's `token`, as it was listed: the answer is then for exactly this call with these arguments.
    #[serde(default)]
    token: Option<String>,
}

impl Operation for Answer {
    const NAME: &'static str = "runs.answer";
    type Answer = Answered;

    async fn answer(self, engine: &Engine) -> Result<Answered> {
        let Self { workspace_id, user_id, run_id, call_id, approved, output, input, reason, token } = self;
        let given = GivenAnswer { run_id, call_id, approved, output, input, reason, token };
        engine.answer(&Who { workspace_id, user_id }, given).await
    }
}

/// Runs that wait for an answer, with what they wait for (`waitingFor`), in the order of their ids. Whoever is no
/// administrator sees those that they have begun.
///
/// # Errors
/// `FORBIDDEN`, `INVALID_INPUT`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Waiting {
    workspace_id: String,
    /// Who asks.
    actor: Actor,
    /// The runs of one user: an administrator may name any, others themselves.
    #[serde(default)]
    user_id: Option<String>,
    /// The runs of one chat, among those.
    #[serde(default)]
    chat_id: Option<ChatRef>,
    /// What comes behind this cursor of an earlier part.
    #[serde(default)]
    cursor: Option<RunId>,
    /// At most so many; 50 unless given.
    #[serde(default)]
    limit: Option<usize>,
}

impl Operation for Waiting {
    const NAME: &'static str = "runs.waiting";
    type Answer = WaitingPage;

    async fn answer(self, engine: &Engine) -> Result<WaitingPage> {
        let Self { workspace_id, actor, user_id, chat_id, cursor, limit } = self;
        let chat_id = match chat_id {
            Some(chat) => {
                let user_id = user_id.clone().unwrap_or_else(|| actor.user_id.clone());
                Some(engine.of_chat(workspace_id.clone(), user_id, &chat)?.1)
            }
            None => None,
        };
        engine.waiting(&workspace_id, &actor, user_id, chat_id, (cursor, limit.unwrap_or(DEFAULT_RUNS))).await
    }
}
