//! What calls to providers have used, and what that costs.

use serde::Serialize;

use crate::clock::Timestamp;
use crate::engine::options::{ModelPrice, Prices};
use crate::engine::{Actor, Engine};
use crate::error::{Error, ErrorCode, Result};
use crate::id::ChatId;
use crate::model::{CallKind, CallTokens};
use crate::store::{UsageBy, UsageGroup, UsageOf};

/// How many lines a report has at most.
const MOST_LINES: usize = 10_000;
/// The latest and the earliest moments that every database can compare with: those of years of four digits.
const MOMENT_LENGTH: usize = "2026-01-31T00:00:00.000Z".len();

/// What calls that have something in common have used.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageLine {
    /// The day of UTC, as `2026-01-31`, where days are told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// The user, where users are told apart; null for calls of which that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The chat, where chats are told apart; null for calls for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_id: Option<String>,
    /// What providers were called for, where that is told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<CallKind>,
    /// The model, where models are told apart; null for calls of which that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How many calls there were.
    pub calls: u64,
    /// Of these, those whose tokens are estimated, all or some: they were stopped, or the provider does not count.
    pub estimated_calls: u64,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Of these, those that providers had kept from earlier calls.
    pub cached_input_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// Of these, those spent on reasoning.
    pub reasoning_tokens: u64,
    /// Prompts and answers together.
    pub total_tokens: u64,
    /// What all of it costs, by the option `prices` as it is now.
    pub cost: f64,
    /// Calls whose model has no price, and which are not in the cost.
    pub unpriced_calls: u64,
}

/// What was used.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageReport {
    /// The lines: the newest day first, then by user, chat, kind and model.
    pub lines: Vec<UsageLine>,
    /// All of them together, also those that were left out.
    pub total: UsageLine,
    /// Whether lines were left out, because there are more than 10,000.
    pub truncated: bool,
}

/// Which calls a report is of, as it is asked for.
#[derive(Clone, Debug, Default)]
pub struct ReportOf {
    /// Those of one user.
    pub user_id: Option<String>,
    /// Those for one chat.
    pub chat_id: Option<ChatId>,
    /// Those from this moment on.
    pub since: Option<String>,
    /// Those before this moment.
    pub until: Option<String>,
    /// What is told apart.
    pub by: Vec<UsageBy>,
}

impl Engine {
    /// What calls to providers have used in a workspace. Whoever is no administrator sees their own.
    ///
    /// # Errors
    /// `FORBIDDEN` for the calls of another user, unless an administrator asks; `INVALID_INPUT` naming the field;
    /// `STORE_UNAVAILABLE`.
    pub async fn usage(&self, workspace_id: &str, actor: &Actor, of: ReportOf) -> Result<UsageReport> {
        actor.check(workspace_id)?;
        let user_id = match of.user_id {
            Some(user_id) if actor.is_admin || user_id == actor.user_id => Some(user_id),
            Some(_) => {
                let message = "what others have used is shown to administrators";
                return Err(Error::new(ErrorCode::Forbidden, message).with_detail("field", "userId"));
            }
            None => (!actor.is_admin).then(|| actor.user_id.clone()),
        };
        let wanted = UsageOf {
            workspace_id: workspace_id.to_owned(),
            user_id,
            chat_id: of.chat_id,
            from: of.since.as_deref().map(|at| moment("since", at)).transpose()?,
            until: of.until.as_deref().map(|at| moment("until", at)).transpose()?,
            by: of.by,
        };
        let groups = self.inner.store.usage(&wanted).await?;
        Ok(report(&groups, wanted.by.contains(&UsageBy::Model), &self.inner.options.prices))
    }
}

fn moment(field: &'static str, text: &str) -> Result<Timestamp> {
    let at = Timestamp::parse(text).filter(|at| {
        let shown = at.to_string();
        shown.len() == MOMENT_LENGTH && !shown.starts_with("0000")
    });
    at.ok_or_else(|| Error::invalid(field, "must be a moment, as 2026-01-31T00:00:00Z"))
}

