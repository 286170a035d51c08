//! The form of sealed secrets: `tk1.KEYID.BASE64`, where the bytes are salt, nonce and AES-256-GCM ciphertext with tag.
//! The key is HKDF-SHA-256 of the application secret with the record's own salt; the record's identity and everything
//! before the ciphertext are authenticated with it.

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::error::{Error, Result};

const VERSION: &str = "tk1";
const SALT_BYTES: usize = 16;
/// 96 bits, the size that GCM is made for.
const NONCE_BYTES: usize = 12;
const KEY_BYTES: usize = 32;
const KEY_PURPOSE: &[u8] = b"turnkeep sealed secret 1";
const ID_PURPOSE: &[u8] = b"turnkeep key id 1";

/// Names an application secret without telling anything of it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyId(String);

impl KeyId {
    /// 32 bits of a derivation of its own: enough to tell the few secrets of one deployment apart.
    pub(super) fn of(secret: &str) -> Self {
        let mut id = [0; 4];
        // 4 bytes are far below what HKDF can give.
        let _ = Hkdf::<Sha256>::new(None, secret.as_bytes()).expand(ID_PURPOSE, &mut id);
        Self(id.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({})", self.0)
    }
}

fn cipher(secret: &SecretString, salt: &[u8]) -> Option<Aes256Gcm> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    Hkdf::<Sha256>::new(Some(salt), secret.expose_secret().as_bytes()).expand(KEY_PURPOSE, key.as_mut()).ok()?;
    Aes256Gcm::new_from_slice(key.as_ref()).ok()
}

/// What is authenticated besides the plaintext. No version or key id holds a line break, so the parts stay apart.
fn associated_data(key_id: &str, record: &str) -> String {
    format!("{VERSION}\n{key_id}\n{record}")
}

pub(super) fn seal(secret: &SecretString, id: &KeyId, plaintext: &[u8], record: &str) -> Result<String> {
    let mut random = [0; SALT_BYTES + NONCE_BYTES];
    getrandom::fill(&mut random).map_err(|_| Error::internal("the machine gives no random bytes"))?;
    let (salt, nonce) = random.split_at(SALT_BYTES);
    let failed = || Error::internal("a secret could not be sealed");
    let aad = associated_data(&id.0, record);
    let payload = Payload { msg: plaintext, aad: aad.as_bytes() };
    let nonce_array = Nonce::try_from(nonce).map_err(|_| failed())?;
    let cipher = cipher(secret, salt).ok_or_else(failed)?;
    let ciphertext = cipher.encrypt(&nonce_array, payload).map_err(|_| failed())?;
    Ok(prefix(id) + &STANDARD.encode([&random[..], &ciphertext].concat()))
}

/// What everything begins with that is sealed with this secret.
pub(super) fn prefix(id: &KeyId) -> String {
    format!("{VERSION}.{}.", id.0)
}

/// A sealed secret, taken apart.
pub(super) struct Parts {
    pub(super) key_id: KeyId,
    bytes: Vec<u8>,
}

impl Parts {
    /// Nothing for what is not of this form.
    pub(super) fn read(blob: &str) -> Option<Self> {
        let (key_id, encoded) = blob.strip_prefix(VERSION)?.strip_prefix('.')?.split_once('.')?;
        let bytes = STANDARD.decode(encoded).ok()?;
        Some(Self { key_id: KeyId(key_id.to_owned()), bytes })
    }

    pub(super) fn open(&self, secret: &SecretString, record: &str) -> Option<SecretString> {
        let (salt, rest) = self.bytes.split_at_checked(SALT_BYTES)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_BYTES)?;
        let aad = associated_data(&self.key_id.0, record);
        let payload = Payload { msg: ciphertext, aad: aad.as_bytes() };
        let plaintext = Zeroizing::new(cipher(secret, salt)?.decrypt(&Nonce::try_from(nonce).ok()?, payload).ok()?);
        Some(SecretString::from(str::from_utf8(&plaintext).ok()?.to_owned()))
    }
}
