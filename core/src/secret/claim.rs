//! Claims that somebody acts for a chat's agent: JSON Web Tokens, HS256 and nothing else. The key is derived from the
//! application secret under a purpose of its own, so that no other use of that secret makes such a token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::{ChatId, RunId};

use super::SecretBox;

const KEY_BYTES: usize = 32;
const KEY_PURPOSE: &[u8] = b"turnkeep provenance key 1";
const ALGORITHM: &str = "HS256";
/// What everything that is signed here says of who acts.
const ACTOR: &str = "agent";
/// Far beyond what is ever signed: nobody has the engine decode more.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// How far ahead the clock of another engine may be, in seconds.
const CLOCK_SKEW: i64 = 60;

/// That an access is by the agent of a chat. Times are whole seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentClaim {
    /// The workspace of the chat.
    pub workspace_id: String,
    /// The user whose chat it is.
    pub user_id: String,
    /// The chat.
    pub chat_id: ChatId,
    /// The run of the chat, where one was named.
    pub run_id: Option<RunId>,
    /// For whom the claim was signed.
    pub audience: String,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// From when on it is nothing any more.
    pub expires_at: Timestamp,
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimProblem {
    /// It is no token of this form.
    Malformed,
    /// It was signed with another secret, or changed since.
    Signature,
    /// It was signed for somebody else.
    Audience,
    /// Its time is over, or has not come.
    Expired,
}

impl ClaimProblem {
    /// The word for it in `details.reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            ClaimProblem::Malformed => "malformed",
            ClaimProblem::Signature => "signature",
            ClaimProblem::Audience => "audience",
            ClaimProblem::Expired => "expired",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    sub: String,
    aud: String,
    iat: i64,
    exp: i64,
    actor: String,
    workspace_id: String,
    chat_id: ChatId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_id: Option<RunId>,
}

impl SecretBox {
    /// The claim as a token, signed with the application secret of now.
    ///
    /// # Errors
    /// `INTERNAL`, which only a bug of ours could lead to.
    pub fn sign_claim(&self, claim: &AgentClaim) -> Result<String> {
        let failed = || Error::internal("a claim could not be signed");
        let header = Header { alg: ALGORITHM.to_owned(), typ: Some("JWT".to_owned()) };
        let payload = Payload {
            sub: claim.user_id.clone(),
            aud: claim.audience.clone(),
            iat: seconds(claim.issued_at),
            exp: seconds(claim.expires_at),
            actor: ACTOR.to_owned(),
            workspace_id: claim.workspace_id.clone(),
            chat_id: claim.chat_id,
            run_id: claim.run_id,
        };
        let header = serde_json::to_vec(&header).map_err(|_| failed())?;
        let payload = serde_json::to_vec(&payload).map_err(|_| failed())?;
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = authenticate(&self.current.secret, &signed).ok_or_else(failed)?.finalize().into_bytes();
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The claim of a token that was signed with the application secret of now, or with one of before.
    ///
    /// # Errors
    /// Why the token is not taken. Nothing that it says is looked at before its signature has been checked.
    pub fn read_claim(&self, token: &str, audience: &str, now: Timestamp) -> Result<AgentClaim, ClaimProblem> {
        use ClaimProblem::{Audience, Expired, Malformed, Signature};
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Malformed)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Malformed);
        let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
        let header: Header = serde_json::from_slice(&header).map_err(|_| Malformed)?;
        if header.alg != ALGORITHM {
            return Err(Malformed);
        }
        // `verify_slice` takes as long for every wrong signature.
        let is_ours = std::iter::once(&self.current)
            .chain(&self.previous)
            .any(|secret| authenticate(&secret.secret, signed).is_some_and(|mac| mac.verify_slice(&signature).is_ok()));
        if !is_ours {
            return Err(Signature);
        }
        let payload: Payload = serde_json::from_slice(&payload).map_err(|_| Malformed)?;
        if payload.actor != ACTOR {
            return Err(Malformed);
        }
        if payload.aud != audience {
            return Err(Audience);
        }
        if payload.exp <= seconds(now) || payload.iat > seconds(now).saturating_add(CLOCK_SKEW) {
            return Err(Expired);
        }
        let at = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
        Ok(AgentClaim {
            workspace_id: payload.workspace_id,
            user_id: payload.sub,
            chat_id: payload.chat_id,
            run_id: payload.run_id,
            audience: payload.aud,
            issued_at: at(payload.iat),
            expires_at: at(payload.exp),
        })
    }
}

fn authenticate(secret: &SecretString, signed: &str) -> Option<Hmac<Sha256>> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    Hkdf::<Sha256>::new(None, secret.expose_secret().as_bytes()).expand(KEY_PURPOSE, key.as_mut()).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_ref()).ok()?;
    mac.update(signed.as_bytes());
    Some(mac)
}

