//! What a run may spend, and what of it is spent.

use std::time::Duration;

use crate::model::{CallTokens, StepRecord, Usage};

/// From this part of a budget on the next answer is the last one, and the model is told so.
const NEAR: f64 = 0.8;

/// What a run may spend. It ends between two steps once one of these is spent, so the last step may go beyond it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    /// Tokens of all calls, prompts included.
    pub tokens: Option<u64>,
    /// Money.
    pub cost: Option<Cost>,
    /// The time that the run may take is of its budget: it ends between two steps, and not in the middle of one.
    pub time: Option<Duration>,
}

/// How much money, and what tokens cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// In the unit of the prices.
    pub limit: f64,
    /// What the model costs that is asked.
    pub price: Price,
}

/// What tokens of a model cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// A million tokens of prompts.
    pub input: f64,
    /// A million tokens of answers.
    pub output: f64,
}

/// What is spent of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    input: u64,
    output: u64,
    /// The money of them, by what each model costs.
    money: f64,
    /// The time is up.
    pub(crate) time: bool,
}

impl Spent {
    /// Counts a step of a model of this price, of whose answer there are so many bytes.
    pub(crate) fn add(&mut self, usage: Option<Usage>, bytes: u64, price: Option<Price>) {
        let tokens = CallTokens::of(usage, usize::try_from(bytes).unwrap_or(usize::MAX), None);
        self.money +=
            price.map_or(0.0, |price| (tokens.input as f64 * price.input + tokens.output as f64 * price.output) / 1e6);
        self.input = self.input.saturating_add(tokens.input);
        self.output = self.output.saturating_add(tokens.output);
    }

    /// Counts a step that another owner has recorded.
    pub(crate) fn add_recorded(&mut self, step: &StepRecord, price: Option<Price>) {
        self.add(step.usage, u64::try_from(step.text().len()).unwrap_or(u64::MAX), price);
    }

    /// Whether the next answer should be the last.
    pub(crate) fn is_near(&self, budget: &Budget) -> bool {
        self.part_of(budget) >= NEAR
    }

    /// Whether nothing is left.
    pub(crate) fn is_all_of(&self, budget: &Budget) -> bool {
        self.time || self.part_of(budget) >= 1.0
    }

    /// The largest part of what there is that is spent.
    fn part_of(&self, budget: &Budget) -> f64 {
        let count = |tokens: u64| tokens as f64;
        let part = |spent: f64, limit: f64| if limit > 0.0 { spent / limit } else { 1.0 };
        let tokens = budget.tokens.map(|limit| part(count(self.input) + count(self.output), count(limit)));
        let cost = budget.cost.map(|cost| part(self.money, cost.limit));
        tokens.into_iter().chain(cost).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Price = Price { input: 10.0, output: 100.0 };

    fn spent(input: u64, output: u64) -> Spent {
        let mut spent = Spent::default();
        let usage = Usage { input_tokens: Some(input), output_tokens: Some(output), ..Usage::default() };
        spent.add(Some(usage), 0, Some(PRICE));
        spent
    }

    #[test]
    fn the_largest_part_counts() {
        let cost = Some(Cost { limit: 1.0, price: PRICE });
        let budget = Budget { tokens: Some(100_000), cost, time: None };
        assert!(!spent(50_000, 0).is_near(&budget));
        assert!(!spent(79_000, 0).is_near(&Budget { cost: None, ..budget }));
        assert!(spent(80_000, 0).is_near(&budget) && !spent(80_000, 0).is_all_of(&budget));
        assert!(spent(100_000, 0).is_all_of(&budget));
        // A few tokens that cost much.
        assert!(spent(0, 9_000).is_near(&budget) && spent(0, 10_000).is_all_of(&budget));
        assert!(!spent(u64::MAX, u64::MAX).is_near(&Budget::default()));
        assert!(Spent { time: true, ..spent(0, 0) }.is_all_of(&Budget::default()));
    }

    #[test]
    fn what_no_provider_counts_is_estimated() {
        let mut spent = Spent::default();
        spent.add(None, 300, None);
        spent.add(Some(Usage { input_tokens: Some(7), total_tokens: Some(10), ..Usage::default() }), 999, None);
        spent.add(Some(Usage { output_tokens: Some(5), ..Usage::default() }), 999, None);
        assert_eq!((spent.input, spent.output), (7, 108));
    }
}
