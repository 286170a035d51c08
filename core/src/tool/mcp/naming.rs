//! Names of external tools that every provider takes and that do not clash.

use std::collections::HashSet;
use std::hash::BuildHasher;

use crate::text::{utf16_len, utf16_prefix};

/// How long a tool's name may be.
pub const MAX_NAME_UNITS: usize = 64;

/// The prefix of a server whose name has nothing usable in it.
const FALLBACK_PREFIX: &str = "mcp";

/// Every run of characters other than ASCII letters, digits, `_` and `-` becomes one `_`; no `_` stays at the ends.
pub fn sanitize_tool_name(value: &str) -> String {
    let mut out = String::with_capacity(value.len().min(4 * MAX_NAME_UNITS));
    let mut in_run = false;
    for character in value.chars() {
        let usable = character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
        if usable {
            out.push(character);
        } else if !in_run {
            out.push('_');
        }
        in_run = !usable;
    }
    utf16_prefix(out.trim_matches('_'), MAX_NAME_UNITS).to_owned()
}

/// The prefix of all tools of a server.
pub fn tool_name_prefix(server_name: &str) -> String {
    let prefix = sanitize_tool_name(server_name);
    if prefix.is_empty() { FALLBACK_PREFIX.to_owned() } else { prefix }
}

/// The name, cut to what providers take.
pub fn cap_tool_name(value: &str) -> &str {
    utf16_prefix(value, MAX_NAME_UNITS)
}

/// A name that is not in `taken`: with the server's id at the end when it has a usable one, else with a number from 2.
pub fn disambiguate_tool_name<S: BuildHasher>(name: &str, server_id: &str, taken: &HashSet<String, S>) -> String {
    let id = sanitize_tool_name(server_id);
    if !id.is_empty() {
        let candidate = match MAX_NAME_UNITS.saturating_sub(utf16_len(&id) + 1) {
            0 => id,
            room => format!("{}_{id}", utf16_prefix(name, room)),
        };
        if !taken.contains(&candidate) {
            return candidate;
        }
    }
    let mut number: u64 = 2;
    loop {
        let suffix = format!("_{number}");
        let candidate = format!("{}{suffix}", utf16_prefix(name, MAX_NAME_UNITS.saturating_sub(suffix.len())));
        if !taken.contains(&candidate) {
            return candidate;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(names: &[&str]) -> HashSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn runs_become_one_underscore() {
        assert_eq!(sanitize_tool_name("search the wiki ✨"), "search_the_wiki");
        assert_eq!(sanitize_tool_name("a😀😀b"), "a_b");
        assert_eq!(sanitize_tool_name("a__b"), "a__b");
        assert_eq!(tool_name_prefix("Поиск"), "mcp");
        assert_eq!(tool_name_prefix("поиск_docs"), "docs");
        assert_eq!(sanitize_tool_name(&format!("_{}", "a".repeat(70))), "a".repeat(64));
    }

    #[test]
    fn a_cut_keeps_pairs_whole() {
        let name = format!("{}😀", "a".repeat(63));
        assert_eq!(cap_tool_name(&name), "a".repeat(63));
    }

    #[test]
    fn the_id_first_then_numbers() {
        assert_eq!(disambiguate_tool_name("a", "id-1", &taken(&[])), "a_id-1");
        assert_eq!(disambiguate_tool_name("a", "id-1", &taken(&["a_id-1", "a_2"])), "a_3");
        assert_eq!(disambiguate_tool_name("a", "___", &taken(&[])), "a_2");
        assert_eq!(disambiguate_tool_name("a", &"i".repeat(63), &taken(&[])), "i".repeat(63));
        assert_eq!(disambiguate_tool_name("ab", &"i".repeat(62), &taken(&[])), format!("a_{}", "i".repeat(62)));
    }

    proptest::proptest! {
        #[test]
        fn names_fit_and_do_not_clash(name in "\\PC{0,70}", id in "\\PC{0,70}", rounds in 1_usize..20) {
            let mut names = taken(&[]);
            for _ in 0..rounds {
                let next = disambiguate_tool_name(&name, &id, &names);
                proptest::prop_assert!(utf16_len(&next) <= MAX_NAME_UNITS);
                proptest::prop_assert!(names.insert(next));
            }
        }
    }
}
