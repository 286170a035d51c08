//! What makes up for calls to a provider that fail: the same model again, and others after it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::machine::{Cost, Fallback, Price, Retries};
use crate::model::FailureKind;
use crate::provider::{CallOptions, Provider, ProviderChoice, ProviderConfig, resolve};
use crate::text::js_trim;

use super::Inner;
use super::options::Prices;

/// How often a turn asks again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TurnRetries {
    /// How often a step whose answer broke off is asked for again of the same model; `runs.stepRetries` unless given. 0 to 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
}

/// A model that is asked when another one fails.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FallbackModel {
    /// The model.
    pub model: String,
    /// Its provider: the name of a configured one or, in turns that bring their tools, settings. The turn's own unless given.
    #[serde(default)]
    pub provider: Option<ProviderChoice>,
    /// How it is to answer; what is not set is as its provider's settings say.
    #[serde(default)]
    pub options: Option<CallOptions>,
    /// The kinds of failures in which it is asked: `rate_limit`, `overloaded`, `unreachable`, `connection_lost`, `silence`,
    /// `bad_response`, `billing` and `model_not_found` unless given.
    #[serde(default)]
    pub on: Option<Vec<FailureKind>>,
}

/// The same as a plan keeps it: without anything that is secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlannedFallback {
    model: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    options: Option<CallOptions>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<Vec<FailureKind>>,
}

/// The most models that a turn may name besides its own.
const MOST_FALLBACKS: usize = 10;
/// The most times that a step may be asked for again.
pub(super) const MOST_RETRIES: u32 = 10;

/// Refuses what cannot be used. `is_planned`: others may drive the run.
pub(super) fn check(retries: TurnRetries, fallbacks: &[FallbackModel], is_planned: bool) -> Result<()> {
    if retries.step.is_some_and(|step| step > MOST_RETRIES) {
        return Err(Error::invalid("retries.step", format!("must be at most {MOST_RETRIES}")));
    }
    if fallbacks.len() > MOST_FALLBACKS {
        return Err(Error::invalid("fallbacks", format!("must be at most {MOST_FALLBACKS}")));
    }
    for (index, fallback) in fallbacks.iter().enumerate() {
        let field = |name: &str| format!("fallbacks[{index}].{name}");
        if js_trim(&fallback.model).is_empty() {
            return Err(Error::invalid(field("model"), "must not be empty"));
        }
        if is_planned && matches!(fallback.provider, Some(ProviderChoice::Given(_))) {
            return Err(Error::invalid(
                field("provider"),
                "must be a name beside offeredTools: others could not use it",
            ));
        }
        if fallback.options.as_ref().is_some_and(|options| options.max_output_tokens == Some(0)) {
            return Err(Error::invalid(field("options.maxOutputTokens"), "must be at least 1"));
        }
        if fallback.on.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::invalid(field("on"), "must not be empty"));
        }
    }
    Ok(())
}

impl FallbackModel {
    /// As a plan keeps it.
    pub(super) fn planned(&self) -> PlannedFallback {
        let provider = match &self.provider {
            Some(ProviderChoice::Named(name)) => Some(name.clone()),
            Some(ProviderChoice::Given(_)) | None => None,
        };
        PlannedFallback {
            model: js_trim(&self.model).to_owned(),
            provider,
            options: self.options.clone(),
            on: self.on.clone(),
        }
    }
}

impl From<PlannedFallback> for FallbackModel {
    fn from(planned: PlannedFallback) -> Self {
        let PlannedFallback { model, provider, options, on } = planned;
        Self { model, provider: provider.map(ProviderChoice::Named), options, on }
    }
}

/// Another model, ready to be asked.
#[derive(Clone)]
pub(crate) struct Candidate {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) model: Option<Arc<str>>,
}

/// What a turn asks when its own model fails.
#[derive(Clone, Default)]
pub(crate) struct Fallbacks {
    pub(crate) candidates: Vec<Candidate>,
    rules: Vec<Fallback>,
}

impl Fallbacks {
    /// The rules of a turn with this model.
    pub(crate) fn retries(&self, step: u32, wait: Duration, model: Option<Arc<str>>) -> Retries {
        Retries { step, wait, model, fallbacks: self.rules.clone() }
    }
}

impl Inner {
    /// The models that are asked when that of `own` fails, ready to be asked.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming the field, `AI_NOT_CONFIGURED`.
    pub(crate) fn fallbacks(
        &self,
        given: &[FallbackModel],
        own: Option<&ProviderConfig>,
        cost: Option<Cost>,
    ) -> Result<Fallbacks> {
        let mut fallbacks = Fallbacks::default();
        for (index, fallback) in given.iter().enumerate() {
            let field = |name: &str| format!("fallbacks[{index}].{name}");
            let mut config = match &fallback.provider {
                Some(choice) => resolve(Some(choice), &self.options.providers)
                    .map_err(|_| Error::invalid(field("provider"), "no provider of this name is configured"))?
                    .clone(),
                None => own.cloned().ok_or_else(|| {
                    Error::invalid(field("provider"), "is needed where the turn's own is the caller's")
                })?,
            };
            js_trim(&fallback.model).clone_into(&mut config.model);
            if let Some(options) = &fallback.options {
                config.options = options.clone().over(config.options);
            }
            let price = price_of(&self.options.prices, &config.model);
            if cost.is_some() && price.is_none() {
                return Err(Error::invalid(field("model"), "needs a price in the option prices beside budget.cost"));
            }
            let model: Arc<str> = config.model.as_str().into();
            let on = fallback.on.clone().unwrap_or_else(|| Fallback::DEFAULT_ON.to_vec());
            fallbacks.rules.push(Fallback { model: Arc::clone(&model), on, price });
            let provider = Arc::new(config.build(self.http()?)?);
            fallbacks.candidates.push(Candidate { provider, model: Some(model) });
        }
        Ok(fallbacks)
    }
}

/// What a model costs, where that is known.
pub(super) fn price_of(prices: &Prices, model: &str) -> Option<Price> {
    prices.get(model).map(|price| Price { input: price.input, output: price.output })
}
