//! Comments: what is said of pages, and by whom.

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::text::js_trim;

use super::client::Asking;
use super::document::document_of;
use super::shapes::{at, comment_shape, put, text};

/// How many comments of a page are read.
const MOST_COMMENTS: usize = 5_000;
/// On how many pages new comments are looked for.
const MOST_CHECKED: usize = 200;

impl Asking<'_> {
    async fn comments(&self, page_id: &str) -> Result<Vec<Value>, String> {
        let (comments, _) = self.list("/comments", json!({"pageId": page_id}), MOST_COMMENTS).await?;
        Ok(comments.iter().map(comment_shape).collect())
    }

    pub(super) async fn list_comments(&self, input: &Value) -> Result<Value, String> {
        Ok(self.comments(text(input, "pageId")).await?.into())
    }

    pub(super) async fn get_comment(&self, input: &Value) -> Result<Value, String> {
        let comment = self.read("/comments/info", json!({"commentId": text(input, "commentId")})).await?;
        Ok(json!({"data": comment_shape(&comment), "success": true}))
    }

    pub(super) async fn create_comment(&self, input: &Value) -> Result<Value, String> {
        let page_id = text(input, "pageId");
        let parent = input.get("parentCommentId").and_then(Value::as_str);
        let selection = input.get("selection").and_then(Value::as_str);
        if parent.is_none() && selection.is_none_or(|selection| js_trim(selection).is_empty()) {
            let problem = "parameter \"selection\": missing (a new comment needs the passage of the page that it is about; a \
                           reply needs parentCommentId)";
            return Err(problem.to_owned());
        }
        // The server takes the document as text.
        let content = document_of(text(input, "content")).to_string();
        let mut body = json!({"pageId": page_id, "content": content, "type": "inline"});
        if let Some(selection) = selection {
            put(&mut body, "selection", json!(selection));
        }
        if let Some(parent) = parent {
            put(&mut body, "parentCommentId", json!(parent));
        }
        let comment = self.change("/comments/create", body).await?;
        let mut created = json!({});
        if let Some(id) = comment.get("id") {
            put(&mut created, "commentId", id.clone());
        }
        put(&mut created, "pageId", json!(page_id));
        Ok(created)
    }

    pub(super) async fn resolve_comment(&self, input: &Value) -> Result<Value, String> {
        let (comment_id, resolved) = (text(input, "commentId"), at(input, "resolved").as_bool().unwrap_or_default());
        let comment = self.read("/comments/info", json!({"commentId": comment_id})).await?;
        let body = json!({"commentId": comment_id, "pageId": at(&comment, "pageId"), "resolved": resolved});
        self.change("/comments/resolve", body).await?;
        Ok(json!({"commentId": comment_id, "resolved": resolved}))
    }

    pub(super) async fn check_new_comments(&self, input: &Value) -> Result<Value, String> {
        let since = text(input, "since");
        let time = |text: &str| Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z")));
        let after = time(since).ok_or("parameter \"since\": invalid (must be a time, as 2026-01-31T12:00:00Z)")?;
        let below = input.get("parentPageId").and_then(Value::as_str);
        let (mut pages, mut truncated) = self.pages_of_space(text(input, "spaceId"), below).await?;
        if let Some(page_id) = below {
            pages.insert(0, (None, self.page_json(page_id).await?));
        }
        truncated |= pages.len() > MOST_CHECKED;
        pages.truncate(MOST_CHECKED);
        let (mut found, mut total) = (Vec::new(), 0);
        for (_, page) in &pages {
            let mut comments = self.comments(text(page, "id")).await?;
            comments.retain(|comment| time(text(comment, "createdAt")).is_some_and(|created| created > after));
            if !comments.is_empty() {
                total += comments.len();
                found.push(json!({"pageId": at(page, "id"), "pageTitle": at(page, "title"), "comments": comments}));
            }
        }
        Ok(json!({
            "since": since,
            "scope": if below.is_some() { "page" } else { "space" },
            "checkedPages": pages.len(),
            "pagesWithNewComments": found.len(),
            "totalNewComments": total,
            "truncated": truncated,
            "comments": found,
        }))
    }
}
