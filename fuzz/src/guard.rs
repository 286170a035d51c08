//! What keeps requests inside and keys out of sight.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};
use turnkeep::functions::call;
use turnkeep::mask::mask_secrets;
use turnkeep::provider::describe_http_failure;
use turnkeep::tool::{check_address, check_ip};

use crate::budget::within;
use crate::input::Input;

/// What the standard library knows to be no public address is refused, in every spelling; a key in a provider's error
/// does not survive, nor does a piece of it.
pub fn guard(data: &[u8]) {
    let mut input = Input::new(data);
    match input.below(4) {
        0 => address(&input.rest_text()),
        1 => looks_like_a_key(&mut input),
        2 => own_secret(&mut input),
        _ => url(&mut input),
    }
}

fn address(text: &str) {
    let allowed = within("check_ip", text.len(), 200, || check_ip(text)).is_ok();
    let mut denoted: Option<IpAddr> = text.parse().ok();
    // What resolvers take: one number for the whole.
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0') {
        denoted = text.parse().ok().map(|bits: u32| Ipv4Addr::from_bits(bits).into());
        assert!(denoted.is_some() || !allowed, "{text} is too large");
    }
    let Some(address) = denoted else {
        // A zone does not make an address public.
        if let Some((address, _)) = text.split_once('%')
            && let Ok(address) = address.parse()
        {
            assert!(!allowed || !is_inside(address), "{text}");
        }
        return;
    };
    assert_eq!(allowed, check_address(address).is_ok(), "{text}");
    assert!(!allowed || !is_inside(address), "{text}");
    for spelling in spellings(address) {
        let other = check_ip(&spelling).is_ok();
        // One address, whatever it is written like.
        assert_eq!(other, allowed, "{text} as {spelling}");
    }
}

fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_broadcast()
                || address.is_documentation()
                || address.is_multicast()
                || first == 0
                || first >= 240
                || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(address) => {
            let inner = address.to_ipv4_mapped().or_else(|| match address.segments() {
                // NAT64 and 6to4 carry one too.
                [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
                    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
                }
                _ => None,
            });
            address.is_unspecified()
                || address.is_loopback()
                || address.is_multicast()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || inner.is_some_and(|inner| is_inside(inner.into()))
        }
    }
}

fn spellings(address: IpAddr) -> Vec<String> {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            let bits = address.to_bits();
            vec![
                address.to_string(),
                bits.to_string(),
                format!("{bits:#x}"),
                format!("0{bits:o}"),
                format!("{a}.{}", bits & 0xff_ffff),
                format!("0x{a:x}.0{b:o}.{c}.{d}"),
                format!("::ffff:{address}"),
                format!("0:0:0:0:0:ffff:{:x}:{:x}", bits >> 16, bits & 0xffff),
            ]
        }
        IpAddr::V6(address) => {
            let long: Vec<String> = address.segments().iter().map(|segment| format!("{segment:04X}")).collect();
            vec![address.to_string(), long.join(":"), format!("{address}%1")]
        }
    }
}

/// What stands between a key and the text before it.
const BEFORE: &[&str] = &[
    " ", "\"", "'", "(", "=", ": ", "\n", "\t", ",", "/", "<", "&", "\\n", "\\t", "\\r", "\\u000a", "\\\"", "%20",
    "%22",
];
const AFTER: &[&str] = &["", " ", "\"", "'", ")", ",", "&", "\n", ";", "\\n", "</b>"];
const PREFIXES: &[&str] =
    &["sk-", "sk-proj-", "sk-ant-api03-", "AIza", "xai-", "gsk_", "ghp_", "github_pat_", "hf_", "AKIA", "pplx-", "eyJ"];
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The letters of a key.
fn body(input: &mut Input<'_>) -> String {
    let length = 17 + input.below(24);
    (0..length)
        .map(|place| char::from(LETTERS[usize::from(input.byte().wrapping_add(place)) % LETTERS.len()]))
        .collect()
}

/// No eight letters in a row of the key are in `shown`.
fn assert_hidden(shown: &str, key: &str, how: &str) {
    for start in 0..=key.len() - 8 {
        assert!(!shown.contains(&key[start..start + 8]), "{how} shows {key}: {shown:?}");
    }
}

fn shares(text: &str, key: &str) -> bool {
    (0..=key.len() - 8).any(|start| text.contains(&key[start..start + 8]))
}