fn seconds(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(current: &str, previous: &[&str]) -> SecretBox {
        let secret = |text: &str| SecretString::from(text.to_owned());
        SecretBox::new(secret(current), previous.iter().map(|text| secret(text)))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn claim() -> AgentClaim {
        AgentClaim {
            workspace_id: "w".to_owned(),
            user_id: "u".to_owned(),
            chat_id: ChatId::generate(),
            run_id: Some(RunId::generate()),
            audience: "pages".to_owned(),
            issued_at: at(1_000),
            expires_at: at(1_300),
        }
    }

    /// A token of this header and payload, signed as ours are.
    fn forged(secret: &str, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let secret = SecretString::from(secret.to_owned());
        let signature = authenticate(&secret, &signed).unwrap().finalize().into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn what_is_signed_is_read_until_it_expires() {
        let (ours, claim) = (boxed("one", &[]), claim());
        let token = ours.sign_claim(&claim).unwrap();
        assert_eq!(ours.read_claim(&token, "pages", at(1_000)).unwrap(), claim);
        assert_eq!(ours.read_claim(&token, "pages", Timestamp::from_millis(1_299_999)).unwrap(), claim);
        for (now, audience, problem) in [
            (at(1_300), "pages", ClaimProblem::Expired),
            (at(939), "pages", ClaimProblem::Expired),
            (at(1_000), "page", ClaimProblem::Audience),
            (at(1_000), "", ClaimProblem::Audience),
            (at(9_000), "other", ClaimProblem::Audience),
        ] {
            assert_eq!(ours.read_claim(&token, audience, now).unwrap_err(), problem, "{now} {audience}");
        }
        assert!(ours.read_claim(&token, "pages", at(940)).is_ok(), "clocks of two machines differ a little");
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let ours = boxed("one", &[]);
        let token = ours.sign_claim(&claim()).unwrap();
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            let problem = ours.read_claim(&changed, "pages", at(1_000)).unwrap_err();
            assert!(matches!(problem, ClaimProblem::Signature | ClaimProblem::Malformed), "{place}: {problem:?}");
        }
        for cut in 0..token.len() {
            assert!(ours.read_claim(&token[..cut], "pages", at(1_000)).is_err(), "{cut}");
        }
    }

    #[test]
    fn earlier_secrets_count_and_others_do_not() {
        let (claim, now) = (claim(), at(1_000));
        let token = boxed("old", &[]).sign_claim(&claim).unwrap();
        assert_eq!(boxed("new", &["older", "old"]).read_claim(&token, "pages", now).unwrap(), claim);
        assert_eq!(boxed("new", &["older"]).read_claim(&token, "pages", now).unwrap_err(), ClaimProblem::Signature);
        assert!(!token.contains("old"));
    }

    #[test]
    fn only_our_algorithm_and_our_claims_are_taken() {
        let ours = boxed("one", &[]);
        let chat = ChatId::generate();
        let payload = |more: &str| {
            format!(r#"{{"sub":"u","aud":"pages","iat":1,"exp":9000,"workspaceId":"w","chatId":"{chat}"{more}}}"#)
        };
        let (good, hs256) = (payload(r#","actor":"agent""#), r#"{"alg":"HS256"}"#);
        let read = |token: &str| ours.read_claim(token, "pages", at(1_000));
        assert_eq!(read(&forged("one", hs256, &good)).unwrap().chat_id, chat);
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"hs256"}"#,
            r#"{"alg":"HS512"}"#,
            r#"{"alg":"HS256","crit":["x"]}"#,
            r#"{"typ":"JWT"}"#,
            "x",
        ] {
            assert_eq!(read(&forged("one", header, &good)).unwrap_err(), ClaimProblem::Malformed, "{header}");
        }
        for payload in [payload(""), payload(r#","actor":"user""#), payload(r#","actor":"agent","runId":"x""#)] {
            assert_eq!(read(&forged("one", hs256, &payload)).unwrap_err(), ClaimProblem::Malformed, "{payload}");
        }
        let unsigned = forged("one", hs256, &good);
        let unsigned = unsigned.rsplit_once('.').unwrap().0;
        assert_eq!(read(&format!("{unsigned}.")).unwrap_err(), ClaimProblem::Signature);
        for text in ["", ".", "..", "a.b.c.d", &"a".repeat(MAX_TOKEN_BYTES + 1)] {
            assert_eq!(read(text).unwrap_err(), ClaimProblem::Malformed, "{text}");
        }
        let far = payload(r#","actor":"agent""#).replace("9000", "9223372036854775807");
        assert!(read(&forged("one", hs256, &far)).is_ok(), "no number is too large");
    }
}
