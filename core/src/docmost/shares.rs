//! Pages that everybody may read.

use serde_json::{Value, json};

use super::client::Asking;
use super::shapes::{at, put, text};

/// How many shares are listed.
const MOST_SHARES: usize = 5_000;

impl Asking<'_> {
    /// Where everybody finds a page of this short id.
    fn public_url(&self, key: &str, slug_id: &str) -> String {
        format!("{}/share/{key}/p/{slug_id}", self.client.site())
    }

    pub(super) async fn list_shares(&self) -> Result<Value, String> {
        let (shares, _) = self.list("/shares", json!({}), MOST_SHARES).await?;
        let shape = |share: &Value| {
            let page = share.get("page").or_else(|| share.get("sharedPage")).unwrap_or(&Value::Null);
            json!({
                "shareId": at(share, "id"),
                "key": at(share, "key"),
                "pageId": at(share, "pageId"),
                "pageTitle": at(page, "title"),
                "publicUrl": self.public_url(text(share, "key"), text(page, "slugId")),
                "searchIndexing": at(share, "searchIndexing"),
                "createdAt": at(share, "createdAt"),
            })
        };
        Ok(shares.iter().map(shape).collect())
    }

    pub(super) async fn share_page(&self, input: &Value) -> Result<Value, String> {
        let page = self.page_json(text(input, "pageId")).await?;
        let mut body = json!({"pageId": at(&page, "id"), "includeSubPages": false});
        if let Some(indexing) = input.get("searchIndexing") {
            put(&mut body, "searchIndexing", indexing.clone());
        }
        let share = self.change("/shares/create", body).await?;
        Ok(json!({
            "shareId": at(&share, "id"),
            "key": at(&share, "key"),
            "pageId": text(input, "pageId"),
            "publicUrl": self.public_url(text(&share, "key"), text(&page, "slugId")),
            "searchIndexing": at(&share, "searchIndexing"),
        }))
    }

    pub(super) async fn unshare_page(&self, input: &Value) -> Result<Value, String> {
        let page_id = text(input, "pageId");
        let share = self.read("/shares/for-page", json!({"pageId": page_id})).await?;
        let Some(share_id) = share.get("id").filter(|id| id.is_string()) else {
            return Err("The page is not shared.".to_owned());
        };
        // It may be public because a page above it is; that one's share is not this page's to end.
        if share.get("level").and_then(Value::as_i64).is_some_and(|level| level > 0) {
            return Err("The page is public because a page above it is shared, with those below it.".to_owned());
        }
        self.change("/shares/delete", json!({"shareId": share_id})).await?;
        Ok(json!({"success": true, "removedShareId": share_id, "pageId": page_id}))
    }
}
