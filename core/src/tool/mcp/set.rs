//! The names that the tools of several servers get, so that no two are alike.

use std::collections::{HashMap, HashSet};

use super::naming::{cap_tool_name, disambiguate_tool_name, sanitize_tool_name, tool_name_prefix};

/// A server and the tools that it lists.
#[derive(Clone, Copy, Debug)]
pub struct ServerTools<'a> {
    /// The server's id.
    pub id: &'a str,
    /// What the administrators call it.
    pub name: &'a str,
    /// The tools that may be used, by the server's own names; all when there is none, or it is empty.
    pub allowlist: Option<&'a [String]>,
    /// The tools by the server's own names, in the order in which it lists them.
    pub tools: &'a [String],
}

/// A tool under the name that a model knows it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedTool {
    /// That name.
    pub name: String,
    /// The place of its server.
    pub server: usize,
    /// Its own place in that server's list.
    pub tool: usize,
}

/// Names the tools of these servers. A server's earlier tools and earlier servers keep the shorter name.
pub fn name_tools(servers: &[ServerTools<'_>]) -> Vec<NamedTool> {
    let mut named = Vec::new();
    let mut taken: HashSet<String> = HashSet::new();
    for (server, of) in servers.iter().enumerate() {
        let prefix = tool_name_prefix(of.name);
        let mut own: HashSet<String> = HashSet::new();
        for tool in places(of) {
            let Some(raw) = of.tools.get(tool) else { continue };
            let wanted = format!("{prefix}_{}", sanitize_tool_name(raw));
            let wanted = cap_tool_name(&wanted).to_owned();
            let within = if own.contains(&wanted) { disambiguate_tool_name(&wanted, "", &own) } else { wanted };
            own.insert(within.clone());
            let name = if taken.contains(&within) { disambiguate_tool_name(&within, of.id, &taken) } else { within };
            taken.insert(name.clone());
            named.push(NamedTool { name, server, tool });
        }
    }
    named
}

/// The places of the tools that may be used, in the order that JavaScript gives members of an object: numbers first. Of one
/// that is listed twice the last counts.
fn places(of: &ServerTools<'_>) -> Vec<usize> {
    let allowed = of.allowlist.filter(|list| !list.is_empty());
    let allows = |name: &String| allowed.is_none_or(|list| list.contains(name));
    let mut order: Vec<&String> = Vec::new();
    let mut last: HashMap<&String, usize> = HashMap::new();
    for (place, name) in of.tools.iter().enumerate().filter(|(_, name)| allows(name)) {
        if last.insert(name, place).is_none() {
            order.push(name);
        }
    }
    // Sorting is stable: those that are no numbers stay as they are.
    order.sort_by_key(|name| index(name).unwrap_or(u64::MAX));
    order.iter().filter_map(|name| last.get(*name).copied()).collect()
}

/// The number that a name is, as JavaScript counts the members of an array.
fn index(name: &str) -> Option<u64> {
    let number: u32 = name.parse().ok().filter(|number| *number < u32::MAX)?;
    (number.to_string() == name).then(|| u64::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(servers: &[(&str, &str, &[&str])]) -> Vec<String> {
        let lists: Vec<Vec<String>> =
            servers.iter().map(|(_, _, tools)| tools.iter().map(|tool| (*tool).to_owned()).collect()).collect();
        let servers: Vec<_> = servers
            .iter()
            .zip(&lists)
            .map(|((id, name, _), tools)| ServerTools { id, name, allowlist: None, tools })
            .collect();
        name_tools(&servers).into_iter().map(|named| named.name).collect()
    }

    #[test]
    fn no_two_tools_are_called_alike() {
        assert_eq!(names(&[("a", "T", &["s"]), ("b", "T", &["s", "s "])]), ["T_s", "T_s_b", "T_s_2"]);
        assert_eq!(names(&[("a", "svr", &["b", "2", "1", "b", "01"])]), ["svr_1", "svr_2", "svr_b", "svr_01"]);
        assert_eq!(names(&[("a", "evil\u{7}\n", &["x\u{1b}[2J", "\u{202e}"])]), ["evil_x_2J", "evil_"]);
    }

    proptest::proptest! {
        #[test]
        fn whatever_servers_call_their_tools(names in proptest::collection::vec("\\PC{0,80}", 0..20), server in "\\PC{0,80}") {
            let one = ServerTools { id: "i", name: &server, allowlist: None, tools: &names };
            let named = name_tools(&[one, one, ServerTools { id: "j", ..one }]);
            let all: HashSet<&str> = named.iter().map(|tool| tool.name.as_str()).collect();
            proptest::prop_assert_eq!(all.len(), named.len());
            let fits = |name: &&str| !name.is_empty() && name.len() <= 64
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
            proptest::prop_assert!(all.iter().all(fits));
        }
    }
}
