//! The external tool servers of workspaces: who may set them up, what is shown of them, and whether they work. Headers go in
//! and never come out.

pub(crate) mod pool;
mod rules;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::engine::{Actor, Engine, Inner};
use crate::error::{Error, ErrorCode, Result};
use crate::id::McpServerId;
use crate::mcp::{McpClient, McpLimits, McpPlace, McpServer, Program};
use crate::secret::{RecordIdentity, SecretBox, SecretForm};
use crate::store::{McpServerChange, McpServerFields, StoredMcpServer};
use crate::tool::mcp::{McpServerRow, McpServerView};

pub use rules::{McpServerEdit, McpTransport, NewMcpServer};
pub(crate) use turn::McpTools;

use rules::{checked_headers, checked_lengths, header_map, origin};

/// How often a change is attempted when others change the same server at the same time.
const WRITE_ATTEMPTS: u32 = 10;

/// What came of trying a tool server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct McpTested {
    /// Whether it answers.
    pub ok: bool,
    /// Why it does not, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its tools, by its own names: those that a list of allowed tools may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// Why others of its tools cannot be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

impl Engine {
    /// Creates a tool server. Its address is looked at here and whenever something is sent there: it must be a public one, or
    /// one that the option `http.allowPrivate` has.
    ///
    /// # Errors
    /// `FORBIDDEN` unless an administrator acts; `INVALID_INPUT` naming the field, also for headers where the engine was
    /// opened without `appSecret`; `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn create_mcp_server(
        &self,
        workspace_id: &str,
        actor: Option<&Actor>,
        server: NewMcpServer,
    ) -> Result<McpServerView> {
        let inner = &self.inner;
        inner.ensure_open()?;
        inner.check_settings_actor(workspace_id, actor)?;
        inner.ensure_workspace(workspace_id)?;
        checked_lengths(Some(&server.name), server.tool_allowlist.as_deref(), server.instructions.as_deref())?;
        inner.check_mcp_place(server.transport, &server.url).await?;
        let id = McpServerId::generate();
        let headers_enc = inner.sealed_headers(workspace_id, id, server.headers).await?;
        let fields = McpServerFields {
            name: server.name.trim().to_owned(),
            transport: server.transport.as_str().to_owned(),
            url: server.url,
            headers_enc,
            tool_allowlist: server.tool_allowlist.filter(|list| !list.is_empty()),
            instructions: server.instructions.filter(|text| !text.trim().is_empty()),
            enabled: server.enabled.unwrap_or(true),
        };
        let created = inner.store.create_mcp_server(workspace_id, id, fields).await?;
        Ok(inner.shown_mcp_servers(workspace_id, vec![created]).await.remove(0))
    }

    /// Changes a tool server: what the edit does not name stays. Headers are replaced as a whole; `{}` leaves none. Where
    /// stored headers would go to another place than before they must be given again, unless the option
    /// `secrets.bindToAddress` is off.
    ///
    /// # Errors
    /// As [`Engine::create_mcp_server`], and `NOT_FOUND`.
    pub async fn update_mcp_server(
        &self,
        workspace_id: &str,
        actor: Option<&Actor>,
        server_id: McpServerId,
        edit: McpServerEdit,
    ) -> Result<McpServerView> {
        let inner = &self.inner;
        inner.ensure_open()?;
        inner.check_settings_actor(workspace_id, actor)?;
        inner.ensure_workspace(workspace_id)?;
        let (allowlist, instructions) = (edit.tool_allowlist.clone().flatten(), edit.instructions.clone().flatten());
        checked_lengths(edit.name.as_deref(), allowlist.as_deref(), instructions.as_deref())?;
        let headers_enc = match edit.headers.clone() {
            Some(headers) => Some(inner.sealed_headers(workspace_id, server_id, headers).await?),
            None => None,
        };
        for _ in 0..WRITE_ATTEMPTS {
            let stored = inner.store.mcp_server(workspace_id, server_id).await?.ok_or_else(no_such_server)?;
            // Whoever gives back what they were shown has changed nothing.
            let url = edit.url.clone().filter(|url| *url != shown_url(&stored)).unwrap_or_else(|| stored.url.clone());
            let given = edit.transport.map(|transport| transport.as_str().to_owned());
            let transport = given.unwrap_or_else(|| stored.transport.clone());
            if url != stored.url || transport != stored.transport {
                let known =
                    McpTransport::read(&transport).ok_or_else(|| Error::invalid("transport", "is not known"))?;
                inner.check_mcp_place(known, &url).await?;
            }
            let leads_elsewhere = origin(&transport, &url) != origin(&stored.transport, &stored.url);
            if leads_elsewhere
                && stored.headers_enc.is_some()
                && headers_enc.is_none()
                && inner.options.secrets.bind_to_address
            {
                let problem = "must be given again, or {} for none: the address leads to another place";
                return Err(Error::invalid("headers", problem));
            }
            let change = McpServerChange {
                name: edit.name.as_deref().map(|name| name.trim().to_owned()),
                transport: Some(transport),
                url: Some(url),
                headers_enc: headers_enc.clone(),
                tool_allowlist: edit.tool_allowlist.clone().map(|list| list.filter(|list| !list.is_empty())),
                instructions: edit.instructions.clone().map(|text| text.filter(|text| !text.trim().is_empty())),
                enabled: edit.enabled,
            };
            if let Some(changed) = inner.store.update_mcp_server(workspace_id, &stored, change).await? {
                inner.mcp.forget(workspace_id, server_id);
                return Ok(inner.shown_mcp_servers(workspace_id, vec![changed]).await.remove(0));
            }
        }
        Err(Error::new(ErrorCode::StoreUnavailable, "the server is being changed by others; try again"))
    }

    /// Deletes a tool server.
    ///
    /// # Errors
    /// `FORBIDDEN` unless an administrator acts; `NOT_FOUND`, `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn delete_mcp_server(
        &self,
        workspace_id: &str,
        actor: Option<&Actor>,
        server_id: McpServerId,
    ) -> Result<()> {
        let inner = &self.inner;
        inner.ensure_open()?;
        inner.check_settings_actor(workspace_id, actor)?;
        inner.ensure_workspace(workspace_id)?;
        let deleted = inner.store.delete_mcp_server(workspace_id, server_id).await?;
        inner.mcp.forget(workspace_id, server_id);
        if deleted { Ok(()) } else { Err(no_such_server()) }
    }

    /// The workspace's tool servers in the order in which they were created, disabled ones included; of headers the names.
    ///
    /// # Errors
    /// `FORBIDDEN` unless an administrator acts; `INVALID_INPUT`, `STORE_UNAVAILABLE`.
    pub async fn mcp_servers(&self, workspace_id: &str, actor: Option<&Actor>) -> Result<Vec<McpServerView>> {
        let inner = &self.inner;
        inner.check_settings_actor(workspace_id, actor)?;
        inner.ensure_workspace(workspace_id)?;
        let stored = inner.store.mcp_servers(workspace_id).await?;
        Ok(inner.shown_mcp_servers(workspace_id, stored).await)
    }

    /// Asks a tool server for its tools, over a connection of its own. A disabled one may be tried, too.
    ///
    /// # Errors
    /// As [`Engine::delete_mcp_server`]. What is wrong with the server is in the answer.
    pub async fn test_mcp_server(
        &self,
        workspace_id: &str,
        actor: Option<&Actor>,
        server_id: McpServerId,
    ) -> Result<McpTested> {
        let inner = &self.inner;
        inner.ensure_open()?;
        inner.check_settings_actor(workspace_id, actor)?;
        inner.ensure_workspace(workspace_id)?;
        let stored = inner.store.mcp_server(workspace_id, server_id).await?.ok_or_else(no_such_server)?;
        let listed = match inner.mcp_client(workspace_id, &stored).await {
            Ok(client) => client.tools().await.map_err(|failure| failure.to_string()),
            Err(problem) => Err(problem),
        };
        Ok(match listed {
            Ok((tools, left_out)) => {
                let tools = Some(tools.into_iter().map(|tool| tool.name).collect());
                McpTested { ok: true, error: None, tools, left_out }
            }
            Err(problem) => McpTested { ok: false, error: Some(problem), tools: None, left_out: Vec::new() },
        })
    }
}

