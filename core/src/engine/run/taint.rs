//! What a turn is tainted by from its beginning: what it is told of earlier turns, and the page that is open.

use std::sync::Arc;

use crate::engine::request::OwnPieces;
use crate::error::Result;
use crate::machine::Tainting;
use crate::model::{Message, MessageRole, TaintMode, TaintSource, origin_of_tool, reads_of};
use crate::project::OpenPage;
use crate::tool::{AllowRules, ToolCatalog, ToolSet};

/// The rules of a turn, and the page that it was begun on, as far as that counts.
///
/// # Errors
/// `INVALID_INPUT` naming the rule's field.
pub(super) fn rules(own: &OwnPieces, default: TaintMode, page: Option<&OpenPage>) -> Result<Tainting> {
    let mode = own.taint.unwrap_or(default);
    let allow = Arc::new(AllowRules::new(&own.taint_allow)?);
    let is_untrusted = page.is_some_and(|page| page.untrusted);
    Ok(Tainting { mode, allow, begins_with: is_untrusted.then(TaintSource::page).into_iter().collect() })
}

/// The same with what the turn is told of earlier ones: `rows`, oldest first. Where a host has `given` them, nothing is known
/// of tools that are none of the turn's: what they returned counts as content from outside.
pub(super) fn with_history(tainting: Tainting, rows: &[Message], tools: &ToolSet, given: bool) -> Tainting {
    let known = |name: &str| {
        let is_strange = given && !tools.has(name);
        tools.untrusted(name).or_else(|| is_strange.then(|| origin_of_tool(name)))
    };
    with_rows(tainting, rows, known)
}

/// The same, where `known` gives the origins of what tools return of which nothing else is known.
pub(crate) fn with_rows(
    mut tainting: Tainting,
    rows: &[Message],
    known: impl Fn(&str) -> Option<String> + Copy,
) -> Tainting {
    if tainting.mode == TaintMode::Off {
        return tainting;
    }
    for row in rows.iter().filter(|row| row.role == MessageRole::Assistant) {
        for read in reads_of(&row.parts(), false, known) {
            if tainting.begins_with.iter().all(|source| source.origin != read.origin) {
                tainting.begins_with.push(TaintSource { earlier: true, ..read });
            }
        }
    }
    tainting
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::request::{GivenMessage, GivenPart};
    use crate::engine::run::history;
    use crate::model::Json;
    use crate::tool::{Mailbox, ToolDefinition};

    fn origins(parts: &str, given: bool, mode: TaintMode) -> Vec<String> {
        let definitions = r#"[{"name":"mine"},{"name":"fetch","untrusted":true,"readOnly":true}]"#;
        let definitions: Vec<ToolDefinition> = serde_json::from_str(definitions).unwrap();
        let (_mailbox, tools) = Mailbox::new(definitions);
        let tools = ToolSet::new(tools, std::time::Duration::MAX).unwrap();
        let parts: Vec<Json> = serde_json::from_str(parts).unwrap();
        let message =
            |role: &str| GivenMessage { role: role.to_owned(), parts: parts.iter().cloned().map(GivenPart).collect() };
        let rows = history::given(&[message("assistant"), message("user")], &[]);
        let tainting = with_history(Tainting { mode, ..Tainting::default() }, &rows, &tools, given);
        assert!(tainting.begins_with.iter().all(|source| source.earlier));
        tainting.begins_with.into_iter().map(|source| source.origin).collect()
    }

    #[test]
    fn a_history_taints_with_what_is_told_of_it() {
        let call = |name: &str, more: &str| {
            format!(
                r#"{{"type":"tool-{name}","toolCallId":"{name}","state":"output-available","input":{{}},"output":1{more}}}"#
            )
        };
        let parts = [
            call("mine", ""),
            call("fetch", ""),
            call("wiki", r#","untrusted":"server:Wiki""#),
            call("gone", ""),
            r#"{"type":"source-url","sourceId":"s","url":"http://x"}"#.to_owned(),
        ];
        let parts = format!("[{}]", parts.join(","));
        assert_eq!(origins(&parts, false, TaintMode::Ask), ["tool:fetch", "server:Wiki"]);
        assert_eq!(origins(&parts, true, TaintMode::Refuse), ["tool:fetch", "server:Wiki", "tool:gone"]);
        assert!(origins(&parts, true, TaintMode::Off).is_empty());
    }
}