fn looks_like_a_key(input: &mut Input<'_>) {
    let status = input.pick(&[400, 401, 402, 403, 429, 500]).to_owned();
    let (prefix, key) = (*input.pick(PREFIXES), body(input));
    let (left, right) = (*input.pick(BEFORE), *input.pick(AFTER));
    let place = input.below(4);
    let (before, after) = (input.text(), input.rest_text());
    // Escapes have letters of their own.
    let around = format!("{before}{left}{prefix} {right}{after}");
    let escaped = json!(around).to_string();
    if [&around, &escaped, &json!(escaped).to_string()].into_iter().any(|around| shares(around, &key)) {
        return;
    }
    let text = format!("{before}{left}{prefix}{key}{right}{after}");
    let shown = within("mask_secrets", text.len(), 2000, || mask_secrets(&text, &[]));
    assert_hidden(&shown, &key, "mask_secrets");
    let err = match place {
        0 => json!(text),
        1 => json!({"statusCode": status, "message": text}),
        2 => json!({"statusCode": status, "message": "no", "responseBody": text}),
        _ => json!({"message": text, "text": json!({"error": {"message": text}}).to_string()}),
    };
    let arguments = json!({"err": err, "fallback": "?"}).to_string();
    let shown = within("describeProviderError", arguments.len(), 4000, || call("describeProviderError", &arguments));
    let shown = shown.expect("this is an error").expect("it always answers");
    assert_hidden(&shown, &key, "describeProviderError");
    assert_hidden(&describe_http_failure(status, "No", &text, &[]), &key, "describe_http_failure");
}

/// A server's URL as whoever may see the server gets it: without the password and the secret parameters in it.
fn url(input: &mut Input<'_>) {
    let lead = *input.pick(&["", "", " ", "\n", "\u{1} "]);
    let scheme = *input.pick(&["https:", "http:", "HTTPS:", "ht\ttps:", "wss:"]);
    let slashes = *input.pick(&["//", "/", "\\\\", "", "/\t/", "///"]);
    let name = *input.pick(&["api_key", "token", "access%5Ftoken", "password", "Sig", "code", "x-auth", "to\tken"]);
    let mark = *input.pick(&["?", "#", "?a=b&", "#a&", "?;"]);
    let (password, key) = (body(input), body(input));
    let (user, path, more) = (input.text(), input.text(), input.rest_text());
    // What would end the name of the host, or the parameter, is the business of the next.
    let user = user.replace(['/', '\\', '?', '#'], "");
    if [&user, &path, &more].into_iter().any(|text| shares(text, &password) || shares(text, &key)) {
        return;
    }
    let url = format!("{lead}{scheme}{slashes}{user}:{password}@a.example/{path}{mark}{name}={key}&{more}");
    let arguments = json!({"server": {"id": "", "name": "", "transport": "http", "url": url}}).to_string();
    let shown = within("toView", arguments.len(), 4000, || call("toView", &arguments));
    let shown = shown.expect("this is a server").expect("it always answers");
    // Read again, because escapes have letters of their own.
    let shown: Value = serde_json::from_str(&shown).expect("a view is JSON");
    let shown = shown["url"].as_str().expect("a URL is text");
    assert_hidden(shown, &password, "toView");
    assert_hidden(shown, &key, "toView");
}

fn own_secret(input: &mut Input<'_>) {
    let (short, tail) = (body(input), body(input));
    let long = format!("{short}{tail}");
    let secrets = if input.chance(2) { [short.as_str(), &long] } else { [long.as_str(), &short] };
    let (before, between, after) = (input.text(), input.text(), input.rest_text());
    let joined = format!("{before}{between}{after}");
    if shares(&joined, &long) || shares(&format!("{before} {between} {after}"), &long) {
        return;
    }
    let text = format!("{before}{long}{between}{short}{after}");
    let shown = within("mask_secrets", text.len(), 2000, || mask_secrets(&text, &secrets));
    // The text may go on as the key does.
    assert!(!shown.contains(&short) && !shown.contains(&long), "{shown:?}");
    assert_hidden(&shown, &tail, "mask_secrets");
    let shown = describe_http_failure(400, "No", &text, &secrets);
    assert!(!shown.contains(&short) && !shown.contains(&long), "{shown:?}");
    assert_hidden(&shown, &tail, "describe_http_failure");
}
