//! The form of the system before: base64 of salt, nonce, tag and AES-256-GCM ciphertext, the key derived by scrypt,
//! nothing authenticated besides. It is written where that system has to read it, too.

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Result};

const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// scrypt's N as a power of two, r and p: the defaults of Node's `crypto.scryptSync`.
const SCRYPT: (u8, u32, u32) = (14, 8, 1);

/// `None` when it is not of this form or was sealed with another secret. Takes tens of milliseconds.
pub(super) fn open(blob: &str, secret: &SecretString) -> Option<SecretString> {
    let bytes = decode(blob)?;
    let (salt, rest) = bytes.split_at_checked(SALT_BYTES)?;
    let (nonce, rest) = rest.split_at_checked(NONCE_BYTES)?;
    let (tag, ciphertext) = rest.split_at_checked(TAG_BYTES)?;
    let cipher = cipher(secret, salt)?;
    let sealed = [ciphertext, tag].concat();
    let plaintext = Zeroizing::new(cipher.decrypt(&Nonce::try_from(nonce).ok()?, sealed.as_slice()).ok()?);
    Some(SecretString::from(String::from_utf8_lossy(&plaintext).into_owned()))
}

/// Seals in this form. Takes tens of milliseconds.
///
/// # Errors
/// `INTERNAL` when the machine gives no random bytes.
pub(super) fn seal(secret: &SecretString, plaintext: &[u8]) -> Result<String> {
    let failed = || Error::internal("a secret could not be sealed");
    let (mut salt, mut nonce) = ([0; SALT_BYTES], [0; NONCE_BYTES]);
    getrandom::fill(&mut salt).map_err(|_| failed())?;
    getrandom::fill(&mut nonce).map_err(|_| failed())?;
    let cipher = cipher(secret, &salt).ok_or_else(failed)?;
    let sealed = cipher.encrypt(&Nonce::from(nonce), plaintext).map_err(|_| failed())?;
    let (ciphertext, tag) = sealed.split_at_checked(sealed.len().saturating_sub(TAG_BYTES)).ok_or_else(failed)?;
    Ok(STANDARD.encode([&salt[..], &nonce, tag, ciphertext].concat()))
}

fn cipher(secret: &SecretString, salt: &[u8]) -> Option<Aes256Gcm> {
    let mut key = Zeroizing::new([0; 32]);
    let (log_n, r, p) = SCRYPT;
    let params = scrypt::Params::new(log_n, r, p).ok()?;
    scrypt::scrypt(secret.expose_secret().as_bytes(), salt, &params, key.as_mut()).ok()?;
    Aes256Gcm::new_from_slice(key.as_ref()).ok()
}

/// Base64 as Node reads it: either alphabet, padding or none, characters of neither skipped, nothing after padding.
fn decode(blob: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let mut characters: Vec<u8> = blob
        .bytes()
        .take_while(|byte| *byte != b'=')
        .filter_map(|byte| match byte {
            b'-' => Some(b'+'),
            b'_' => Some(b'/'),
            b'+' | b'/' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => Some(byte),
            _ => None,
        })
        .collect();
    // A single character at the end stands for less than a byte.
    if characters.len() % 4 == 1 {
        characters.pop();
    }
    GeneralPurpose::new(&alphabet::STANDARD, config).decode(characters).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_as_node_reads_it() {
        for text in ["+/+/", "-_-_", "+ /\n+*/", "+/+/=", "+/+/==abcd", "+/+/A"] {
            assert_eq!(decode(text).unwrap(), [0xfb, 0xff, 0xbf], "{text}");
        }
        assert_eq!(decode("YWI").unwrap(), b"ab");
        assert_eq!(decode("YWJ").unwrap(), b"ab", "bits that are left over do not count");
        assert!(decode("").unwrap().is_empty());
    }

    #[test]
    fn what_is_sealed_opens() {
        let secret = SecretString::from("application secret".to_owned());
        let blob = seal(&secret, "schlüssel".as_bytes()).unwrap();
        assert_eq!(open(&blob, &secret).unwrap().expose_secret(), "schlüssel");
        assert!(open(&blob, &SecretString::from("other".to_owned())).is_none());
    }

    #[test]
    fn what_is_too_short_is_nothing() {
        assert!(open("", &SecretString::from("x".to_owned())).is_none());
        assert!(open("YWJj", &SecretString::from("x".to_owned())).is_none());
    }
}
