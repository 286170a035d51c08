//! The shapes in which what the server says is told to a model: what matters of it, in one order.

use serde_json::{Map, Value, json};

use crate::project::snippet;
use crate::text::{utf16_len, utf16_prefix};

use super::document::comment_text;

/// The members of these names that there are, in this order.
fn chosen(value: &Value, names: &[&str]) -> Value {
    let member = |name: &&str| Some(((*name).to_owned(), value.get(*name)?.clone()));
    Value::Object(names.iter().filter_map(member).collect::<Map<_, _>>())
}

/// A member; null where there is none.
pub(super) fn at<'v>(value: &'v Value, name: &str) -> &'v Value {
    value.get(name).unwrap_or(&Value::Null)
}

/// Sets a member of an object.
pub(super) fn put(value: &mut Value, name: &str, member: impl Into<Value>) {
    if let Some(members) = value.as_object_mut() {
        members.insert(name.to_owned(), member.into());
    }
}

/// Takes a member out of an object; null where there is none.
pub(super) fn take(value: &mut Value, name: &str) -> Value {
    value.get_mut(name).map(Value::take).unwrap_or_default()
}

/// A workspace.
pub fn workspace_shape(value: &Value) -> Value {
    chosen(value, &["id", "name", "description", "defaultSpaceId", "createdAt", "updatedAt", "deletedAt"])
}

/// A space.
pub fn space_shape(value: &Value) -> Value {
    chosen(value, &["id", "name", "description", "slug", "visibility", "createdAt", "updatedAt", "deletedAt"])
}

/// A page of a list.
pub fn page_shape(value: &Value) -> Value {
    let names = ["id", "slugId", "title", "parentPageId", "spaceId", "isLocked", "createdAt", "updatedAt", "deletedAt"];
    chosen(value, &names)
}

/// A comment.
pub fn comment_shape(value: &Value) -> Value {
    let mut shape = chosen(value, &["id", "pageId"]);
    if let Some(content) = value.get("content") {
        put(&mut shape, "content", json!(comment_text(content)));
    }
    put(&mut shape, "selection", at(value, "selection").clone());
    put(&mut shape, "type", value.get("type").cloned().unwrap_or_else(|| json!("page")));
    put(&mut shape, "parentCommentId", at(value, "parentCommentId").clone());
    if let Some(creator) = value.get("creatorId") {
        put(&mut shape, "creatorId", creator.clone());
    }
    put(&mut shape, "creatorName", value.pointer("/creator/name").cloned().unwrap_or_default());
    if let Some(created) = value.get("createdAt") {
        put(&mut shape, "createdAt", created.clone());
    }
    for name in ["editedAt", "resolvedAt", "resolvedById"] {
        put(&mut shape, name, at(value, name).clone());
    }
    shape
}

/// A page of the space's tree.
pub(super) fn tree_shape(value: &Value) -> Value {
    chosen(value, &["id", "slugId", "title"])
}

/// A page that was found.
pub(super) fn hit_shape(value: &Value) -> Value {
    let id = [value.get("id"), value.get("slugId")].into_iter().flatten().find(|id| !id.is_null());
    json!({
        "id": id.cloned().unwrap_or_default(),
        "title": text(value, "title"),
        "snippet": snippet(text(value, "highlight")),
    })
}

/// A member's text, or none.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// At most this many UTF-16 units, and a mark where there were more.
pub(super) fn cut(text: &str, units: usize) -> String {
    if utf16_len(text) <= units { text.to_owned() } else { format!("{}…", utf16_prefix(text, units)) }
}
