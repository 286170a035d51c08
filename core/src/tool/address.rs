//! Which addresses a request on behalf of a workspace may go to: public ones only.
//!
//! An address that carries an IPv4 address inside is judged by that one, or refused with its whole range. Reasons name
//! the range and never the address, so that they can be shown to whoever typed the URL.

use std::fmt;
use std::net::IpAddr;

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpRefusal {
    /// The text is no IP address.
    Unparseable,
    /// The address is in a range that is not public.
    Range(&'static str),
}

impl fmt::Display for IpRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IpRefusal::Unparseable => f.write_str("unparseable IP address"),
            IpRefusal::Range(label) => write!(f, "blocked address range: {label}"),
        }
    }
}

impl std::error::Error for IpRefusal {}

/// Why a host is refused after its name was resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolutionRefusal {
    /// There is no address at all.
    Empty,
    /// The first refused address: where it is in the list, and why.
    Address(usize, IpRefusal),
}

/// `isIpAllowed`: whether `text` is an address that may be connected to.
///
/// IPv4 is also read in its old forms (`127.1`, `0x7f000001`, `0177.0.0.1`), because resolvers and URL parsers do.
///
/// # Errors
/// Why not.
pub fn check_ip(text: &str) -> Result<(), IpRefusal> {
    let label = match parse(text).ok_or(IpRefusal::Unparseable)? {
        Parsed::V4(address) => v4_label(address),
        Parsed::V6(address) => v6_label(address),
        Parsed::DottedCompatible(address) => Some(v4_label(address).unwrap_or(COMPATIBLE)),
    };
    label.map_or(Ok(()), |label| Err(IpRefusal::Range(label)))
}

/// As [`check_ip`], for an address that a resolver or a socket gave.
///
/// # Errors
/// Why not.
pub fn check_address(address: IpAddr) -> Result<(), IpRefusal> {
    let label = match address {
        IpAddr::V4(address) => v4_label(address.to_bits()),
        IpAddr::V6(address) => v6_label(address.to_bits()),
    };
    label.map_or(Ok(()), |label| Err(IpRefusal::Range(label)))
}

