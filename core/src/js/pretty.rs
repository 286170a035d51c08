//! JSON over several lines.

use std::fmt::{self, Write};

use super::scan::Scanner;

/// Containers at this depth and below stand on one line: indentation would make the text grow with the square of the
/// depth.
pub const PRETTY_DEPTH: usize = 128;

/// Writes `text`, which must be valid JSON in its one spelling, as `JSON.stringify(value, null, 2)` does.
///
/// # Errors
/// Those of `out`.
pub fn pretty<W: Write + ?Sized>(text: &str, out: &mut W) -> fmt::Result {
    let mut scanner = Scanner::new(text);
    let mut depth = 0_usize;
    while let Some(byte) = scanner.peek() {
        match byte {
            b'{' | b'[' if depth >= PRETTY_DEPTH => out.write_str(scanner.value())?,
            b'{' | b'[' => {
                scanner.punctuation();
                let (open, close, empty) = if byte == b'{' { ("{", b'}', "{}") } else { ("[", b']', "[]") };
                if scanner.peek() == Some(close) {
                    scanner.punctuation();
                    out.write_str(empty)?;
                } else {
                    depth += 1;
                    out.write_str(open)?;
                    new_line(depth, out)?;
                }
            }
            b'}' | b']' => {
                scanner.punctuation();
                depth = depth.saturating_sub(1);
                new_line(depth, out)?;
                out.write_str(if byte == b'}' { "}" } else { "]" })?;
            }
            b',' => {
                scanner.punctuation();
                out.write_str(",")?;
                new_line(depth, out)?;
            }
            b':' => {
                scanner.punctuation();
                out.write_str(": ")?;
            }
            _ => {
                let scalar = scanner.value();
                out.write_str(scalar)?;
            }
        }
    }
    Ok(())
}

/// A line end and the indentation of the deepest level.
const INDENTED: &str = concat!(
    "\n",
    "                                                                ",
    "                                                                ",
    "                                                                ",
    "                                                                ",
);

/// A line end and the indentation of this depth.
pub(super) fn line(depth: usize) -> &'static str {
    INDENTED.get(..1 + 2 * depth).unwrap_or(INDENTED)
}

fn new_line<W: Write + ?Sized>(depth: usize, out: &mut W) -> fmt::Result {
    out.write_str(line(depth))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        let mut out = String::new();
        pretty(text, &mut out).unwrap();
        out
    }

    #[test]
    fn two_spaces_a_level() {
        assert_eq!(
            of(r#"{"a":1,"b":[],"c":{},"d":[1,{"e":"x:{}, \"y"}]}"#),
            "{\n  \"a\": 1,\n  \"b\": [],\n  \"c\": {},\n  \"d\": [\n    1,\n    {\n      \"e\": \"x:{}, \\\"y\"\n    }\n  ]\n}"
        );
        assert_eq!(of("\"x\""), "\"x\"");
    }

    #[test]
    fn hostile_depth_does_not_square() {
        let text = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(of(&text).len() < text.len() + 40_000);
    }

    proptest::proptest! {
        #[test]
        fn as_serde_json_does(value in proptest::collection::vec(("[a-z{}\\[\\]:,\" ]{0,6}", proptest::num::i32::ANY), 0..6)) {
            let json = serde_json::json!({"list": value, "nested": {"empty": [], "none": {}, "list": [value]}});
            proptest::prop_assert_eq!(of(&json.to_string()), serde_json::to_string_pretty(&json).unwrap());
        }
    }
}
