//! What is read of pages, spaces and the workspace.

use serde_json::{Value, json};

use crate::text::js_trim;

use super::client::{Asking, items_of};
use super::diff::line_diff;
use super::document::{node_by_ref, outline, plain_text, read_table};
use super::shapes::{at, cut, hit_shape, page_shape, put, space_shape, text, tree_shape, workspace_shape};

/// How many hits a search gives, and pages a list, unless it is said otherwise.
const HITS: u64 = 10;
const PAGES: u64 = 50;
/// How many spaces, and how many pages right below one, are listed.
const MOST_LISTED: usize = 5_000;
/// How many pages a tree has at most, and how many levels.
const MOST_NODES: usize = 10_000;
const MOST_LEVELS: usize = 100;
/// How much is told of who has changed a page.
const NAME_UNITS: usize = 100;

impl Asking<'_> {
    /// A page with its content as the editor's JSON.
    pub(super) async fn page_json(&self, page_id: &str) -> Result<Value, String> {
        self.read("/pages/info", json!({"pageId": page_id})).await
    }

    /// A page with its content as Markdown.
    async fn page_markdown(&self, page_id: &str) -> Result<(String, String), String> {
        let page = self.read("/pages/info", json!({"pageId": page_id, "format": "markdown"})).await?;
        let markdown = match page.get("content") {
            Some(Value::String(markdown)) => markdown.clone(),
            // A server of an older version knows no formats, and answers with its own.
            Some(document) => plain_text(document),
            None => String::new(),
        };
        Ok((text(&page, "title").to_owned(), markdown))
    }

    pub(super) async fn search_pages(&self, input: &Value) -> Result<Value, String> {
        let query = js_trim(text(input, "query"));
        if query.is_empty() {
            return Ok(json!([]));
        }
        let limit = input.get("limit").and_then(Value::as_u64).unwrap_or(HITS);
        let found = self.read("/search", json!({"query": query, "limit": limit})).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(items_of(&found).iter().take(limit).map(hit_shape).collect())
    }

    pub(super) async fn get_page(&self, input: &Value) -> Result<Value, String> {
        let (title, markdown) = self.page_markdown(text(input, "pageId")).await?;
        Ok(json!({"title": title, "markdown": markdown}))
    }

    pub(super) async fn export_page(&self, input: &Value) -> Result<Value, String> {
        let (title, markdown) = self.page_markdown(text(input, "pageId")).await?;
        let heading = if title.is_empty() { String::new() } else { format!("# {title}\n\n") };
        Ok(json!({"markdown": format!("{heading}{markdown}")}))
    }

    pub(super) async fn get_outline(&self, input: &Value) -> Result<Value, String> {
        let page = self.page_json(text(input, "pageId")).await?;
        let blocks = outline(page.get("content").unwrap_or(&Value::Null));
        Ok(
            json!({"pageId": at(&page, "id"), "slugId": at(&page, "slugId"), "title": at(&page, "title"), "outline": blocks}),
        )
    }

    pub(super) async fn get_page_json(&self, input: &Value) -> Result<Value, String> {
        let page = self.page_json(text(input, "pageId")).await?;
        let names = ["id", "slugId", "title", "parentPageId", "spaceId", "updatedAt", "content"];
        Ok(Value::Object(names.iter().map(|name| ((*name).to_owned(), at(&page, name).clone())).collect()))
    }

    pub(super) async fn get_node(&self, input: &Value) -> Result<Value, String> {
        let (page_id, reference) = (text(input, "pageId"), text(input, "nodeId"));
        let page = self.page_json(page_id).await?;
        let found = node_by_ref(at(&page, "content"), reference);
        let (path, node) = found.ok_or("The page has no such node. getOutline lists what there is.")?;
        Ok(json!({"pageId": page_id, "ref": reference, "path": path, "type": at(node, "type"), "node": node}))
    }

    pub(super) async fn get_table(&self, input: &Value) -> Result<Value, String> {
        let (page_id, reference) = (text(input, "pageId"), text(input, "tableRef"));
        let page = self.page_json(page_id).await?;
        let table = read_table(at(&page, "content"), reference);
        let table = table.ok_or("There is no table at this place. getOutline lists what there is.")?;
        let [rows, cols, path, cells, ids] = ["rows", "cols", "path", "cells", "cellIds"].map(|name| at(&table, name));
        Ok(
            json!({"pageId": page_id, "table": reference, "rows": rows, "cols": cols, "path": path, "cells": cells, "cellIds": ids}),
        )
    }

    pub(super) async fn get_workspace(&self) -> Result<Value, String> {
        let workspace = self.read("/workspace/info", json!({})).await?;
        Ok(json!({"data": workspace_shape(&workspace), "success": true}))
    }

    pub(super) async fn list_spaces(&self) -> Result<Value, String> {
        let (spaces, _) = self.list("/spaces", json!({}), MOST_LISTED).await?;
        Ok(spaces.iter().map(space_shape).collect())
    }

    pub(super) async fn list_pages(&self, input: &Value) -> Result<Value, String> {
        let space_id = input.get("spaceId").and_then(Value::as_str);
        if input.get("tree").and_then(Value::as_bool) == Some(true) {
            let space_id = space_id.ok_or("parameter \"spaceId\": missing (required for a tree)")?;
            let pages = self.pages_of_space(space_id, None).await?.0;
            return Ok(tree_of(&pages));
        }
        let limit = input.get("limit").and_then(Value::as_u64).unwrap_or(PAGES);
        let mut body = json!({"limit": limit});
        if let Some(space_id) = space_id {
            put(&mut body, "spaceId", json!(space_id));
        }
        let pages = self.read("/pages/recent", body).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(items_of(&pages).iter().take(limit).map(page_shape).collect())
    }

    /// The pages right below one, or at the top of a space, in their order.
    pub(super) async fn children(&self, space_id: &str, page_id: Option<&str>) -> Result<Vec<Value>, String> {
        let mut body = json!({"spaceId": space_id});
        if let Some(page_id) = page_id {
            put(&mut body, "pageId", json!(page_id));
        }
        Ok(self.list("/pages/sidebar-pages", body, MOST_LISTED).await?.0)
    }

    pub(super) async fn list_sidebar_pages(&self, input: &Value) -> Result<Value, String> {
        let below = input.get("pageId").and_then(Value::as_str);
        Ok(self.children(text(input, "spaceId"), below).await?.into())
    }

    /// All pages of a space, or below one page, each with its parent among them; whether there are more.
    pub(super) async fn pages_of_space(
        &self,
        space_id: &str,
        below: Option<&str>,
    ) -> Result<(Vec<(Option<usize>, Value)>, bool), String> {
        let mut pages: Vec<(Option<usize>, Value)> = Vec::new();
        let top = self.children(space_id, below).await?;
        let mut level: Vec<(Option<usize>, Value)> = top.into_iter().map(|page| (None, page)).collect();
        for _ in 0..MOST_LEVELS {
            let mut next = Vec::new();
            for (parent, page) in level {
                if pages.len() >= MOST_NODES {
                    return Ok((pages, true));
                }
                let (place, id) = (pages.len(), text(&page, "id").to_owned());
                if page.get("hasChildren").and_then(Value::as_bool) == Some(true) {
                    next.extend(self.children(space_id, Some(&id)).await?.into_iter().map(|page| (Some(place), page)));
                }
                pages.push((parent, page));
            }
            if next.is_empty() {
                return Ok((pages, false));
            }
            level = next;
        }
        Ok((pages, true))
    }

    pub(super) async fn list_history(&self, input: &Value) -> Result<Value, String> {
        let mut body = json!({"pageId": text(input, "pageId")});
        if let Some(cursor) = input.get("cursor").and_then(Value::as_str) {
            put(&mut body, "cursor", json!(cursor));
        }
        let versions = self.read("/pages/history", body).await?;
        let next = versions.pointer("/meta/nextCursor").cloned().unwrap_or_default();
        Ok(json!({"items": items_of(&versions), "nextCursor": next}))
    }

    pub(super) async fn version(&self, history_id: &str) -> Result<Value, String> {
        self.read("/pages/history/info", json!({"historyId": history_id})).await
    }

    pub(super) async fn diff_versions(&self, input: &Value) -> Result<Value, String> {
        let page_id = text(input, "pageId");
        let from = match input.get("from").and_then(Value::as_str) {
            Some(version) => version.to_owned(),
            None => {
                let versions = self.read("/pages/history", json!({"pageId": page_id, "limit": 1})).await?;
                let newest = items_of(&versions).first().map(|version| text(version, "id").to_owned());
                newest.ok_or("The page has no earlier version.")?
            }
        };
        let from = self.version(&from).await?;
        let to = match input.get("to").and_then(Value::as_str) {
            Some(version) => self.version(version).await?,
            None => self.page_json(page_id).await?,
        };
        let line = |version: &Value| format!("{}\n{}", text(version, "title"), plain_text(at(version, "content")));
        Ok(json!({"from": version_meta(&from), "to": version_meta(&to), "diff": line_diff(&line(&from), &line(&to))}))
    }
}

