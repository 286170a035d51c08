//! Words of closed vocabularies, and those that another version or another writer has put among them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// A word of a row that this version does not know. It is shown as it was stored, and never written over.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Word(&'static str);

/// Words are kept for the life of the process; so there is a limit to how many, and to how long they are.
const MOST_WORDS: usize = 256;
const LONGEST_WORD: usize = 64;
/// Stands for whatever is beyond these limits.
const UNKNOWN: &str = "unknown";

static WORDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

impl Word {
    /// The word that reads so; `unknown` for what is no word, or one too many.
    pub fn new(text: &str) -> Self {
        let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = words.get(text) {
            return Self(known);
        }
        let is_word = !text.is_empty() && text.len() <= LONGEST_WORD && text.chars().all(|char| !char.is_control());
        if !is_word || words.len() >= MOST_WORDS {
            return Self(UNKNOWN);
        }
        let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
        words.insert(kept);
        Self(kept)
    }

    /// The word as it was stored.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, formatter)
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
            /// A word of another version's or another writer's, in a row that was read. Requests cannot have it.
            Other($crate::model::Word),
        }

        impl $name {
            /// The word as it is stored and sent.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)*
                    $name::Other(word) => word.as_str(),
                }
            }

            /// The value that `word` stands for, if it is one that this version knows.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($text => Some($name::$variant),)* _ => None }
            }

            /// The value of a row's word, which may be one that this version does not know.
            pub fn read(word: &str) -> Self {
                Self::parse(word).unwrap_or_else(|| $name::Other($crate::model::Word::new(word)))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str> as serde::Deserialize<'de>>::deserialize(deserializer)?;
                Self::parse(&word).ok_or_else(|| serde::de::Error::unknown_variant(&word, &[$($text),*]))
            }
        }
    )*};
}
pub(super) use words;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RunReason, Trigger};

    #[test]
    fn a_word_of_another_version_survives_being_read_and_written() {
        assert_eq!(Trigger::read("user"), Trigger::User);
        let other = Trigger::read("webhook");
        assert_eq!((other.as_str(), other), ("webhook", Trigger::read("webhook")));
        assert_eq!(serde_json::to_string(&other).unwrap(), "\"webhook\"");
        assert_ne!(RunReason::read("quota"), RunReason::read("preempted"));
    }

    #[test]
    fn requests_have_known_words_only() {
        assert_eq!(serde_json::from_str::<Trigger>("\"api\"").unwrap(), Trigger::Api);
        assert!(serde_json::from_str::<Trigger>("\"webhook\"").is_err());
        assert_eq!(Trigger::parse("webhook"), None);
    }

    #[test]
    fn what_is_no_word_is_not_kept() {
        assert_eq!(Word::new(&"x".repeat(LONGEST_WORD + 1)).as_str(), UNKNOWN);
        assert_eq!(Word::new("a\nb").as_str(), UNKNOWN);
        assert_eq!(Word::new("").as_str(), UNKNOWN);
    }
}
