//! What comes after a call to the provider that failed: the same again, another model, or the run's end.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::model::{FailureKind, Json, StepRecord};
use crate::provider::ProviderFailure;

use super::budget::Price;

/// How calls that failed are made up for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Retries {
    /// How often a step whose answer broke off is asked for again, of the same model.
    pub step: u32,
    /// How long to wait before that where the provider had too much to do.
    pub wait: Duration,
    /// The model of the turn, where that is known.
    pub model: Option<Arc<str>>,
    /// The models that are asked when that is no use, in order.
    pub fallbacks: Vec<Fallback>,
}

/// A model that is asked instead.
#[derive(Clone, Debug, PartialEq)]
pub struct Fallback {
    /// Its name.
    pub model: Arc<str>,
    /// The kinds of failures in which it is asked.
    pub on: Vec<FailureKind>,
    /// What it costs, where that is known.
    pub price: Option<Price>,
}

impl Fallback {
    /// The kinds in which another model is asked unless it is said which: those that may pass, and those that are the
    /// model's or its account's own. What is refused or withheld would be sent to somebody else, which nobody has asked for.
    pub const DEFAULT_ON: &[FailureKind] = &[
        FailureKind::RateLimit,
        FailureKind::Overloaded,
        FailureKind::Unreachable,
        FailureKind::ConnectionLost,
        FailureKind::Silence,
        FailureKind::BadResponse,
        FailureKind::Billing,
        FailureKind::ModelNotFound,
    ];
}

/// What is done about a failure.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Again {
    /// After so long.
    pub(super) wait: Duration,
    /// Another model is asked.
    pub(super) switched: Option<Switched>,
    /// What that one costs, where that is known.
    pub(super) price: Option<Price>,
}

/// The attempts at a step.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempts {
    policy: Retries,
    /// How often the model has been asked again for the step in progress.
    used: u32,
    /// The model: 0 is the turn's own, the others are those that are asked instead.
    model: usize,
}

#[derive(Serialize)]
struct DataPart<T> {
    r#type: &'static str,
    id: String,
    data: T,
}

/// What readers are told of a step that is withdrawn.
#[derive(Serialize)]
struct Withdrawn {
    step: u32,
    kind: FailureKind,
}

/// What readers are told of another model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Switched {
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    instead: Option<String>,
    kind: FailureKind,
}

impl Switched {
    /// The part of a message that says so, in the step that the other model answers. Its id is the step's: a step that is
    /// withdrawn takes it along, and clients would take a part of the same id for the same part.
    pub(super) fn part(&self, step: u32) -> Option<Json> {
        data_part("data-model", format!("model-{step}"), self)
    }
}

