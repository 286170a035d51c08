//! Stored keys: sealed with the application secret, and never shown again.

mod claim;
mod legacy;
mod rotation;
mod sealed;
mod wait;

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::error::{Error, ErrorCode, Result};

pub use crate::model::RecordIdentity;
pub use claim::{AgentClaim, ClaimProblem};
pub use rotation::{Rotating, Rotation, rotate};
pub use sealed::KeyId;

/// Seals and opens stored secrets: with the application secret of now, and opens also with those of before.
pub struct SecretBox {
    current: ApplicationSecret,
    previous: Vec<ApplicationSecret>,
}

struct ApplicationSecret {
    secret: SecretString,
    id: KeyId,
}

impl ApplicationSecret {
    fn new(secret: SecretString) -> Self {
        let id = KeyId::of(secret.expose_secret());
        Self { secret, id }
    }
}

impl fmt::Debug for SecretBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let previous: Vec<&KeyId> = self.previous.iter().map(|secret| &secret.id).collect();
        f.debug_struct("SecretBox").field("current", &self.current.id).field("previous", &previous).finish()
    }
}

/// In which form secrets are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretForm {
    /// That of the system before, which it can read, and which is bound to no record.
    Legacy,
    /// Ours: bound to its record, and to the application secret by name.
    Current,
}

/// How a sealed secret stands to the box that opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// Sealed with the current secret, in the current form.
    Current,
    /// Sealed with an earlier secret or in an earlier form: to be sealed again.
    Outdated,
}

impl SecretBox {
    /// A box that seals with `current` and opens with any of them.
    pub fn new(current: SecretString, previous: impl IntoIterator<Item = SecretString>) -> Self {
        let current = ApplicationSecret::new(current);
        let previous = previous.into_iter().map(ApplicationSecret::new).filter(|secret| secret.id != current.id);
        Self { previous: previous.collect(), current }
    }

    /// Seals a secret for a record.
    ///
    /// # Errors
    /// `INTERNAL` when the machine gives no random bytes.
    pub fn seal(&self, plaintext: &SecretString, record: &RecordIdentity) -> Result<String> {
        sealed::seal(&self.current.secret, &self.current.id, plaintext.expose_secret().as_bytes(), record.as_str())
    }

    /// As [`SecretBox::seal`], in this form.
    ///
    /// # Errors
    /// As [`SecretBox::seal`].
    pub fn seal_as(&self, form: SecretForm, plaintext: &SecretString, record: &RecordIdentity) -> Result<String> {
        match form {
            SecretForm::Current => self.seal(plaintext, record),
            SecretForm::Legacy => legacy::seal(&self.current.secret, plaintext.expose_secret().as_bytes()),
        }
    }

    /// Whether it is of the form that is bound to no record.
    pub fn is_legacy(blob: &str) -> bool {
        sealed::Parts::read(blob).is_none()
    }

    /// Whether the current application secret is what it was sealed with; takes tens of milliseconds for the old form.
    pub(crate) fn is_of_current_secret(&self, blob: &str) -> bool {
        match sealed::Parts::read(blob) {
            Some(parts) => parts.key_id == self.current.id,
            None => legacy::open(blob, &self.current.secret).is_some(),
        }
    }

    /// Opens what was sealed for this record, in any form that turnkeep or the system before it wrote.
    ///
    /// # Errors
    /// `SECRET_UNREADABLE` when none of the secrets opens it, or it was changed or belongs to another record.
    pub fn open(&self, blob: &str, record: &RecordIdentity) -> Result<(SecretString, Sealing)> {
        let all = || std::iter::once(&self.current).chain(&self.previous);
        if let Some(parts) = sealed::Parts::read(blob) {
            let secret = all().find(|secret| secret.id == parts.key_id).ok_or_else(unreadable)?;
            let plaintext = parts.open(&secret.secret, record.as_str()).ok_or_else(unreadable)?;
            let current = secret.id == self.current.id;
            return Ok((plaintext, if current { Sealing::Current } else { Sealing::Outdated }));
        }
        let plaintext = all().find_map(|secret| legacy::open(blob, &secret.secret)).ok_or_else(unreadable)?;
        Ok((plaintext, Sealing::Outdated))
    }

