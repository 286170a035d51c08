//! Members of an answer that nothing of the answer hangs on: what cannot be read of them counts as absent.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// The value, if it is of the type that it should be.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let raw = Option::<Box<RawValue>>::deserialize(deserializer)?;
    Ok(raw.and_then(|raw| serde_json::from_str(raw.get()).ok()))
}

/// The entries of a list that are of the type that they should be.
pub(super) fn lenient_list<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    let entries: Option<Vec<Box<RawValue>>> = lenient(deserializer)?;
    Ok(entries.map(|entries| entries.iter().filter_map(|raw| serde_json::from_str(raw.get()).ok()).collect()))
}

/// A count or a place: a whole number, also one that is spelled with a fraction of nothing or as a text.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value: Option<Value> = lenient(deserializer)?;
    Ok(value.and_then(|value| match value {
        Value::Number(number) => number.as_u64().or_else(|| whole_number(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }))
}

/// The largest whole number up to which every other one is exact.
const MOST: f64 = 9_007_199_254_740_992.0;

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, not negative and small enough")]
fn whole_number(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..=MOST).contains(&number)).then_some(number as u64)
}
