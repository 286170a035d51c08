//! What an answer to a call that waits is bound by: a code over everything that the call is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::id::RunId;
use crate::model::Wait;

use super::SecretBox;

const KEY_BYTES: usize = 32;
const KEY_PURPOSE: &[u8] = b"turnkeep answer key 1";
/// As long as a token is, and a little more.
const MAX_TOKEN_BYTES: usize = 64;

impl SecretBox {
    /// What stands for this call of this run, with its tool, schema and arguments, and for no other.
    pub fn sign_wait(&self, run_id: RunId, step: u32, wait: &Wait) -> Option<String> {
        let mac = authenticate(&self.current.secret, run_id, step, wait)?;
        Some(URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    /// Whether this was signed for the call, with the application secret of now or with one of before.
    pub fn is_signed(&self, token: &str, run_id: RunId, step: u32, wait: &Wait) -> bool {
        if token.len() > MAX_TOKEN_BYTES {
            return false;
        }
        let Ok(given) = URL_SAFE_NO_PAD.decode(token) else { return false };
        // `verify_slice` takes as long for every wrong code.
        std::iter::once(&self.current).chain(&self.previous).any(|secret| {
            authenticate(&secret.secret, run_id, step, wait).is_some_and(|mac| mac.verify_slice(&given).is_ok())
        })
    }
}

fn authenticate(secret: &SecretString, run_id: RunId, step: u32, wait: &Wait) -> Option<Hmac<Sha256>> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    Hkdf::<Sha256>::new(None, secret.expose_secret().as_bytes()).expand(KEY_PURPOSE, key.as_mut()).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_ref()).ok()?;
    let (run_id, step) = (run_id.to_string(), step.to_string());
    let schema = wait.schema.as_ref().map_or("", |schema| schema.get());
    let fields =
        [&run_id, &step, wait.call_id.as_str(), wait.kind.as_str(), wait.tool_name.as_str(), schema, wait.input.get()];
    // Where there is nothing, codes are those of before there could be anything.
    let tainted_by = match wait.tainted_by.is_empty() {
        true => None,
        false => Some(serde_json::to_string(&wait.tainted_by).ok()?),
    };
    for field in fields.into_iter().chain(tainted_by.as_deref()) {
        // With its length before it, no field can go over into the next.
        mac.update(&(field.len() as u64).to_be_bytes());
        mac.update(field.as_bytes());
    }
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Json, WaitKind};

    fn boxed(current: &str, previous: &[&str]) -> SecretBox {
        let secret = |text: &str| SecretString::from(text.to_owned());
        SecretBox::new(secret(current), previous.iter().map(|text| secret(text)))
    }

    fn wait() -> Wait {
        Wait {
            call_id: "c".into(),
            kind: WaitKind::Approval,
            tool_name: "write".into(),
            input: Json::parse(r#"{"page":1}"#).unwrap(),
            schema: None,
            editable: false,
            answerers: Vec::new(),
            expires_after_ms: None,
            expires_at: None,
            answer: None,
            tainted_by: Vec::new(),
        }
    }

    #[test]
    fn a_token_stands_for_one_call_and_no_other() {
        let (ours, run, wait) = (boxed("one", &[]), RunId::generate(), wait());
        let token = ours.sign_wait(run, 3, &wait).unwrap();
        assert!(ours.is_signed(&token, run, 3, &wait));
        assert!(boxed("two", &["one"]).is_signed(&token, run, 3, &wait), "earlier secrets count");
        assert!(!boxed("two", &[]).is_signed(&token, run, 3, &wait));
        assert!(!ours.is_signed(&token, RunId::generate(), 3, &wait) && !ours.is_signed(&token, run, 2, &wait));
        let others = [
            Wait { call_id: "d".into(), ..wait.clone() },
            Wait { kind: WaitKind::Question, ..wait.clone() },
            Wait { tool_name: "read".into(), ..wait.clone() },
            Wait { input: Json::parse(r#"{"page":2}"#).unwrap(), ..wait.clone() },
            Wait { schema: Some(Json::empty_object()), ..wait.clone() },
            Wait { call_id: "cw".into(), tool_name: "rite".into(), ..wait.clone() },
            Wait { tainted_by: vec![crate::model::TaintSource::page()], ..wait.clone() },
        ];
        for other in others {
            assert!(!ours.is_signed(&token, run, 3, &other), "{other:?}");
        }
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(!ours.is_signed(&changed, run, 3, &wait) && !ours.is_signed(&token[..place], run, 3, &wait));
        }
    }
}
