//! What is changed of pages. A page's content is replaced as a whole, in one request, by the server's own editor.

use serde_json::{Value, json};

use super::client::Asking;
use super::document::plain_text;
use super::position::behind;
use super::shapes::{at, put, text};

impl Asking<'_> {
    pub(super) async fn create_page(&self, input: &Value) -> Result<Value, String> {
        let title = text(input, "title");
        let mut body = json!({"title": title, "spaceId": text(input, "spaceId")});
        if let Some(parent) = input.get("parentPageId").and_then(Value::as_str) {
            put(&mut body, "parentPageId", json!(parent));
        }
        let content = text(input, "content");
        if !content.is_empty() {
            put(&mut body, "content", json!(content));
            put(&mut body, "format", json!("markdown"));
        }
        let page = self.change("/pages/create", body).await?;
        let id = [page.get("id"), page.get("slugId")].into_iter().flatten().find(|id| !id.is_null());
        let title = page.get("title").filter(|title| !title.is_null()).cloned().unwrap_or_else(|| json!(title));
        Ok(json!({"id": id, "title": title}))
    }

    /// Replaces the content of a page, and its title where one is given; the page as the server has it then.
    pub(super) async fn replace(&self, page_id: &str, content: &Value, title: Option<&str>) -> Result<Value, String> {
        let format = if content.is_string() { "markdown" } else { "json" };
        let mut body = json!({"pageId": page_id, "content": content, "format": format, "operation": "replace"});
        if content == "" {
            // What is empty the server takes for nothing to do.
            put(&mut body, "content", json!({"type": "doc", "content": [{"type": "paragraph"}]}));
            put(&mut body, "format", json!("json"));
        }
        if let Some(title) = title {
            put(&mut body, "title", json!(title));
        }
        let page = self.change("/pages/update", body).await?;
        // A server of an older version takes titles only, and passes over the rest.
        if page.get("id").is_some() && page.get("content").is_none() {
            return Err("Docmost has not taken the content: its version is too old for that.".to_owned());
        }
        Ok(page)
    }

    pub(super) async fn update_page(&self, input: &Value) -> Result<Value, String> {
        let (page_id, title) = (text(input, "pageId"), input.get("title").and_then(Value::as_str));
        let answer = self.replace(page_id, &json!(text(input, "content")), title).await?;
        let updated = answer.get("success").and_then(Value::as_bool) != Some(false);
        Ok(json!({"pageId": page_id, "updated": updated}))
    }

    pub(super) async fn rename_page(&self, input: &Value) -> Result<Value, String> {
        let (page_id, title) = (text(input, "pageId"), text(input, "title"));
        self.change("/pages/update", json!({"pageId": page_id, "title": title})).await?;
        Ok(json!({"pageId": page_id, "title": title}))
    }

    pub(super) async fn move_page(&self, input: &Value) -> Result<Value, String> {
        let (page_id, parent) = (text(input, "pageId"), input.get("parentPageId").and_then(Value::as_str));
        let page = self.page_json(page_id).await?;
        let siblings = self.children(text(&page, "spaceId"), parent).await?;
        let last = siblings.iter().map(|page| text(page, "position")).max();
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(|_| "The page's new place could not be chosen.".to_owned())?;
        let body = json!({"pageId": page_id, "parentPageId": parent, "position": behind(last, random)});
        self.change("/pages/move", body).await?;
        Ok(json!({"pageId": page_id, "parentPageId": parent, "moved": true}))
    }

    pub(super) async fn delete_page(&self, input: &Value) -> Result<Value, String> {
        let page_id = text(input, "pageId");
        self.change("/pages/delete", json!({"pageId": page_id})).await?;
        Ok(json!({"pageId": page_id, "trashed": true}))
    }

    pub(super) async fn update_json(&self, input: &Value) -> Result<Value, String> {
        let (page_id, title) = (text(input, "pageId"), input.get("title").and_then(Value::as_str));
        match as_node(input.get("content").unwrap_or(&Value::Null), "content")? {
            Value::Null => {
                let title = title.ok_or("parameter \"content\": missing (content, title or both are needed)")?;
                self.change("/pages/update", json!({"pageId": page_id, "title": title})).await?;
                Ok(json!({"success": true, "modified": true, "message": "The title was changed.", "pageId": page_id}))
            }
            document if document.get("type").and_then(Value::as_str) == Some("doc") => {
                let page = self.replace(page_id, &document, title).await?;
                let message = "The content was replaced.";
                Ok(
                    json!({"success": true, "modified": true, "message": message, "pageId": page_id, "verify": verify(&page)}),
                )
            }
            _ => Err("parameter \"content\": invalid (must be a node of type doc)".to_owned()),
        }
    }

    pub(super) async fn copy_content(&self, input: &Value) -> Result<Value, String> {
        let (source, target) = (text(input, "sourcePageId"), text(input, "targetPageId"));
        let page = self.page_json(source).await?;
        let content = page.get("content").filter(|content| content.is_object()).ok_or("The page has no content.")?;
        let copied = content.get("content").and_then(Value::as_array).map_or(0, Vec::len);
        let changed = self.replace(target, content, None).await?;
        Ok(json!({
            "success": true,
            "sourcePageId": source,
            "targetPageId": target,
            "copiedNodes": copied,
            "verify": verify(&changed),
        }))
    }

    pub(super) async fn import_markdown(&self, input: &Value) -> Result<Value, String> {
        let page_id = text(input, "pageId");
        let page = self.replace(page_id, &json!(text(input, "markdown")), None).await?;
        Ok(json!({
            "success": true,
            "pageId": page_id,
            "anchoredCommentCount": 0,
            "commentsInFile": 0,
            "verify": verify(&page),
        }))
    }

    pub(super) async fn restore_version(&self, input: &Value) -> Result<Value, String> {
        let history_id = text(input, "historyId");
        let version = self.version(history_id).await?;
        let page_id = version.get("pageId").and_then(Value::as_str).ok_or("The version is of no page.")?;
        let content = version.get("content").filter(|content| content.is_object()).ok_or("The version is empty.")?;
        let page = self.replace(page_id, content, None).await?;
        Ok(json!({"pageId": page_id, "restoredFrom": history_id, "verify": verify(&page)}))
    }
}

/// A value that a model may also have written as text.
///
/// # Errors
/// What the model is told of a text that is none, by the name of the parameter.
pub fn as_node(value: &Value, name: &str) -> Result<Value, String> {
    match value {
        Value::String(text) => {
            serde_json::from_str(text).map_err(|_| format!("parameter \"{name}\": invalid (a text that is not JSON)"))
        }
        other => Ok(other.clone()),
    }
}

/// By what a model sees whether a change has arrived: what the server says of the page behind it.
pub(super) fn verify(page: &Value) -> Value {
    let Some(content) = page.get("content").filter(|content| content.is_object()) else {
        return json!({"updatedAt": at(page, "updatedAt")});
    };
    json!({
        "updatedAt": at(page, "updatedAt"),
        "blocks": content.get("content").and_then(Value::as_array).map_or(0, Vec::len),
        "characters": plain_text(content).chars().count(),
    })
}