/// The lines of these groups, in which models are told apart, as they always are in the store, or not.
fn report(groups: &[UsageGroup], by_model: bool, prices: &Prices) -> UsageReport {
    let (mut lines, mut total): (Vec<UsageLine>, _) = (Vec::new(), UsageLine::default());
    let mut truncated = false;
    for group in groups {
        let price = group.model.as_ref().and_then(|model| prices.get(model));
        total.add(group, price);
        let line = UsageLine {
            day: group.day.clone(),
            user_id: group.user_id.clone(),
            chat_id: group.chat_id.clone(),
            kind: group.kind,
            model: group.model.clone().filter(|_| by_model),
            ..UsageLine::default()
        };
        // Groups that differ by their models alone stand together.
        if by_model || !lines.last().is_some_and(|last| last.is_of(&line)) {
            if lines.len() == MOST_LINES {
                truncated = true;
                continue;
            }
            lines.push(line);
        }
        if let Some(line) = lines.last_mut() {
            line.add(group, price);
        }
    }
    UsageReport { lines, total, truncated }
}

impl UsageLine {
    fn is_of(&self, other: &Self) -> bool {
        (&self.day, &self.user_id, &self.chat_id, self.kind) == (&other.day, &other.user_id, &other.chat_id, other.kind)
    }

    fn add(&mut self, group: &UsageGroup, price: Option<&ModelPrice>) {
        let CallTokens { input, output, cached_input, reasoning, .. } = group.tokens;
        for (sum, more) in [
            (&mut self.calls, group.calls),
            (&mut self.estimated_calls, group.estimated_calls),
            (&mut self.input_tokens, input),
            (&mut self.cached_input_tokens, cached_input),
            (&mut self.output_tokens, output),
            (&mut self.reasoning_tokens, reasoning),
            (&mut self.total_tokens, group.tokens.total()),
            (&mut self.unpriced_calls, if price.is_none() { group.calls } else { 0 }),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.cost += price.map_or(0.0, |price| price.of(&group.tokens));
    }
}

impl ModelPrice {
    fn of(&self, tokens: &CallTokens) -> f64 {
        let cached = tokens.cached_input.min(tokens.input);
        let count = |tokens: u64| tokens as f64;
        let kept = count(cached) * self.cached_input.unwrap_or(self.input);
        (count(tokens.input - cached) * self.input + kept + count(tokens.output) * self.output) / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(day: &str, model: Option<&str>, tokens: CallTokens) -> UsageGroup {
        UsageGroup {
            day: Some(day.into()),
            user_id: None,
            chat_id: None,
            kind: None,
            model: model.map(str::to_owned),
            calls: 2,
            estimated_calls: u64::from(tokens.estimated),
            tokens,
        }
    }

    #[test]
    fn prices_are_applied_to_each_model() {
        let prices: Prices = serde_json::from_value(serde_json::json!({
            "a": {"input": 1.0, "output": 10.0, "cachedInput": 0.1},
            "b": {"input": 2.0, "output": 20.0},
        }))
        .unwrap();
        let million =
            CallTokens { input: 1_000_000, output: 1_000_000, cached_input: 500_000, ..CallTokens::default() };
        let groups = [
            group("2", None, CallTokens::estimated(7, 3)),
            group("2", Some("a"), million),
            group("2", Some("b"), million),
            group("1", Some("a"), million),
        ];
        let told = report(&groups, false, &prices);
        assert_eq!(
            told.lines.iter().map(|line| (line.calls, line.unpriced_calls)).collect::<Vec<_>>(),
            [(6, 2), (2, 0)]
        );
        let near = |cost: f64, expected: f64| (cost - expected).abs() < 1e-9;
        assert!(near(told.lines[0].cost, 0.55 + 10.0 + 22.0) && near(told.lines[1].cost, 10.55), "{told:?}");
        assert!(near(told.total.cost, 43.1) && told.total.calls == 8 && told.total.total_tokens == 6_000_010);
        assert_eq!(report(&groups, true, &prices).lines.len(), 4);
    }

    #[test]
    fn a_report_has_an_end() {
        let groups: Vec<UsageGroup> =
            (0..=MOST_LINES).map(|day| group(&day.to_string(), None, CallTokens::estimated(1, 0))).collect();
        let told = report(&groups, false, &Prices::new());
        assert_eq!((told.lines.len(), told.truncated, told.total.input_tokens), (MOST_LINES, true, 10_001));
    }
}
