//! What is changed within a page. The page is read as the server last saved it, changed here, and replaced as a whole: what
//! somebody types in the same seconds is lost. So these tools are there only where the host wants them.

use serde_json::{Value, json};

use super::client::Asking;
use super::document::{node_by_ref, read_table};
use super::edit::{InsertAt, delete_node, delete_row, insert_node, insert_row, replace_node, replace_text, write_cell};
use super::shapes::{at, cut, take, text};
use super::writes::{as_node, verify};

/// How much of a text that was looked for is told again, in UTF-16 units.
const TOLD_UNITS: usize = 80;

impl Asking<'_> {
    /// Changes a page's document, and writes it; what the change gives, and by what a model sees that it has arrived.
    async fn edit<T>(
        &self,
        page_id: &str,
        change: impl FnOnce(&mut Value) -> Result<T, String>,
    ) -> Result<(T, Value), String> {
        let mut page = self.page_json(page_id).await?;
        let mut document = take(&mut page, "content");
        if !document.is_object() {
            return Err("The page has no content. updatePageContent writes one.".to_owned());
        }
        let changed = change(&mut document)?;
        let page = self.replace(page_id, &document, None).await?;
        Ok((changed, verify(&page)))
    }

    /// The same of a table.
    async fn edit_table<T>(
        &self,
        input: &Value,
        change: impl FnOnce(&mut Value, &[usize]) -> Result<T, String>,
    ) -> Result<(T, Value), String> {
        self.edit(text(input, "pageId"), |document| {
            let table = read_table(document, text(input, "tableRef"));
            let table = table.ok_or("There is no table at this place. getOutline lists what there is.")?;
            let path = at(&table, "path").as_array().into_iter().flatten().filter_map(Value::as_u64);
            let path: Vec<usize> = path.filter_map(|place| usize::try_from(place).ok()).collect();
            change(document, &path)
        })
        .await
    }

    pub(super) async fn edit_text(&self, input: &Value) -> Result<Value, String> {
        let page_id = text(input, "pageId");
        let edits = at(input, "edits").as_array().map(Vec::as_slice).unwrap_or_default();
        let mut page = self.page_json(page_id).await?;
        let mut document = take(&mut page, "content");
        let (mut applied, mut failed) = (Vec::new(), Vec::new());
        for edit in edits {
            let (find, all) = (text(edit, "find"), at(edit, "replaceAll").as_bool().unwrap_or_default());
            let told = cut(find, TOLD_UNITS);
            if find.is_empty() {
                failed.push(json!({"find": told, "reason": "there is nothing to find"}));
                continue;
            }
            match replace_text(&mut document, find, text(edit, "replace"), all) {
                0 => failed.push(json!({"find": told, "reason": "the page does not have this text in one block"})),
                count if count > 1 && !all => {
                    let reason = format!("it is there {count} times: say more of it, or replaceAll");
                    failed.push(json!({"find": told, "reason": reason}));
                }
                count => applied.push(json!({"find": told, "replaced": count})),
            }
        }
        if applied.is_empty() {
            let message = "Nothing was changed.";
            return Ok(
                json!({"success": false, "pageId": page_id, "applied": applied, "failed": failed, "message": message, "verify": null}),
            );
        }
        let message = format!("{} of {} edits were made.", applied.len(), edits.len());
        let verify = verify(&self.replace(page_id, &document, None).await?);
        Ok(
            json!({"success": true, "pageId": page_id, "applied": applied, "failed": failed, "message": message, "verify": verify}),
        )
    }

    pub(super) async fn patch_node(&self, input: &Value) -> Result<Value, String> {
        let (node_id, node) = (text(input, "nodeId"), as_node(at(input, "node"), "node")?);
        let (_, verify) = self.edit(text(input, "pageId"), |document| replace_node(document, node_id, node)).await?;
        Ok(json!({"success": true, "replaced": 1, "nodeId": node_id, "verify": verify}))
    }

    pub(super) async fn insert_node(&self, input: &Value) -> Result<Value, String> {
        let node = as_node(at(input, "node"), "node")?;
        let position = text(input, "position");
        let anchor = |name| input.get(name).and_then(Value::as_str);
        let at = match position {
            "append" => InsertAt::Append,
            _ => {
                InsertAt::Beside { after: position == "after", id: anchor("anchorNodeId"), text: anchor("anchorText") }
            }
        };
        let (_, verify) = self.edit(text(input, "pageId"), |document| insert_node(document, node, at)).await?;
        Ok(json!({"success": true, "inserted": true, "position": position, "verify": verify}))
    }

    pub(super) async fn delete_node(&self, input: &Value) -> Result<Value, String> {
        let node_id = text(input, "nodeId");
        let change = |document: &mut Value| match node_by_ref(document, node_id) {
            Some((path, _)) if path.is_empty() => Err("A page's document cannot be taken out.".to_owned()),
            _ => delete_node(document, node_id),
        };
        let (_, verify) = self.edit(text(input, "pageId"), change).await?;
        Ok(json!({"success": true, "deleted": 1, "nodeId": node_id, "verify": verify}))
    }

    pub(super) async fn table_insert_row(&self, input: &Value) -> Result<Value, String> {
        let cells: Vec<&str> = at(input, "cells").as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let at = input.get("index").and_then(Value::as_i64);
        let (place, verify) = self.edit_table(input, |document, path| insert_row(document, path, &cells, at)).await?;
        Ok(json!({"success": true, "table": text(input, "tableRef"), "inserted": place, "verify": verify}))
    }

    pub(super) async fn table_delete_row(&self, input: &Value) -> Result<Value, String> {
        let at = at(input, "index").as_i64().unwrap_or(-1);
        let (_, verify) = self.edit_table(input, |document, path| delete_row(document, path, at)).await?;
        Ok(json!({"success": true, "table": text(input, "tableRef"), "deleted": at, "verify": verify}))
    }

    pub(super) async fn table_update_cell(&self, input: &Value) -> Result<Value, String> {
        let number = |name: &str| at(input, name).as_i64().unwrap_or(-1);
        let (row, column) = (number("row"), number("col"));
        let written = text(input, "text");
        let (_, verify) =
            self.edit_table(input, |document, path| write_cell(document, path, row, column, written)).await?;
        Ok(json!({"success": true, "table": text(input, "tableRef"), "row": row, "col": column, "verify": verify}))
    }
}
