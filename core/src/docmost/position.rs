//! Places in the order of pages. They are fractional indices as Docmost makes them: an integer whose first character says how
//! long it is, and a fraction that does not end in `0`; compared byte by byte.

const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// What a server takes at least, so that two who move at the same time seldom come to the same place.
const FRACTION: usize = 4;

/// A place behind `last`, which is the last one that there is; of several, `random` makes them differ.
pub(super) fn behind(last: Option<&str>, random: [u8; FRACTION]) -> String {
    let integer = last.and_then(integer_of).and_then(next).unwrap_or_else(|| "a0".to_owned());
    let place = |byte: &u8| DIGITS.get(1 + usize::from(*byte) % (DIGITS.len() - 1)).copied().map(char::from);
    integer + &random.iter().filter_map(place).collect::<String>()
}

/// The integer at the beginning of a place.
fn integer_of(place: &str) -> Option<&str> {
    let length = match *place.as_bytes().first()? {
        head @ b'a'..=b'z' => usize::from(head - b'a') + 2,
        head @ b'A'..=b'Z' => usize::from(b'Z' - head) + 2,
        _ => return None,
    };
    place.get(..length)
}

/// The integer that comes next. The last one has none, which nobody gets to.
fn next(integer: &str) -> Option<String> {
    let (head, digits) = integer.as_bytes().split_first()?;
    let mut digits = digits.to_vec();
    for place in digits.iter_mut().rev() {
        let value = DIGITS.iter().position(|digit| digit == place)?;
        if let Some(higher) = DIGITS.get(value + 1) {
            *place = *higher;
            return String::from_utf8([&[*head][..], &digits].concat()).ok();
        }
        *place = b'0';
    }
    // It is one digit longer, or of a negative one, shorter.
    let head = match *head {
        b'Z' => return Some("a0".to_owned()),
        b'z' => return None,
        head => head + 1,
    };
    if head.is_ascii_lowercase() {
        digits.push(b'0');
    } else {
        digits.pop();
    }
    String::from_utf8([&[head][..], &digits].concat()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_behind_the_last_one_and_one_that_servers_take() {
        for last in ["a0", "a0Vx3", "a1zzz", "az", "azzz1", "b00", "bzzq", "Zz", "ZzV1", "Y00", "Yzz", ""] {
            for random in [[0; 4], [255; 4], [61, 62, 60, 0]] {
                let place = behind(Some(last), random);
                assert!(place.as_str() > last, "{place} behind {last}");
                assert!((5..=12).contains(&place.len()) && !place.ends_with('0'), "{place}");
            }
        }
        assert!(behind(None, [7; 4]).starts_with("a0"));
    }
}