    /// What everything begins with that is sealed with the current secret.
    pub fn current_prefix(&self) -> String {
        sealed::prefix(&self.current.id)
    }
}

pub(crate) fn unreadable() -> Error {
    Error::new(
        ErrorCode::SecretUnreadable,
        "a stored secret cannot be read: the application secret has changed or the record was tampered with; \
         enter the key again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    fn record() -> RecordIdentity {
        RecordIdentity::provider_key("w", "openai", "api_key_enc")
    }

    #[test]
    fn what_is_sealed_opens_for_its_record_only() {
        let sealer = SecretBox::new(secret("application secret one"), []);
        let blob = sealer.seal(&secret("sk-1"), &record()).unwrap();
        let (plaintext, sealing) = sealer.open(&blob, &record()).unwrap();
        assert_eq!((plaintext.expose_secret(), sealing), ("sk-1", Sealing::Current));
        for other in [
            RecordIdentity::provider_key("w2", "openai", "api_key_enc"),
            RecordIdentity::provider_key("w", "gemini", "api_key_enc"),
            RecordIdentity::provider_key("w", "openai", "stt_api_key_enc"),
            RecordIdentity::mcp_headers("w", "openai"),
        ] {
            assert_eq!(sealer.open(&blob, &other).unwrap_err().code(), ErrorCode::SecretUnreadable);
        }
        assert_ne!(sealer.seal(&secret("sk-1"), &record()).unwrap(), blob, "salt and nonce are new every time");
    }

    /// What the system before sealed with Node's `crypto`: salt of sevens, nonce of nines.
    const LEGACY: &str = "BwcHBwcHBwcHBwcHBwcHBwkJCQkJCQkJCQkJCSuSphQY6QicAV6TkfzHaTPZhCUtVActncE0i70+dUYpzozIPB3oRA==";

    #[test]
    fn secrets_of_the_system_before_open_for_any_record_and_are_outdated() {
        let opener = SecretBox::new(secret("new"), [secret("legacy application secret")]);
        let (plaintext, sealing) = opener.open(LEGACY, &record()).unwrap();
        assert_eq!((plaintext.expose_secret(), sealing), ("sk-of-the-system-before", Sealing::Outdated));
        let url_safe = LEGACY.replace('+', "-").replace('/', "_").replace('=', "");
        assert_eq!(opener.open(&url_safe, &record()).unwrap().0.expose_secret(), "sk-of-the-system-before");
        assert!(SecretBox::new(secret("new"), []).open(LEGACY, &record()).is_err());
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let sealer = SecretBox::new(secret("application secret one"), []);
        let blob = sealer.seal(&secret("sk-1"), &record()).unwrap();
        for place in 0..blob.len() {
            let mut changed = blob.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(sealer.open(&changed, &record()).unwrap_err().code(), ErrorCode::SecretUnreadable, "{place}");
        }
        for cut in 0..blob.len() {
            assert!(sealer.open(&blob[..cut], &record()).is_err());
        }
    }

    #[test]
    fn earlier_secrets_open_and_are_outdated() {
        let old = SecretBox::new(secret("old"), []);
        let blob = old.seal(&secret("k"), &record()).unwrap();
        let both = SecretBox::new(secret("new"), [secret("older"), secret("old")]);
        assert_eq!(both.open(&blob, &record()).unwrap().1, Sealing::Outdated);
        assert!(!blob.starts_with(&both.current_prefix()));
        let again = both.seal(&secret("k"), &record()).unwrap();
        assert!(again.starts_with(&both.current_prefix()));
        let new = SecretBox::new(secret("new"), []);
        assert_eq!(new.open(&again, &record()).unwrap().0.expose_secret(), "k");
        assert_eq!(new.open(&blob, &record()).unwrap_err().code(), ErrorCode::SecretUnreadable);
    }

    #[test]
    fn nothing_secret_is_shown() {
        let sealer = SecretBox::new(secret("app-secret-text"), [secret("older-secret-text")]);
        let shown = format!("{sealer:?} {:?}", sealer.open("x", &record()).unwrap_err());
        assert!(!shown.contains("secret-text"), "{shown}");
    }
}