/// There is none, or it is another workspace's: nobody is told which.
fn no_such_server() -> Error {
    Error::new(ErrorCode::NotFound, "there is no such server").with_detail("field", "serverId")
}

fn row(stored: StoredMcpServer) -> McpServerRow {
    McpServerRow {
        id: stored.id.to_string(),
        name: stored.name,
        transport: stored.transport,
        url: stored.url,
        enabled: Some(stored.enabled),
        tool_allowlist: stored.tool_allowlist,
        instructions: stored.instructions,
        headers: None,
        headers_enc: stored.headers_enc,
    }
}

fn shown_url(stored: &StoredMcpServer) -> String {
    McpServerView::from(row(stored.clone())).url
}

impl Inner {
    fn ensure_workspace(&self, workspace_id: &str) -> Result<()> {
        if workspace_id.is_empty() { Err(Error::invalid("workspaceId", "is empty")) } else { Ok(()) }
    }

    /// Whether a workspace may have a server there.
    async fn check_mcp_place(&self, transport: McpTransport, url: &str) -> Result<()> {
        rules::check_url(url)?;
        if transport == McpTransport::Stdio {
            return match self.options.mcp.programs.contains_key(url) {
                true => Ok(()),
                false => Err(Error::invalid("url", "is no program that whoever runs the server allows (mcp.programs)")),
            };
        }
        let place = self.http()?.check_place(url).await;
        place.map_err(|problem| Error::invalid("url", format!("is not allowed: {problem}")))
    }

