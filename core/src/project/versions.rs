//! A message's parts as clients of one version of the AI SDK take them.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::model::{Protocol, STEERING_PART};

#[derive(Deserialize)]
struct Typed {
    r#type: String,
}

/// A stored part in the form that clients of this version take; nothing when that is the form in which it is stored.
pub(super) fn part_for(protocol: Protocol, part: &str) -> Option<String> {
    let Typed { r#type } = serde_json::from_str(part).ok()?;
    match (protocol, r#type.as_str()) {
        (Protocol::Ai6, "custom" | "reasoning-file") => as_data(part),
        (Protocol::Ai7, STEERING_PART) => steering_message(part),
        (Protocol::Ai7, "data-custom" | "data-reasoning-file") => from_data(part),
        _ => None,
    }
}

/// A message of the user that joins a run, as newer clients have it.
pub(crate) fn steering_message(part: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Part<'a> {
        id: &'a str,
        #[serde(borrow)]
        data: Data<'a>,
    }
    #[derive(Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        parts: Vec<&'a RawValue>,
    }
    #[derive(Serialize)]
    struct Message<'a> {
        r#type: &'static str,
        id: &'a str,
        parts: Vec<&'a RawValue>,
    }
    let Part { id, data } = serde_json::from_str(part).ok()?;
    // Of a user's message these clients keep texts and files.
    let parts = data.parts.into_iter().filter(|part| {
        let kind = serde_json::from_str::<Typed>(part.get()).map(|part| part.r#type);
        kind.is_ok_and(|kind| kind == "text" || kind == "file")
    });
    serde_json::to_string(&Message { r#type: "steering-message", id, parts: parts.collect() }).ok()
}

/// A part that only newer clients know, as one of the kind that every client keeps: `data-` and its type.
pub(crate) fn as_data(part: &str) -> Option<String> {
    #[derive(Serialize)]
    struct Data<'a> {
        r#type: String,
        data: Members<'a>,
    }
    let Typed { r#type } = serde_json::from_str(part).ok()?;
    let mut data: Members<'_> = serde_json::from_str(part).ok()?;
    data.0.retain(|(name, _)| name != "type");
    serde_json::to_string(&Data { r#type: format!("data-{type}"), data }).ok()
}

/// The part that [`as_data`] has made a part of another kind of.
fn from_data(part: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Data<'a> {
        r#type: String,
        #[serde(borrow)]
        data: Members<'a>,
    }
    let Data { r#type, data: Members(mut members) } = serde_json::from_str(part).ok()?;
    let kind = serde_json::value::to_raw_value(r#type.strip_prefix("data-")?).ok()?;
    members.insert(0, ("type".to_owned(), &kind));
    serde_json::to_string(&Members(members)).ok()
}

/// An object without those of its members that are not to be told.
pub(crate) fn keeping(chunk: &str, is_kept: impl Fn(&str) -> bool) -> Option<String> {
    let mut members: Members<'_> = serde_json::from_str(chunk).ok()?;
    members.0.retain(|(name, _)| is_kept(name));
    serde_json::to_string(&members).ok()
}

/// The members of an object in their order, unread.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_to_each_version_in_its_form_and_back() {
        let custom = r#"{"type":"custom","kind":"p.compaction","providerMetadata":{"p":{"n":1.0}}}"#;
        let older = part_for(Protocol::Ai6, custom).unwrap();
        assert_eq!(
            older,
            r#"{"type":"data-custom","data":{"kind":"p.compaction","providerMetadata":{"p":{"n":1.0}}}}"#
        );
        assert_eq!(part_for(Protocol::Ai7, &older).unwrap(), custom);
        let steering = r#"{"type":"data-steering","id":"m","data":{"parts":[{"type":"text","text":"B"},{"type":"data-x","data":1}]}}"#;
        let newer = r#"{"type":"steering-message","id":"m","parts":[{"type":"text","text":"B"}]}"#;
        assert_eq!(part_for(Protocol::Ai7, steering).unwrap(), newer);
        for (protocol, part) in [(Protocol::Ai6, steering), (Protocol::Ai7, custom), (Protocol::Ai7, "null")] {
            assert_eq!(part_for(protocol, part), None);
        }
    }
}
