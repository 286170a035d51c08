//! Finds a secret in a text in whatever spelling servers give back what they were sent: with the escapes of JSON and of
//! programs, percent-encoded, as entities of HTML, in Base64, and one of these within another.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// How many spellings within each other are seen through.
const LEVELS: usize = 3;

/// A byte as it is meant, and where it is written.
#[derive(Clone, Copy)]
struct Spelled {
    byte: u8,
    start: usize,
    end: usize,
}

/// Where the secret stands in the text, in any spelling. Linear in the text for each of a few passes.
pub(crate) fn places_of(secret: &str, text: &str) -> Vec<(usize, usize)> {
    let mut places = Vec::new();
    if secret.is_empty() {
        return places;
    }
    let plain = text.bytes().enumerate().map(|(at, byte)| Spelled { byte, start: at, end: at + 1 });
    let mut spelled: Vec<Spelled> = plain.collect();
    for level in 0..=LEVELS {
        find(secret.as_bytes(), &spelled, &mut places);
        in_base64(secret.as_bytes(), &spelled, &mut places);
        if level == LEVELS || !spelled.iter().any(|spelled| matches!(spelled.byte, b'\\' | b'%' | b'&')) {
            break;
        }
        spelled = decoded(&spelled);
    }
    places
}

fn find(secret: &[u8], spelled: &[Spelled], places: &mut Vec<(usize, usize)>) {
    let bytes: Vec<u8> = spelled.iter().map(|spelled| spelled.byte).collect();
    for at in memchr::memmem::find_iter(&bytes, secret) {
        let (first, last) = (spelled.get(at), spelled.get(at + secret.len() - 1));
        if let (Some(first), Some(last)) = (first, last) {
            places.push((first.start, last.end));
        }
    }
}

/// Words in Base64 that hold the secret.
fn in_base64(secret: &[u8], spelled: &[Spelled], places: &mut Vec<(usize, usize)>) {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let reader = GeneralPurpose::new(&alphabet::STANDARD, config);
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    for word in spelled.split(|spelled| !is_base64(spelled.byte)) {
        if word.len() * 3 / 4 < secret.len() {
            continue;
        }
        let mut standard: Vec<u8> = word
            .iter()
            .map(|spelled| match spelled.byte {
                b'-' => b'+',
                b'_' => b'/',
                byte => byte,
            })
            .collect();
        if standard.len() % 4 == 1 {
            standard.pop();
        }
        let holds = reader.decode(standard).is_ok_and(|bytes| memchr::memmem::find(&bytes, secret).is_some());
        if let (true, Some(first), Some(last)) = (holds, word.first(), word.last()) {
            places.push((first.start, last.end));
        }
    }
}

/// The text with one level of spelling taken away.
fn decoded(spelled: &[Spelled]) -> Vec<Spelled> {
    let mut out = Vec::with_capacity(spelled.len());
    let mut at = 0;
    while let Some(first) = spelled.get(at) {
        // No escape is longer than this.
        let ahead: Vec<u8> = spelled.iter().skip(at).take(10).map(|spelled| spelled.byte).collect();
        let (character, length) = match first.byte {
            b'\\' => escape(&ahead),
            b'%' => (ahead.get(1..3).and_then(hexadecimal), 3),
            b'&' => entity(&ahead),
            _ => (None, 1),
        };
        let end = spelled.get(at + length - 1).map(|spelled| spelled.end);
        match (character, end) {
            (Some(code), Some(end)) => {
                // Percent signs spell bytes, the others characters.
                let mut bytes = [0; 4];
                let bytes: &[u8] = match char::from_u32(code) {
                    Some(character) if first.byte != b'%' => character.encode_utf8(&mut bytes).as_bytes(),
                    _ => {
                        bytes[0] = u8::try_from(code).unwrap_or(b'?');
                        &bytes[..1]
                    }
                };
                out.extend(bytes.iter().map(|byte| Spelled { byte: *byte, start: first.start, end }));
                at += length;
            }
            _ => {
                out.push(*first);
                at += 1;
            }
        }
    }
    out
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok()?;
    // `from_str_radix` would take a sign.
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

fn escape(ahead: &[u8]) -> (Option<u32>, usize) {
    match ahead.get(1) {
        Some(b'u') => (ahead.get(2..6).and_then(hexadecimal), 6),
        Some(b'x') => (ahead.get(2..4).and_then(hexadecimal), 4),
        Some(byte @ (b'/' | b'\\' | b'"' | b'\'')) => (Some(u32::from(*byte)), 2),
        _ => (None, 1),
    }
}

fn entity(ahead: &[u8]) -> (Option<u32>, usize) {
    let Some(end) = ahead.iter().position(|byte| *byte == b';') else { return (None, 1) };
    let code = match ahead.get(1..end).unwrap_or_default() {
        [b'#', b'x' | b'X', digits @ ..] => hexadecimal(digits),
        [b'#', digits @ ..] => std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()),
        b"amp" => Some(u32::from(b'&')),
        b"lt" => Some(u32::from(b'<')),
        b"gt" => Some(u32::from(b'>')),
        b"quot" => Some(u32::from(b'"')),
        b"apos" => Some(u32::from(b'\'')),
        b"sol" => Some(u32::from(b'/')),
        b"equals" => Some(u32::from(b'=')),
        b"plus" => Some(u32::from(b'+')),
        _ => None,
    };
    (code, end + 1)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;

    const SECRET: &str = "Zm9vYmFy/cXV4+YWJjZGVm/MDEy==";

    fn without(text: &str) -> String {
        let mut places = places_of(SECRET, text);
        places.sort_unstable();
        let (mut out, mut done) = (String::new(), 0);
        for (start, end) in places {
            if start >= done {
                out.push_str(&text[done..start]);
                out.push('*');
            }
            done = done.max(end);
        }
        out + &text[done..]
    }

    #[test]
    fn every_spelling_is_seen_through() {
        let every = |format: &dyn Fn(char) -> String| SECRET.chars().map(format).collect::<String>();
        let spellings = [
            SECRET.to_owned(),
            SECRET.replace('/', "\\/"),
            every(&|c| format!("\\u{:04x}", c as u32)),
            every(&|c| format!("\\x{:02X}", c as u32)),
            every(&|c| format!("%{:02X}", c as u32)),
            every(&|c| format!("&#{};", c as u32)),
            every(&|c| format!("&#x{:x};", c as u32)),
            SECRET.replace('/', "%2F").replace('+', "%2b").replace('=', "%3D"),
            SECRET.replace('/', "%252F").replace('+', "%252B").replace('=', "%253D"),
            SECRET.replace('/', "\\\\/"),
            SECRET.replace('=', "\\\\u003d").replace('/', "\\\\\\/"),
            STANDARD.encode(SECRET),
            STANDARD.encode(format!("user:{SECRET}!")),
            URL_SAFE_NO_PAD.encode(format!("{SECRET}??")),
        ];
        for spelling in spellings {
            let shown = without(&format!("refused: {spelling}, sorry"));
            assert!(
                shown.starts_with("refused: *") && shown.len() <= "refused: *==, sorry".len(),
                "{spelling}: {shown}"
            );
        }
    }

    #[test]
    fn other_text_stays() {
        for text in ["100 % & more \\ \\u12 %zz &nope; &#x;", "Zm9vYmFy", "", "\\", "%", "&", "ü%C3"] {
            assert_eq!(without(text), text);
        }
    }
}
