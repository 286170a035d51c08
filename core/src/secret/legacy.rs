//! The form of the system before: base64 of salt, nonce, tag and AES-256-GCM ciphertext, the key derived by scrypt,
//! nothing authenticated besides. It is read and never written.

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

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
    let mut key = Zeroizing::new([0; 32]);
    let (log_n, r, p) = SCRYPT;
    let params = scrypt::Params::new(log_n, r, p).ok()?;
    scrypt::scrypt(secret.expose_secret().as_bytes(), salt, &params, key.as_mut()).ok()?;
    let cipher = Aes256Gcm::new_from_slice(key.as_ref()).ok()?;
    let sealed = [ciphertext, tag].concat();
    let plaintext = Zeroizing::new(cipher.decrypt(&Nonce::try_from(nonce).ok()?, sealed.as_slice()).ok()?);
    Some(SecretString::from(String::from_utf8_lossy(&plaintext).into_owned()))
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
    fn what_is_too_short_is_nothing() {
        assert!(open("", &SecretString::from("x".to_owned())).is_none());
        assert!(open("YWJj", &SecretString::from("x".to_owned())).is_none());
    }
}