    /// Headers as they are stored; none where none of them says anything.
    async fn sealed_headers(
        &self,
        workspace_id: &str,
        server_id: McpServerId,
        headers: rules::GivenHeaders,
    ) -> Result<Option<String>> {
        let headers = checked_headers(headers)?;
        if headers.is_empty() {
            return Ok(None);
        }
        let plain = serde_json::to_string(&headers).map_err(|_| Error::internal("headers could not be encoded"))?;
        let (secrets, form) = (Arc::clone(self.secret_box()?), self.secret_form());
        let record = RecordIdentity::mcp_headers(workspace_id, &server_id.to_string());
        // The old form takes tens of milliseconds.
        let sealing = move || secrets.seal_as(form, &SecretString::from(plain), &record);
        let sealed = tokio::task::spawn_blocking(sealing).await;
        sealed.map_err(|_| Error::internal("sealing was interrupted"))?.map(Some)
    }

    /// The headers of these servers; of one whose headers cannot be read, nothing.
    async fn opened_headers(&self, workspace_id: &str, stored: &[StoredMcpServer]) -> Vec<Option<SecretString>> {
        let may_be_legacy = self.secret_form() == SecretForm::Legacy || self.store.is_adopted();
        let secrets = self.secrets.clone();
        let sealed: Vec<_> = stored
            .iter()
            .map(|server| {
                let record = RecordIdentity::mcp_headers(workspace_id, &server.id.to_string());
                (server.headers_enc.clone(), record)
            })
            .collect();
        let count = sealed.len();
        let opening = move || {
            let open = |(blob, record): (Option<String>, RecordIdentity)| {
                let blob = blob.filter(|blob| may_be_legacy || !SecretBox::is_legacy(blob))?;
                secrets.as_ref()?.open(&blob, &record).ok().map(|(plain, _)| plain)
            };
            sealed.into_iter().map(open).collect::<Vec<_>>()
        };
        tokio::task::spawn_blocking(opening).await.unwrap_or_else(|_| vec![None; count])
    }

    async fn shown_mcp_servers(&self, workspace_id: &str, stored: Vec<StoredMcpServer>) -> Vec<McpServerView> {
        let opened = self.opened_headers(workspace_id, &stored).await;
        let shown = stored.into_iter().zip(opened).map(|(server, headers)| {
            let names = headers.and_then(|headers| serde_json::from_str(headers.expose_secret()).ok());
            McpServerView::from(McpServerRow { headers: names, ..row(server) })
        });
        shown.collect()
    }

    /// A connection to a stored server, which is made when it is first needed.
    ///
    /// # Errors
    /// Why there can be none, in one line.
    pub(super) async fn mcp_client(&self, workspace_id: &str, stored: &StoredMcpServer) -> Result<McpClient, String> {
        let opened = self.opened_headers(workspace_id, std::slice::from_ref(stored)).await.pop().flatten();
        let headers = match (&stored.headers_enc, opened) {
            (None, _) => HeaderMap::new(),
            (Some(_), Some(headers)) => header_map(&headers),
            (Some(_), None) => return Err("its headers cannot be read; enter them again".to_owned()),
        };
        let place = match McpTransport::read(&stored.transport) {
            Some(McpTransport::Http) => McpPlace::Http(stored.url.clone()),
            Some(McpTransport::Sse) => McpPlace::Sse(stored.url.clone()),
            Some(McpTransport::Stdio) => {
                let program = self.options.mcp.programs.get(&stored.url);
                let program = program.ok_or("its program is not allowed by whoever runs the server (mcp.programs)")?;
                McpPlace::Program(Program {
                    command: program.command.clone(),
                    arguments: program.args.clone(),
                    environment: program.env.clone(),
                })
            }
            None => return Err("its transport is not known here".to_owned()),
        };
        let mcp = &self.options.mcp;
        let limits = McpLimits {
            connect: Duration::from_millis(mcp.connect_timeout_ms),
            silence: Duration::from_millis(mcp.silence_ms),
            result_bytes: usize::try_from(mcp.max_result_bytes).unwrap_or(usize::MAX),
        };
        let server = McpServer { id: stored.id.to_string(), name: stored.name.clone(), place, headers };
        let http = self.http().map_err(|error| error.message().to_owned())?;
        Ok(McpClient::new(server, http, limits))
    }
}
