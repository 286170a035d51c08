//! What may be switched on and off in a workspace.

use serde::Serialize;
use serde_json::{Map, Value};

/// Something that may be switched on and off in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Chats, and titles of pages.
    Chat,
    /// Runs that nobody waits for: those that go on without a reader, and those that no person has begun.
    AutonomousRuns,
    /// Speech to text.
    Dictation,
}

impl Feature {
    /// All of them.
    pub const ALL: [Feature; 3] = [Feature::Chat, Feature::AutonomousRuns, Feature::Dictation];

    /// The name of its flag, wherever it is kept.
    pub const fn as_str(self) -> &'static str {
        match self {
            Feature::Chat => "chat",
            Feature::AutonomousRuns => "autonomousRuns",
            Feature::Dictation => "dictation",
        }
    }
}

/// The flags of a workspace as they are stored: a feature that is neither on nor off is not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeatureFlags(Map<String, Value>);

impl FeatureFlags {
    /// Reads the stored object; whatever is no object is as good as none.
    pub fn from_stored(stored: Option<&Value>) -> Self {
        Self(stored.and_then(Value::as_object).cloned().unwrap_or_default())
    }

    /// Whether the feature is on; nothing where that is not set. Only true and false are flags.
    pub fn get(&self, feature: Feature) -> Option<bool> {
        self.0.get(feature.as_str()).and_then(Value::as_bool)
    }

    /// Switches a feature, or sets it back.
    pub fn set(&mut self, feature: Feature, on: Option<bool>) {
        self.0.insert(feature.as_str().to_owned(), on.map_or(Value::Null, Value::Bool));
    }

    /// Takes over what the change says.
    pub fn change(&mut self, changes: &[(Feature, Option<bool>)]) {
        changes.iter().for_each(|(feature, on)| self.set(*feature, *on));
    }

    /// As it is stored.
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

/// What is on in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Features {
    /// Chats, and titles of pages.
    pub chat: bool,
    /// Runs that nobody waits for.
    pub autonomous_runs: bool,
    /// Speech to text.
    pub dictation: bool,
}

impl Features {
    /// What is on by these flags, where what is not set is `unset`.
    pub fn of(flags: &FeatureFlags, unset: bool) -> Self {
        let on = |feature| flags.get(feature).unwrap_or(unset);
        Self {
            chat: on(Feature::Chat),
            autonomous_runs: on(Feature::AutonomousRuns),
            dictation: on(Feature::Dictation),
        }
    }

    /// Whether this one is on.
    pub fn has(self, feature: Feature) -> bool {
        match feature {
            Feature::Chat => self.chat,
            Feature::AutonomousRuns => self.autonomous_runs,
            Feature::Dictation => self.dictation,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_true_and_false_are_flags() {
        let stored = json!({"chat": "true", "autonomousRuns": false, "dictation": null, "search": true});
        let mut flags = FeatureFlags::from_stored(Some(&stored));
        assert_eq!(Feature::ALL.map(|feature| flags.get(feature)), [None, Some(false), None]);
        let lenient = Features { chat: true, autonomous_runs: false, dictation: true };
        assert_eq!(Features::of(&flags, true), lenient);
        assert!(Feature::ALL.into_iter().all(|feature| !Features::of(&flags, false).has(feature)));
        flags.change(&[(Feature::Chat, Some(true)), (Feature::AutonomousRuns, None)]);
        let expected = json!({"chat": true, "autonomousRuns": null, "dictation": null, "search": true});
        assert_eq!(flags.to_value(), expected, "what others have written stays");
        for nothing in [None, Some(&json!([1])), Some(&json!("x"))] {
            assert_eq!(FeatureFlags::from_stored(nothing), FeatureFlags::default());
        }
    }
}