fn data_part<T: Serialize>(r#type: &'static str, id: String, data: T) -> Option<Json> {
    Json::from_value(&DataPart { r#type, id, data }).ok()
}

/// The part of a message that says that everything of its step is withdrawn.
pub(super) fn withdrawn_part(step: u32, kind: FailureKind) -> Option<Json> {
    data_part("data-withdrawn", format!("withdrawn-{step}"), Withdrawn { step, kind })
}

impl Attempts {
    pub(super) fn new(policy: Retries) -> Self {
        Self { policy, ..Self::default() }
    }

    /// The model to ask.
    pub(super) fn model(&self) -> usize {
        self.model
    }

    /// A step is done.
    pub(super) fn succeeded(&mut self) {
        self.used = 0;
    }

    /// Counts what others have done before: the steps at the end that were withdrawn.
    pub(super) fn after(&mut self, steps: &[StepRecord]) {
        let withdrawn = steps.iter().rev().take_while(|step| step.is_withdrawn()).count();
        self.used = u32::try_from(withdrawn).unwrap_or(u32::MAX);
    }

    /// What to do about this failure, of an answer that was `cut_short` without having said so; nothing when the run ends by it.
    pub(super) fn next(&mut self, failure: &ProviderFailure, cut_short: bool) -> Option<Again> {
        if breaks_off(failure, cut_short) && self.used < self.policy.step {
            self.used += 1;
            let is_busy = matches!(failure.kind, FailureKind::Overloaded | FailureKind::RateLimit);
            let wait = if is_busy { self.policy.wait } else { Duration::ZERO };
            return Some(Again { wait, switched: None, price: None });
        }
        let instead = self.name().map(str::to_owned);
        let mut later = self.policy.fallbacks.iter().enumerate().skip(self.model);
        let (index, fallback) = later.find(|(_, fallback)| fallback.on.contains(&failure.kind))?;
        (self.model, self.used) = (index + 1, 0);
        let switched = Some(Switched { model: fallback.model.to_string(), instead, kind: failure.kind });
        Some(Again { wait: Duration::ZERO, switched, price: fallback.price })
    }

    fn name(&self) -> Option<&str> {
        match self.model.checked_sub(1) {
            None => self.policy.model.as_deref(),
            Some(index) => self.policy.fallbacks.get(index).map(|fallback| &*fallback.model),
        }
    }
}

/// Whether the answer was broken off by something that may well not happen again. What was refused before anything of an
/// answer had come has been tried again already, by whoever sends requests.
fn breaks_off(failure: &ProviderFailure, cut_short: bool) -> bool {
    match failure.kind {
        FailureKind::Silence => true,
        FailureKind::ConnectionLost | FailureKind::Overloaded | FailureKind::RateLimit => failure.answered,
        _ => cut_short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: FailureKind) -> ProviderFailure {
        ProviderFailure::new(kind, "")
    }

    fn attempts(step: u32, fallbacks: &[(&str, &[FailureKind])]) -> Attempts {
        let fallbacks =
            fallbacks.iter().map(|(model, on)| Fallback { model: (*model).into(), on: on.to_vec(), price: None });
        let wait = Duration::from_secs(2);
        Attempts::new(Retries { step, wait, model: Some("a".into()), fallbacks: fallbacks.collect() })
    }

    #[test]
    fn the_same_model_is_asked_again_and_then_others() {
        use FailureKind::{ConnectionLost, Overloaded, Refused, Silence};
        let mut attempts = attempts(1, &[("b", &[Silence]), ("c", Fallback::DEFAULT_ON)]);
        assert_eq!(attempts.next(&failure(Overloaded), false).unwrap().wait, Duration::from_secs(2));
        assert_eq!(attempts.model(), 0);
        // The second is not for this kind.
        let again = attempts.next(&failure(ConnectionLost), false).unwrap();
        assert_eq!((attempts.model(), again.wait), (2, Duration::ZERO));
        let said = again.switched.unwrap();
        assert_eq!(
            said.part(7).unwrap().get(),
            r#"{"type":"data-model","id":"model-7","data":{"model":"c","instead":"a","kind":"connection_lost"}}"#
        );
        // It has attempts of its own, and nobody comes after it.
        assert!(attempts.next(&failure(Silence), false).is_some_and(|again| again.switched.is_none()));
        assert!(attempts.next(&failure(Silence), false).is_none());
        attempts.succeeded();
        assert!(attempts.next(&failure(Silence), false).is_some());
        assert!(attempts.next(&failure(Refused), false).is_none());
    }

    #[test]
    fn what_was_tried_before_anything_came_is_not_tried_again() {
        use FailureKind::{Authentication, BadResponse, ConnectionLost, Overloaded, RateLimit, Silence};
        for (kind, answered, cut_short, again) in [
            (ConnectionLost, true, false, true),
            (ConnectionLost, false, false, false),
            (Overloaded, false, false, false),
            (RateLimit, true, false, true),
            (Silence, false, false, true),
            (BadResponse, true, false, false),
            (BadResponse, true, true, true),
            (Authentication, true, false, false),
        ] {
            let failure = ProviderFailure { answered, ..failure(kind) };
            assert_eq!(attempts(1, &[]).next(&failure, cut_short).is_some(), again, "{kind:?} {answered}");
            assert!(attempts(0, &[]).next(&failure, cut_short).is_none());
        }
    }
}
