//! The tools' code: each name, and what is asked for it.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::model::Json;
use crate::tool::{ToolHandler, ToolInvocation};

use super::client::{Asking, DocmostClient};

/// All tools of a server; which one is called, its call says.
pub(crate) struct DocmostTool(pub(crate) Arc<DocmostClient>);

#[async_trait]
impl ToolHandler for DocmostTool {
    async fn call(&self, call: ToolInvocation) -> Result<Json, String> {
        let input: Value = call.input.read().map_err(|_| "The input cannot be read.".to_owned())?;
        let asking = Asking { client: &self.0, call: &call };
        let output = asking.tool(&call.name, &input).await?;
        Json::from_value(&output).map_err(|_| "Docmost's answer cannot be told.".to_owned())
    }
}

impl Asking<'_> {
    async fn tool(&self, name: &str, input: &Value) -> Result<Value, String> {
        match name {
            "searchPages" => self.search_pages(input).await,
            "getPage" => self.get_page(input).await,
            "getOutline" => self.get_outline(input).await,
            "getPageJson" => self.get_page_json(input).await,
            "getNode" => self.get_node(input).await,
            "getTable" => self.get_table(input).await,
            "exportPageMarkdown" => self.export_page(input).await,
            "getWorkspace" => self.get_workspace().await,
            "listSpaces" => self.list_spaces().await,
            "listPages" => self.list_pages(input).await,
            "listSidebarPages" => self.list_sidebar_pages(input).await,
            "listPageHistory" => self.list_history(input).await,
            "getPageHistory" => self.version(super::shapes::text(input, "historyId")).await,
            "diffPageVersions" => self.diff_versions(input).await,
            "createPage" => self.create_page(input).await,
            "updatePageContent" => self.update_page(input).await,
            "updatePageJson" => self.update_json(input).await,
            "copyPageContent" => self.copy_content(input).await,
            "importPageMarkdown" => self.import_markdown(input).await,
            "restorePageVersion" => self.restore_version(input).await,
            "renamePage" => self.rename_page(input).await,
            "movePage" => self.move_page(input).await,
            "deletePage" => self.delete_page(input).await,
            "listComments" => self.list_comments(input).await,
            "getComment" => self.get_comment(input).await,
            "createComment" => self.create_comment(input).await,
            "resolveComment" => self.resolve_comment(input).await,
            "checkNewComments" => self.check_new_comments(input).await,
            "listShares" => self.list_shares().await,
            "sharePage" => self.share_page(input).await,
            "unsharePage" => self.unshare_page(input).await,
            "editPageText" => self.edit_text(input).await,
            "patchNode" => self.patch_node(input).await,
            "insertNode" => self.insert_node(input).await,
            "deleteNode" => self.delete_node(input).await,
            "tableInsertRow" => self.table_insert_row(input).await,
            "tableDeleteRow" => self.table_delete_row(input).await,
            "tableUpdateCell" => self.table_update_cell(input).await,
            _ => Err(format!("There is no tool named '{name}'.")),
        }
    }
}