/// `validateResolvedAddresses`: a host may be connected to when it has addresses and all of them are allowed. One refused
/// address refuses the host, because nobody can say which of them a later connection takes.
///
/// # Errors
/// Why not.
pub fn check_resolved<T: AsRef<str>>(addresses: &[T]) -> Result<(), ResolutionRefusal> {
    if addresses.is_empty() {
        return Err(ResolutionRefusal::Empty);
    }
    for (index, address) in addresses.iter().enumerate() {
        check_ip(address.as_ref()).map_err(|refusal| ResolutionRefusal::Address(index, refusal))?;
    }
    Ok(())
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

/// The first four groups of an IPv6 address, and zeros.
const fn v6(a: u16, b: u16, c: u16, d: u16) -> u128 {
    ((a as u128) << 112) | ((b as u128) << 96) | ((c as u128) << 80) | ((d as u128) << 64)
}

/// Every IPv4 range of IANA's special-purpose registry, multicast and the reserved top. Narrower ranges come first.
const V4_RANGES: &[(u32, u8, &str)] = &[
    (v4(0, 0, 0, 0), 8, "unspecified"),
    (v4(255, 255, 255, 255), 32, "broadcast"),
    (v4(224, 0, 0, 0), 4, "multicast"),
    (v4(169, 254, 0, 0), 16, "linkLocal"),
    (v4(127, 0, 0, 0), 8, "loopback"),
    (v4(100, 64, 0, 0), 10, "carrierGradeNat"),
    (v4(10, 0, 0, 0), 8, "private"),
    (v4(172, 16, 0, 0), 12, "private"),
    (v4(192, 168, 0, 0), 16, "private"),
    (v4(192, 0, 0, 0), 24, "reserved"),
    (v4(192, 0, 2, 0), 24, "reserved"),
    (v4(192, 88, 99, 0), 24, "reserved"),
    (v4(198, 18, 0, 0), 15, "reserved"),
    (v4(198, 51, 100, 0), 24, "reserved"),
    (v4(203, 0, 113, 0), 24, "reserved"),
    (v4(240, 0, 0, 0), 4, "reserved"),
    (v4(192, 175, 48, 0), 24, "as112"),
    (v4(192, 31, 196, 0), 24, "as112"),
    (v4(192, 52, 193, 0), 24, "amt"),
];

/// IPv4-compatible IPv6 addresses are deprecated, but a host may still route them to the IPv4 address inside.
const COMPATIBLE: &str = "ipv4Compatible";

/// The same for IPv6. The forms with an IPv4 address inside are refused whole, except those that `v6_label` unwraps.
const V6_RANGES: &[(u128, u8, &str)] = &[
    (0, 128, "unspecified"),
    (1, 128, "loopback"),
    (v6(0xfe80, 0, 0, 0), 10, "linkLocal"),
    (v6(0xfec0, 0, 0, 0), 10, "siteLocal"),
    (v6(0xff00, 0, 0, 0), 8, "multicast"),
    (v6(0xfc00, 0, 0, 0), 7, "uniqueLocal"),
    (v6(0x100, 0, 0, 0), 64, "discard"),
    (v6(0x100, 0, 0, 1), 64, "dummy"),
    (0xffff << 48, 96, "rfc6145"),
    (v6(0x64, 0xff9b, 0, 0), 96, "rfc6052"),
    (v6(0x64, 0xff9b, 1, 0), 48, "rfc8215"),
    (v6(0x2002, 0, 0, 0), 16, "6to4"),
    (v6(0x2001, 0, 0, 0), 32, "teredo"),
    (v6(0x2001, 2, 0, 0), 48, "benchmarking"),
    (v6(0x2001, 3, 0, 0), 32, "amt"),
    (v6(0x2001, 4, 0x112, 0), 48, "as112v6"),
    (v6(0x2620, 0x4f, 0x8000, 0), 48, "as112v6"),
    (v6(0x2001, 0x10, 0, 0), 28, "deprecated"),
    (v6(0x2001, 0x20, 0, 0), 28, "orchid2"),
    (v6(0x2001, 0x30, 0, 0), 28, "droneRemoteIdProtocolEntityTags"),
    (v6(0x2001, 0, 0, 0), 23, "reserved"),
    (v6(0x2001, 0xdb8, 0, 0), 32, "reserved"),
    (v6(0x3fff, 0, 0, 0), 20, "reserved"),
    (v6(0x5f00, 0, 0, 0), 16, "segmentRouting"),
];

fn v4_label(address: u32) -> Option<&'static str> {
    let inside = |network: u32, bits: u8| (address ^ network).leading_zeros() >= u32::from(bits);
    V4_RANGES.iter().find(|(network, bits, _)| inside(*network, *bits)).map(|(_, _, label)| *label)
}

fn v6_label(address: u128) -> Option<&'static str> {
    let low = (address & 0xffff_ffff) as u32;
    if address >> 32 == 0xffff {
        return v4_label(low);
    }
    let inside = |network: u128, bits: u8| (address ^ network).leading_zeros() >= u32::from(bits);
    if let Some((_, _, label)) = V6_RANGES.iter().find(|(network, bits, _)| inside(*network, *bits)) {
        return Some(label);
    }
    if address >> 32 == 0 {
        return Some(v4_label(low).unwrap_or(COMPATIBLE));
    }
    // ISATAP: any prefix, then 0:5efe (or 200:5efe) and the IPv4 address that the packet is sent on to.
    let marker = (address >> 32) & 0xffff_ffff;
    if marker & !0x0200_0000 == 0x5efe { v4_label(low) } else { None }
}

enum Parsed {
    V4(u32),
    V6(u128),
    /// `::a.b.c.d`, which servers that this replaces read as an IPv4 address.
    DottedCompatible(u32),
}

fn parse(text: &str) -> Option<Parsed> {
    if !text.contains(':') {
        return parse_v4(text).map(Parsed::V4);
    }
    let text = match text.split_once('%') {
        None => text,
        Some((address, zone)) if !zone.is_empty() && zone.bytes().all(|b| b.is_ascii_alphanumeric()) => address,
        Some(_) => return None,
    };
    if !text.contains('.') {
        // One colon too many after eight full groups is let through by parsers in use.
        let text = if text.contains("::") { text } else { text.strip_suffix(':').unwrap_or(text) };
        return groups(text, 8).map(Parsed::V6);
    }
    let (head, dotted) = text.rsplit_once(':')?;
    let low = embedded_v4(dotted)?;
    if head == ":" {
        return Some(Parsed::DottedCompatible(low));
    }
    let high = if head.ends_with(':') { groups(&format!("{head}:"), 6) } else { groups(head, 6) }?;
    Some(Parsed::V6((high << 32) | u128::from(low)))
}

