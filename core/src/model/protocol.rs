//! What clients are told in: the versions of the AI SDK that they are of, and protocols that are not its.

use serde::{Deserialize, Serialize};

/// Which version of the AI SDK a client is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// `ai` 6, and whoever reads what `ai` 6 reads.
    #[default]
    #[serde(rename = "ai-6")]
    Ai6,
    /// `ai` 7, which takes back steps that are withdrawn, and knows of more that a step may hold.
    #[serde(rename = "ai-7")]
    Ai7,
}

/// What a stream is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StreamFormat {
    /// Chunks of the AI SDK's UI message stream.
    #[default]
    #[serde(rename = "ui")]
    Ui,
    /// Events of AG-UI 1.0.
    #[serde(rename = "ag-ui")]
    AgUi,
}