/// What a version is, without what it says.
fn version_meta(version: &Value) -> Value {
    let by = version.pointer("/lastUpdatedBy/name").and_then(Value::as_str);
    json!({
        "id": at(version, "id"),
        "title": at(version, "title"),
        "createdAt": at(version, "createdAt"),
        "changedBy": by.map(|name| cut(name, NAME_UNITS)),
    })
}

/// A tree of pages of which each comes behind its parent.
fn tree_of(pages: &[(Option<usize>, Value)]) -> Value {
    let mut nodes: Vec<Value> = pages.iter().map(|(_, page)| tree_shape(page)).collect();
    let mut top = Vec::new();
    for (place, (parent, _)) in pages.iter().enumerate().rev() {
        let Some(node) = nodes.get_mut(place).map(Value::take) else { continue };
        let below = match parent.and_then(|parent| nodes.get_mut(parent)) {
            Some(parent) => match parent.as_object_mut() {
                Some(parent) => parent.entry("children").or_insert_with(|| json!([])).as_array_mut(),
                None => None,
            },
            None => Some(&mut top),
        };
        // They come from behind.
        if let Some(below) = below {
            below.insert(0, node);
        }
    }
    top.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_in_the_order_of_its_pages() {
        let page =
            |parent: Option<usize>, id: &str| (parent, json!({"id": id, "slugId": "s", "title": id, "icon": "x"}));
        let tree =
            tree_of(&[page(None, "a"), page(None, "b"), page(Some(0), "c"), page(Some(0), "d"), page(Some(3), "e")]);
        let ids = |list: &Value| list.as_array().unwrap().iter().map(|page| page["id"].clone()).collect::<Vec<_>>();
        assert_eq!(ids(&tree), ["a", "b"]);
        assert_eq!(ids(&tree[0]["children"]), ["c", "d"]);
        assert_eq!(ids(&tree[0]["children"][1]["children"]), ["e"]);
        assert_eq!(tree[1], json!({"id": "b", "slugId": "s", "title": "b"}));
    }
}
