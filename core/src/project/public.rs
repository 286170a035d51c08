//! Who may talk with the assistant of public pages, and about what: pure.

use crate::error::{Error, ErrorCode, Result};
use crate::model::Json;
use crate::text::{js_trim, utf16_len};

/// How many messages a visitor's conversation may have.
pub const MOST_PUBLIC_MESSAGES: usize = 30;
/// How long the texts of one of them may be together, in UTF-16 units.
pub const LONGEST_PUBLIC_MESSAGE: usize = 8_000;

/// Whether a page is open to visitors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShareAccess {
    /// The share is there, and sharing is allowed.
    pub share_usable: bool,
    /// The page is in it.
    pub page_in_share: bool,
}

/// What follows of the share in which the host has found the page, and the one that the visitor has named.
pub fn share_access(found: Option<&str>, named: &str, sharing_allowed: bool, restricted: bool) -> ShareAccess {
    let is_found = found.is_some_and(|found| !found.is_empty() && found == named);
    ShareAccess { share_usable: is_found && sharing_allowed, page_in_share: is_found && sharing_allowed && !restricted }
}

/// Why a visitor is turned away before anything else is looked at. A visitor is told the same in each case but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// The workspace has no such assistant.
    AssistantDisabled,
    /// There is no such share, or sharing is not allowed.
    ShareNotUsable,
    /// The page is not in it.
    PageNotInShare,
    /// Nobody answers: no provider is configured.
    NotConfigured,
}

/// The first reason for which a visitor is turned away.
pub fn turned_away(enabled: bool, access: ShareAccess, configured: bool) -> Option<TurnedAway> {
    match (enabled, access) {
        (false, _) => Some(TurnedAway::AssistantDisabled),
        (true, ShareAccess { share_usable: false, .. }) => Some(TurnedAway::ShareNotUsable),
        (true, ShareAccess { page_in_share: false, .. }) => Some(TurnedAway::PageNotInShare),
        _ if !configured => Some(TurnedAway::NotConfigured),
        _ => None,
    }
}

/// A message of a visitor's conversation: who wrote it, and its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicMessage {
    /// The role, as the client says.
    pub role: String,
    /// The texts of its parts.
    pub texts: Vec<String>,
}

/// The messages as a client has sent them, after a check of their number, and of each in its order: only texts, and no more of
/// them than may be. `field` is what they are called.
///
/// # Errors
/// `PAYLOAD_TOO_LARGE`, `INVALID_INPUT`, naming the field.
pub fn checked_transcript(messages: &[Json], field: &str) -> Result<Vec<PublicMessage>> {
    #[derive(serde::Deserialize)]
    struct Given {
        role: Option<Json>,
        parts: Option<Vec<Json>>,
    }
    #[derive(serde::Deserialize)]
    struct GivenPart {
        r#type: Option<String>,
        text: Option<String>,
    }
    if messages.len() > MOST_PUBLIC_MESSAGES {
        return Err(too_large(field, format!("must be at most {MOST_PUBLIC_MESSAGES}")));
    }
    let one = |(index, message): (usize, &Json)| {
        let field = format!("{field}[{index}]");
        let given: Given = message.read().map_err(|_| Error::invalid(&*field, "must be a message"))?;
        let mut texts = Vec::new();
        for (place, part) in given.parts.unwrap_or_default().iter().enumerate() {
            let field = format!("{field}.parts[{place}]");
            let wrong = || Error::invalid(&*field, "must be a text part");
            let part: GivenPart = part.read().map_err(|_| wrong())?;
            if part.r#type.as_deref() != Some("text") {
                return Err(wrong());
            }
            texts.push(part.text.unwrap_or_default());
        }
        if texts.iter().map(|text| utf16_len(text)).sum::<usize>() > LONGEST_PUBLIC_MESSAGE {
            return Err(too_large(&field, format!("must have at most {LONGEST_PUBLIC_MESSAGE} characters")));
        }
        let role = given.role.and_then(|role| role.as_string()).unwrap_or_default();
        Ok(PublicMessage { role, texts })
    };
    messages.iter().enumerate().map(one).collect()
}

/// What of a visitor's conversation reaches a model: what users and assistants have said.
pub fn public_transcript(messages: Vec<PublicMessage>) -> Vec<PublicMessage> {
    messages.into_iter().filter(|message| matches!(message.role.as_str(), "user" | "assistant")).collect()
}

/// An id that a visitor has named; nothing when it is none.
pub fn named_id(id: &str) -> Option<&str> {
    Some(js_trim(id)).filter(|id| !id.is_empty())
}

fn too_large(field: &str, message: String) -> Error {
    Error::new(ErrorCode::PayloadTooLarge, format!("{field}: {message}")).with_detail("field", field)
}
