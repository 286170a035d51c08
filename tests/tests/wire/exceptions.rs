//! Cases that differ on purpose, each under its row of the table in `docs/providers.md`.

use crate::verdict::Exceptions;

/// Of `wire/requests`.
pub(crate) fn requests(provider: &str) -> Exceptions {
    match provider {
        "openai-compatible" => &[("W-01", &["openai-compatible-req-046", "openai-compatible-req-047"])],
        "anthropic" => &[("W-01", &["anthropic-req-096", "anthropic-req-126"])],
        "deepseek" => &[("W-02", &["deepseek-req-011", "deepseek-req-012", "deepseek-req-015"])],
        "mistral" => &[(
            "W-02",
            &["mistral-req-005", "mistral-req-006", "mistral-req-008", "mistral-req-012", "mistral-req-014"],
        )],
        "moonshotai" => &[(
            "W-02",
            &[
                "moonshotai-req-002",
                "moonshotai-req-003",
                "moonshotai-req-005",
                "moonshotai-req-006",
                "moonshotai-req-010",
                "moonshotai-req-012",
                "moonshotai-req-014",
            ],
        )],
        "perplexity" => &[("W-02", &["perplexity-req-004"])],
        "xai" => &[("W-02", &["xai-req-002", "xai-req-007"])],
        _ => &[],
    }
}

/// Of the parts in `wire/streams`.
pub(crate) fn parts(provider: &str) -> Exceptions {
    match provider {
        "openai-compatible" => &[("W-03", &["openai-compatible-004"]), ("W-04", &["openai-compatible-012"])],
        "anthropic" => &[
            ("W-05", &["anthropic-008", "anthropic-044", "anthropic-047"]),
            ("W-06", &["anthropic-038", "anthropic-039", "anthropic-040", "anthropic-041"]),
            ("W-07", &["anthropic-042", "anthropic-053", "anthropic-054"]),
            ("W-08", &["anthropic-050"]),
        ],
        "groq" => &[("W-26", &["groq-002"])],
        "mistral" => &[("W-09", &["mistral-007"])],
        "xai" => &[("W-10", &["xai-007", "xai-010", "xai-011"])],
        _ => &[],
    }
}

/// Of `wire/expected/streams`.
pub(crate) const STREAMS: Exceptions = &[
    ("W-04", &["openai-compatible-012"]),
    ("W-06", &["anthropic-038", "anthropic-039", "anthropic-040", "anthropic-041"]),
    ("W-07", &["anthropic-042", "anthropic-053", "anthropic-054"]),
    ("W-08", &["anthropic-050"]),
    ("W-09", &["mistral-007"]),
    ("W-10", &["xai-010", "xai-011"]),
    ("W-11", &["groq-006", "openai-compatible-019"]),
    ("W-12", &["google-016"]),
    ("W-24", &["anthropic-008", "google-026", "openai-013", "openai-015", "openai-016", "openai-compatible-020"]),
    ("W-25", &["openai-compatible-004"]),
    ("W-26", &["groq-002"]),
];

/// Of `wire/expected/cross`.
pub(crate) const CROSS: Exceptions = &[
    ("W-09", &["mistral-007@openai-compatible"]),
    ("W-10", &["xai-010@openai-compatible", "xai-011@openai-compatible"]),
    ("W-11", &["groq-006@openai-compatible"]),
    ("W-24", &["openai-013@openai-compatible", "openai-015@openai-compatible", "openai-016@openai-compatible"]),
    ("W-26", &["groq-002@openai-compatible"]),
];

/// Of `wire/expected/synthetic`.
pub(crate) const SYNTHETIC: Exceptions = &[
    (
        "W-03",
        &[
            "an-no-stop",
            "gm-empty",
            "oc-empty-200@openai",
            "oc-http-200-json-error@openai",
            "oc-only-done@openai",
            "ol-no-done",
        ],
    ),
    ("W-11", &["oc-empty-200", "oc-http-200-json-error", "oc-only-done"]),
    ("W-13", &["oc-tool-invalid-json-length", "oc-tool-invalid-json-length@openai"]),
    ("W-14", &["oc-null-choices", "oc-null-choices@openai"]),
    ("W-15", &["oc-reasoning@openai"]),
    ("W-16", &["oc-drop", "oc-drop@openai"]),
    ("W-17", &["oc-step2-http-500", "oc-step2-http-500@openai"]),
    ("W-18", &["oc-history-input-available"]),
    ("W-19", &["ol-args-string"]),
    ("W-20", &["ol-bad-json"]),
    ("W-27", &["oc-finish-unknown", "oc-finish-unknown@openai"]),
    ("W-28", &["gm-finish-unexpected-tool-call"]),
    (
        "W-29",
        &[
            "oc-tool-dup-index0",
            "oc-tool-dup-index0@openai",
            "oc-tool-parallel-interleaved",
            "oc-tool-parallel-interleaved@openai",
        ],
    ),
];

/// Of `wire/unit`.
pub(crate) fn units(corpus: &str) -> Exceptions {
    match corpus {
        "openai-tools" => &[("W-30", &["openai-tools:3", "openai-tools:4", "openai-tools:5"])],
        "openai-compatible-tools" => {
            &[("W-30", &["openai-compatible-tools:4", "openai-compatible-tools:5", "openai-compatible-tools:6"])]
        }
        "anthropic-tools" => &[("W-30", &["anthropic-tools:25", "anthropic-tools:26"])],
        "google-messages" => &[("W-22", &["google-messages:18"])],
        "google-schema" => &[("W-21", &["google-schema:4", "google-schema:5"])],
        _ => &[],
    }
}

/// Of `wire/generate`.
pub(crate) fn whole(provider: &str) -> Exceptions {
    match provider {
        "openai" => &[("W-27", &["openai-gen-007"])],
        "google" => &[("W-28", &["google-gen-004", "google-gen-005"])],
        "openai-compatible" => &[
            ("W-10", &["openai-compatible-gen-000", "openai-compatible-gen-001"]),
            ("W-27", &["openai-compatible-gen-007"]),
        ],
        "anthropic" => &[
            ("W-07", &["anthropic-gen-048", "anthropic-gen-049"]),
            ("W-23", &["anthropic-gen-006", "anthropic-gen-010"]),
        ],
        _ => &[],
    }
}
