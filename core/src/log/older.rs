//! Chunks as clients of `ai` 6 take them. Until 6.0.231 those refuse a stream for a member that they do not know.

use std::sync::Arc;

use crate::project::{as_data, keeping};

/// The chunk as older clients take it.
pub(super) fn for_older(chunk: Arc<str>) -> Arc<str> {
    let Some(kind) = kind_of(&chunk) else { return chunk };
    let is_newer = |members: &[&str]| members.iter().any(|member| chunk.contains(&format!("\"{member}\":")));
    let told = match kind {
        "custom" | "reasoning-file" => as_data(&chunk),
        "tool-approval-request" => keeping(&chunk, |member| matches!(member, "type" | "approvalId" | "toolCallId")),
        "tool-output-denied" => keeping(&chunk, |member| matches!(member, "type" | "toolCallId")),
        "text-end" if is_newer(&["citations"]) => keeping(&chunk, |member| member != "citations"),
        kind if kind.starts_with("tool-") && is_newer(&["toolMetadata"]) => {
            keeping(&chunk, |member| member != "toolMetadata")
        }
        "finish" if chunk.starts_with(INTERRUPTED) => {
            Some(chunk.replacen(INTERRUPTED, r#"{"type":"finish","finishReason":"other""#, 1))
        }
        // They know no name of a file that a model has made.
        "file" if is_newer(&["filename"]) => keeping(&chunk, |member| member != "filename"),
        _ => return chunk,
    };
    // What cannot be read is none of the engine's: it is told as it is.
    told.map_or(chunk, Arc::from)
}

const INTERRUPTED: &str = r#"{"type":"finish","finishReason":"interrupted""#;

fn kind_of(chunk: &str) -> Option<&str> {
    chunk.strip_prefix(r#"{"type":""#)?.split_once('"').map(|(kind, _)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_older_clients_do_not_know_reaches_them() {
        let cases = [
            (
                r#"{"type":"custom","kind":"p.compaction","providerMetadata":{"p":{"n":1.0}}}"#,
                r#"{"type":"data-custom","data":{"kind":"p.compaction","providerMetadata":{"p":{"n":1.0}}}}"#,
            ),
            (
                r#"{"type":"reasoning-file","mediaType":"image/png","url":"data:,x"}"#,
                r#"{"type":"data-reasoning-file","data":{"mediaType":"image/png","url":"data:,x"}}"#,
            ),
            (
                r#"{"type":"tool-approval-request","approvalId":"a","toolCallId":"c","isAutomatic":true,"signature":"s"}"#,
                r#"{"type":"tool-approval-request","approvalId":"a","toolCallId":"c"}"#,
            ),
            (
                r#"{"type":"tool-output-denied","toolCallId":"c","reason":"no"}"#,
                r#"{"type":"tool-output-denied","toolCallId":"c"}"#,
            ),
            (
                r#"{"type":"text-end","id":"t","providerMetadata":{"citations":1},"citations":[]}"#,
                r#"{"type":"text-end","id":"t","providerMetadata":{"citations":1}}"#,
            ),
            (
                r#"{"type":"tool-input-available","toolCallId":"c","toolName":"t","input":{"toolMetadata":1},"toolMetadata":{}}"#,
                r#"{"type":"tool-input-available","toolCallId":"c","toolName":"t","input":{"toolMetadata":1}}"#,
            ),
            (
                r#"{"type":"file","mediaType":"a/b","url":"data:,x","filename":"f"}"#,
                r#"{"type":"file","mediaType":"a/b","url":"data:,x"}"#,
            ),
            (
                r#"{"type":"finish","finishReason":"interrupted","messageMetadata":{}}"#,
                r#"{"type":"finish","finishReason":"other","messageMetadata":{}}"#,
            ),
        ];
        for (newer, older) in cases {
            assert_eq!(&*for_older(Arc::from(newer)), older);
        }
        for same in [r#"{"type":"start-step"}"#, r#"{"type":"text-delta","id":"t","delta":"\"citations\":"}"#] {
            assert_eq!(&*for_older(Arc::from(same)), same);
        }
    }
}