/// One to four parts, each decimal, hexadecimal (`0x`) or octal (a leading zero); the last one fills what is left.
fn parse_v4(text: &str) -> Option<u32> {
    let mut parts = Vec::with_capacity(4);
    for part in text.split('.') {
        if parts.len() == 4 {
            return None;
        }
        parts.push(match hexadecimal(part) {
            Some(value) => value?,
            None if part.len() > 1 && part.starts_with('0') => digits(part, 8)?,
            None => digits(part, 10)?,
        });
    }
    let last = parts.pop()?;
    let room = 32 - 8 * parts.len();
    if last >> room != 0 {
        return None;
    }
    let mut address = 0;
    for part in &parts {
        address = (address << 8) | u64::from(u8::try_from(*part).ok()?);
    }
    u32::try_from((address << room) | last).ok()
}

/// The dotted end of an IPv6 address: always four parts, and a leading zero does not make one octal.
fn embedded_v4(text: &str) -> Option<u32> {
    let mut address: u32 = 0;
    let mut count = 0;
    for part in text.split('.') {
        let value = match hexadecimal(part) {
            Some(value) => value?,
            None => digits(part, 10)?,
        };
        address = (address << 8) | u32::from(u8::try_from(value).ok()?);
        count += 1;
        if count > 4 {
            return None;
        }
    }
    (count == 4).then_some(address)
}

/// The value after `0x`, or nothing when the text does not begin so.
fn hexadecimal(text: &str) -> Option<Option<u64>> {
    let rest = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    Some(digits(rest, 16))
}

/// Digits only, at least one; values that are too big for any address saturate.
fn digits(text: &str, radix: u32) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.chars().try_fold(0_u64, |value, digit| {
        Some(value.saturating_mul(u64::from(radix)).saturating_add(u64::from(digit.to_digit(radix)?)))
    })
}

/// `count` groups of hexadecimal digits, where one `::` stands for as many zeros as are missing (even none).
fn groups(text: &str, count: usize) -> Option<u128> {
    let (left, right) = match text.split_once("::") {
        None => (text, None),
        Some((left, right)) => (left, Some(right)),
    };
    let (mut value, mut seen) = (0_u128, 0);
    read_groups(left, right.is_some(), count, &mut value, &mut seen)?;
    let Some(right) = right else {
        return (seen == count).then_some(value);
    };
    let (mut tail, mut after) = (0_u128, 0);
    read_groups(right, true, count, &mut tail, &mut after)?;
    let missing = count.checked_sub(seen + after)?;
    // Group by group: one shift by all 128 bits would overflow.
    let shifted = (0..missing + after).fold(value, |value, _| value << 16);
    Some(shifted | tail)
}

