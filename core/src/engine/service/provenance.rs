//! Signed claims that an access is by the agent of a chat, for hosts that mark what agents do.

use std::time::Duration;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::engine::{Engine, Who};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, RunId};
use crate::secret::{AgentClaim, ClaimProblem};

/// For whom claims are unless said otherwise.
const AUDIENCE: &str = "turnkeep";
const MAX_AUDIENCE_BYTES: usize = 255;
/// How long they hold unless said otherwise: longer than a page is written, shorter than a leaked one is of use.
const TTL: Duration = Duration::from_secs(5 * 60);
const MIN_TTL: Duration = Duration::from_secs(1);
/// As long as the longest session of the editors that carry such claims.
const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// A signed claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedProvenance {
    /// A JSON Web Token (HS256), to be sent along with what the agent does.
    pub token: String,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

/// What a claim says: an access is by the agent of this chat, on behalf of this user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// The workspace of the chat.
    pub workspace_id: String,
    /// The user whose chat it is.
    pub user_id: String,
    /// The chat.
    pub chat_id: ChatId,
    /// The run, where the claim was signed for one.
    pub run_id: Option<RunId>,
    /// From when on the claim is refused.
    pub expires_at: Timestamp,
}

impl Engine {
    /// Signs a claim that whoever has it acts for the agent of this chat: for `audience` (`turnkeep` unless given), for
    /// `ttl` (5 minutes unless given; from a second to 24 hours). Times of claims are whole seconds.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming the field, also for `appSecret` when the engine was opened without one; `NOT_FOUND`,
    /// `FORBIDDEN`, `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn sign_provenance(
        &self,
        who: &Who,
        chat_id: ChatId,
        run_id: Option<RunId>,
        audience: Option<&str>,
        ttl: Option<Duration>,
    ) -> Result<SignedProvenance> {
        let audience = checked_audience(audience)?;
        let ttl = ttl.unwrap_or(TTL);
        if !(MIN_TTL..=MAX_TTL).contains(&ttl) {
            let problem = format!("must be from {} to {}", MIN_TTL.as_millis(), MAX_TTL.as_millis());
            return Err(Error::invalid("ttlMs", problem));
        }
        self.chat(who, chat_id).await?;
        if let Some(run_id) = run_id
            && self.run(who, run_id).await?.chat_id != chat_id
        {
            return Err(Error::invalid("runId", "is no run of this chat"));
        }
        let issued_at = whole_second(self.inner.clock.now());
        let claim = AgentClaim {
            workspace_id: who.workspace_id.clone(),
            user_id: who.user_id.clone(),
            chat_id,
            run_id,
            audience: audience.to_owned(),
            issued_at,
            expires_at: whole_second(issued_at.after(ttl)),
        };
        let token = self.inner.secret_box()?.sign_claim(&claim)?;
        Ok(SignedProvenance { token, expires_at: claim.expires_at })
    }

    /// What a claim says that an engine with this application secret, or with a previous one, has signed for `audience`
    /// (`turnkeep` unless given). Nothing is looked up: the chat may have been deleted since.
    ///
    /// # Errors
    /// `FORBIDDEN` with `details.reason`: `malformed`, `signature`, `audience` or `expired`. `INVALID_INPUT` for
    /// `audience`, and for `appSecret` when the engine was opened without one.
    pub fn verify_provenance(&self, token: &str, audience: Option<&str>) -> Result<Provenance> {
        let audience = checked_audience(audience)?;
        let claim = self.inner.secret_box()?.read_claim(token, audience, self.inner.clock.now()).map_err(refusal)?;
        let AgentClaim { workspace_id, user_id, chat_id, run_id, expires_at, .. } = claim;
        Ok(Provenance { workspace_id, user_id, chat_id, run_id, expires_at })
    }
}

fn checked_audience(audience: Option<&str>) -> Result<&str> {
    match audience {
        None => Ok(AUDIENCE),
        Some("") => Err(Error::invalid("audience", "must not be empty")),
        Some(audience) if audience.len() > MAX_AUDIENCE_BYTES => {
            Err(Error::invalid("audience", format!("must have at most {MAX_AUDIENCE_BYTES} bytes")))
        }
        Some(audience) => Ok(audience),
    }
}

fn refusal(problem: ClaimProblem) -> Error {
    let message = match problem {
        ClaimProblem::Malformed => "the token is malformed",
        ClaimProblem::Signature => "the token's signature is not one of ours",
        ClaimProblem::Audience => "the token is for another audience",
        ClaimProblem::Expired => "the token has expired, or is not valid yet",
    };
    Error::new(ErrorCode::Forbidden, message).with_detail("reason", problem.as_str())
}

fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.as_millis().div_euclid(1000).saturating_mul(1000))
}
