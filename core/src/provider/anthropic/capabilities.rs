//! What a model takes, judged by its id.

/// <https://docs.anthropic.com/en/docs/about-claude/models/overview>
pub(super) struct Capabilities {
    /// The most tokens of an answer.
    pub(super) max_output_tokens: u64,
    /// It takes a schema for its answer; others are given a tool to answer with.
    pub(super) structured_output: bool,
    /// It takes no temperature, topP or topK.
    pub(super) rejects_sampling: bool,
    /// The figures are those of the model, not a guess.
    pub(super) known: bool,
}

/// Beginnings of ids after `claude-`, the longer ones first, with the model's most output tokens, whether it takes schemas,
/// and whether it rejects sampling settings.
const MODELS: &[(&str, u64, bool, bool)] = &[
    ("fable-5", 128_000, true, true),
    ("opus-5", 128_000, true, true),
    ("sonnet-5", 128_000, true, true),
    ("opus-4-8", 128_000, true, true),
    ("opus-4-7", 128_000, true, true),
    ("opus-4-6", 128_000, true, false),
    ("sonnet-4-6", 128_000, true, false),
    ("opus-4-5", 64_000, true, false),
    ("sonnet-4-5", 64_000, true, false),
    ("haiku-4-5", 64_000, true, false),
    ("opus-4-1", 32_000, true, false),
    ("opus-4", 32_000, false, false),
    ("sonnet-4", 64_000, false, false),
    ("3-7-sonnet", 64_000, false, false),
    ("3-5-haiku", 8_192, false, false),
    ("3-5-sonnet", 8_192, false, false),
    ("3-haiku", 4_096, false, false),
    ("3-sonnet", 4_096, false, false),
    ("3-opus", 4_096, false, false),
];

impl Capabilities {
    pub(super) fn of(model: &str) -> Self {
        // Gateways and clouds put words before the name.
        let name = model.rfind("claude-").and_then(|at| model.get(at + "claude-".len()..));
        let found = name.and_then(|name| MODELS.iter().find(|(prefix, ..)| name.starts_with(prefix)));
        match found {
            Some((_, max_output_tokens, structured_output, rejects_sampling)) => Self {
                max_output_tokens: *max_output_tokens,
                structured_output: *structured_output,
                rejects_sampling: *rejects_sampling,
                known: true,
            },
            None => Self {
                max_output_tokens: if name.is_some() { 128_000 } else { 4_096 },
                structured_output: false,
                rejects_sampling: false,
                known: false,
            },
        }
    }
}