fn read_groups(text: &str, may_be_empty: bool, count: usize, value: &mut u128, seen: &mut usize) -> Option<()> {
    if text.is_empty() {
        return may_be_empty.then_some(());
    }
    for group in text.split(':') {
        let group = u16::try_from(digits(group, 16)?).ok()?;
        *value = (*value << 16) | u128::from(group);
        *seen += 1;
        if *seen > count {
            return None;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(text: &str) -> Option<&'static str> {
        match check_ip(text) {
            Ok(()) => None,
            Err(IpRefusal::Range(label)) => Some(label),
            Err(IpRefusal::Unparseable) => Some("?"),
        }
    }

    #[test]
    fn public_addresses_are_allowed() {
        for text in [
            "8.8.8.8",
            "134744072",
            "0x08.8.8.8",
            "1.2.3",
            "172.32.0.0",
            "100.128.0.0",
            "2606:4700:4700::1111",
            "::ffff:8.8.8.8",
            "::ffff:808:808",
            "1:2:3:4:5:6:7:8",
            "2001:200::1",
            "3fff:1000::1",
            "100:0:0:2::1",
        ] {
            assert_eq!(label(text), None, "{text}");
        }
    }

    /// Defect 14 of the servers that this replaces.
    #[test]
    fn what_the_old_guard_let_through_is_refused() {
        for (text, expected) in [
            ("fec0::1", "siteLocal"),
            ("feff::1", "siteLocal"),
            ("64:ff9b:1::1", "rfc8215"),
            ("64:ff9b:1:ffff:ffff::", "rfc8215"),
            ("::8.8.8.8", COMPATIBLE),
            ("::808:808", COMPATIBLE),
            ("::7f00:1", "loopback"),
            ("::a9fe:a9fe", "linkLocal"),
            ("3fff::1", "reserved"),
            ("3fff:fff:ffff::1", "reserved"),
            ("5f00::1", "segmentRouting"),
            ("100:0:0:1::1", "dummy"),
        ] {
            assert_eq!(label(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn an_embedded_address_is_judged_or_its_range_refused() {
        for (text, expected) in [
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:0x7f.0.0.1", "loopback"),
            ("::FFFF:a00:1", "private"),
            ("::10.0.0.1", "private"),
            ("::ffff:0:8.8.8.8", "rfc6145"),
            ("64:ff9b::8.8.8.8", "rfc6052"),
            ("2002:a00:1::1", "6to4"),
            ("2001::1", "teredo"),
            ("2606:4700::5efe:10.0.0.1", "private"),
            ("2606:4700::200:5efe:10.0.0.1", "private"),
        ] {
            assert_eq!(label(text), Some(expected), "{text}");
        }
        assert_eq!(label("2606:4700::5efe:8.8.8.8"), None);
    }

    #[test]
    fn old_forms_of_ipv4() {
        for text in ["127.1", "127.0.1", "2130706433", "0x7f000001", "0X7F.1", "0177.0.0.1", "017700000001", "0x7f.1"] {
            assert_eq!(label(text), Some("loopback"), "{text}");
        }
        for text in [
            "",
            " ",
            "1.2.3.4.5",
            "256.0.0.1",
            "1.256.1",
            "1.2.65536",
            "4294967296",
            "08.8.8.8",
            "0x",
            "1..2",
            ".1",
            "127.0.0.1.",
            "127.0.0.1 ",
            "1.2.3.4/8",
            "+1.2.3.4",
            "１.2.3.4",
            "99999999999999999999999999",
            "-1",
        ] {
            assert_eq!(label(text), Some("?"), "{text}");
        }
    }

    #[test]
    fn forms_of_ipv6() {
        for text in ["::1%eth0", "0:0:0:0:0:0:0:1", "0000000::00001", "::0:0:0:0:0:0:1", "0:0:0:0:0:0:0:1:"] {
            assert_eq!(label(text), Some("loopback"), "{text}");
        }
        for text in [
            ":",
            ":::",
            "::1::",
            ":1",
            "::1:",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1::2:3:4:5:6:7:8:9",
            "::10000",
            "::g",
            "fe80::1%",
            "fe80::1%a%b",
            "[::1]",
            "::1.2.3",
            "::1.2.3.256",
            "1:2:3:4:5:6:7:1.2.3.4",
            "::ffff:1.2.3.4:5",
        ] {
            assert_eq!(label(text), Some("?"), "{text}");
        }
    }

    #[test]
    fn one_refused_address_refuses_the_host() {
        assert_eq!(check_resolved::<&str>(&[]), Err(ResolutionRefusal::Empty));
        assert_eq!(check_resolved(&["8.8.8.8", "2606:4700::1"]), Ok(()));
        let refusal = check_resolved(&["8.8.8.8", "10.0.0.1", "127.0.0.1"]);
        assert_eq!(refusal, Err(ResolutionRefusal::Address(1, IpRefusal::Range("private"))));
    }

    #[test]
    fn reasons_name_the_range_and_not_the_address() {
        assert_eq!(check_ip("10.0.0.1").unwrap_err().to_string(), "blocked address range: private");
        assert_eq!(check_ip("x").unwrap_err().to_string(), "unparseable IP address");
    }

    proptest::proptest! {
        #[test]
        fn text_and_bits_agree(bits in proptest::num::u128::ANY, low in proptest::num::u32::ANY) {
            let address = std::net::Ipv6Addr::from_bits(bits);
            proptest::prop_assert_eq!(check_ip(&address.to_string()), check_address(address.into()));
            let address = std::net::Ipv4Addr::from_bits(low);
            proptest::prop_assert_eq!(check_ip(&address.to_string()), check_address(address.into()));
            proptest::prop_assert_eq!(check_ip(&low.to_string()), check_address(address.into()));
            proptest::prop_assert_eq!(check_address(address.to_ipv6_mapped().into()), check_address(address.into()));
        }

        #[test]
        fn any_text_is_answered(text in "[0-9a-fx:.%]{0,40}") {
            let _ = check_ip(&text);
        }
    }
}
