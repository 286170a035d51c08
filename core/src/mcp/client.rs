//! A connection to a server: the handshake, in whichever revision it speaks, the list of its tools, and calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::HeaderValue;
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::model::Json;
use crate::provider::HttpClient;
use crate::tool::ToolProgress;

use super::channel::Channel;
use super::failure::McpFailure;
use super::http::HttpWire;
use super::message::{Request, notice};
use super::revision::{OFFERED, Revision, STATELESS, client_info, stateless_meta};
use super::sse::Reading;
use super::stdio::Running;
use super::tools::{ListedTool, MOST_TOOLS, read_page};
use super::wire::{Heard, Listening, McpLimits, McpPlace, McpServer};
use super::{outcome, sse, stdio};

/// How many pages of a list of tools are asked for.
const MOST_PAGES: usize = 64;
/// How long a server that is left is told so.
const LEAVING: Duration = Duration::from_secs(5);
/// A server's words for a revision that it does not speak, and for what is wrong with a request of the one without
/// sessions.
const UNSUPPORTED_REVISION: i64 = -32022;
const STATELESS_REFUSALS: [i64; 2] = [-32020, -32021];

enum Wire {
    Http(Box<HttpWire>),
    Stream(Arc<Channel>, #[expect(dead_code, reason = "it reads as long as it is held")] Reading),
    Program(Arc<Channel>, #[expect(dead_code, reason = "it runs as long as it is held")] Arc<Running>),
}

/// What a handshake came to.
struct Session {
    wire: Wire,
    revision: Revision,
    runtime: Handle,
}

/// A connection to a server. Dropping it leaves the server.
pub(crate) struct McpClient {
    server: McpServer,
    http: HttpClient,
    limits: McpLimits,
    heard: Arc<Heard>,
    next_id: AtomicU64,
    session: Mutex<Option<Arc<Session>>>,
    runtime: Handle,
}

impl McpClient {
    /// A connection that is made when it is first needed. Must be called in a tokio runtime.
    pub(crate) fn new(server: McpServer, http: HttpClient, limits: McpLimits) -> Self {
        let (heard, next_id, session) = (Arc::default(), AtomicU64::new(1), Mutex::default());
        Self { server, http, limits, heard, next_id, session, runtime: Handle::current() }
    }

    /// The server's own name for itself is nobody's to rely on: this is the administrators'.
    pub(crate) fn server_name(&self) -> &str {
        &self.server.name
    }

    /// Whether the server has said that its tools are others by now.
    pub(crate) fn have_tools_changed(&self) -> bool {
        self.heard.have_tools_changed()
    }

    /// Its tools, and why some are left out.
    pub(crate) async fn tools(&self) -> Result<(Vec<ListedTool>, Vec<String>), McpFailure> {
        let listing = timeout(self.limits.connect, self.list());
        listing.await.unwrap_or_else(|_| Err(McpFailure::TimedOut(millis(self.limits.connect))))
    }

    async fn list(&self) -> Result<(Vec<ListedTool>, Vec<String>), McpFailure> {
        let (mut tools, mut left_out) = (Vec::new(), Vec::new());
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut params = Map::new();
            if let Some(cursor) = &cursor {
                params.insert("cursor".to_owned(), cursor.as_str().into());
            }
            let page = self.ask("tools/list", params, Vec::new(), None).await?;
            read_page(&page, &mut tools, &mut left_out);
            let next =
                page.get("nextCursor").and_then(Value::as_str).filter(|next| !next.is_empty()).map(str::to_owned);
            if next.is_none() || next == cursor || tools.len() == MOST_TOOLS {
                return Ok((tools, left_out));
            }
            cursor = next;
        }
        left_out.push("its list of tools has no end".to_owned());
        Ok((tools, left_out))
    }

    /// Calls a tool.
    ///
    /// # Errors
    /// What the model is told instead of an outcome, and why the server is not to be reached.
    pub(crate) async fn call(
        &self,
        tool: &ListedTool,
        arguments: &Json,
        progress: Option<ToolProgress>,
    ) -> Result<Result<Json, String>, McpFailure> {
        let arguments: Value =
            arguments.read().map_err(|_| McpFailure::Protocol("the arguments are nested too deep"))?;
        let headers = tool.headers(&arguments);
        let mut params = Map::new();
        params.insert("name".to_owned(), tool.name.as_str().into());
        params.insert("arguments".to_owned(), arguments);
        let result = self.ask("tools/call", params, headers, progress).await?;
        Ok(outcome::read(&result, &self.server.name, self.limits.result_bytes))
    }

    /// Asks, with one new handshake if the server has lost the session: then it has done nothing yet.
    async fn ask(
        &self,
        method: &'static str,
        params: Map<String, Value>,
        headers: Vec<(String, String)>,
        progress: Option<ToolProgress>,
    ) -> Result<Value, McpFailure> {
        let mut before = None;
        loop {
            let session = self.session(before.as_ref()).await?;
            let mut request = Request::new(self.next_id.fetch_add(1, Ordering::Relaxed), method, params.clone());
            request.headers.clone_from(&headers);
            let mut meta = match session.revision {
                Revision::Stateless => stateless_meta(),
                Revision::Handshake(_) => Map::new(),
            };
            meta.insert("progressToken".to_owned(), request.id.into());
            request.params.insert("_meta".to_owned(), meta.into());
            match session.ask(&request, self, progress.clone()).await {
                Err(McpFailure::SessionLost) if before.is_none() => before = Some(session),
                outcome => return outcome,
            }
        }
    }

    /// The session, which is made when there is none, or none but this one, which is over.
    async fn session(&self, over: Option<&Arc<Session>>) -> Result<Arc<Session>, McpFailure> {
        let mut session = self.session.lock().await;
        if let Some(session) = &*session
            && over.is_none_or(|over| !Arc::ptr_eq(over, session))
        {
            return Ok(Arc::clone(session));
        }
        *session = None;
        let shaking = timeout(self.limits.connect, self.shake_hands());
        let made = shaking.await.unwrap_or_else(|_| Err(McpFailure::TimedOut(millis(self.limits.connect))))?;
        Ok(Arc::clone(session.insert(Arc::new(made))))
    }

    async fn shake_hands(&self) -> Result<Session, McpFailure> {
        match &self.server.place {
            McpPlace::Http(url) => self.shake_hands_over_http(self.wire(url)).await,
            McpPlace::Sse(url) => {
                let (channel, reading) = sse::open(self.wire(url)).await?;
                self.initialize(Wire::Stream(channel, reading)).await
            }
            McpPlace::Program(program) => {
                let (channel, running) = stdio::open(program, Arc::clone(&self.heard), self.limits.silence)?;
                self.initialize(Wire::Program(channel, running)).await
            }
        }
    }

    fn wire(&self, url: &str) -> HttpWire {
        HttpWire {
            client: self.http.clone(),
            url: url.to_owned(),
            headers: self.server.headers.clone(),
            silence: self.limits.silence,
            heard: Arc::clone(&self.heard),
            revision: None,
            session: None,
        }
    }

    /// The newest revision first. Whoever does not know its first question, in whatever words, is asked as before.
    async fn shake_hands_over_http(&self, wire: HttpWire) -> Result<Session, McpFailure> {
        let stateless = HttpWire { revision: Some(Revision::Stateless), ..wire.clone() };
        let mut request = self.request("server/discover");
        request.params.insert("_meta".to_owned(), stateless_meta().into());
        let listening = self.heard.listen(request.id, None);
        let discovered = timeout(self.limits.connect / 2, stateless.ask(&request, &listening)).await;
        match discovered {
            Ok(Ok((result, _))) => {
                let mut versions = result.get("supportedVersions").and_then(Value::as_array).into_iter().flatten();
                if versions.any(|version| version == STATELESS) {
                    let (wire, runtime) = (Wire::Http(Box::new(stateless)), self.runtime.clone());
                    return Ok(Session { wire, revision: Revision::Stateless, runtime });
                }
            }
            Ok(Err(McpFailure::Refused(error))) if STATELESS_REFUSALS.contains(&error.code) => {
                return Err(McpFailure::Refused(error));
            }
            Ok(Err(failure @ McpFailure::NotReached(_))) => return Err(failure),
            Ok(Err(McpFailure::Refused(error))) if error.code == UNSUPPORTED_REVISION => {
                let mut supported = error.data.get("supported").and_then(Value::as_array).into_iter().flatten();
                if !supported.any(|version| version.as_str().and_then(Revision::agreed).is_some()) {
                    return Err(NO_COMMON_REVISION);
                }
            }
            _ => {}
        }
        self.initialize(Wire::Http(Box::new(wire))).await
    }

    fn request(&self, method: &'static str) -> Request {
        Request::new(self.next_id.fetch_add(1, Ordering::Relaxed), method, Map::new())
    }

    async fn initialize(&self, wire: Wire) -> Result<Session, McpFailure> {
        let mut request = self.request("initialize");
        request.params.insert("protocolVersion".to_owned(), OFFERED.into());
        request.params.insert("capabilities".to_owned(), json!({}));
        request.params.insert("clientInfo".to_owned(), client_info());
        let listening = self.heard.listen(request.id, None);
        let answer = wire.ask(&request, &listening).await;
        let (result, session) = answer?;
        let revision = result
            .get("protocolVersion")
            .and_then(Value::as_str)
            .and_then(Revision::agreed)
            .ok_or(NO_COMMON_REVISION)?;
        let wire = match wire {
            Wire::Http(http) => Wire::Http(Box::new(HttpWire { revision: Some(revision.clone()), session, ..*http })),
            other => other,
        };
        wire.tell(notice("notifications/initialized", &json!({}))).await?;
        Ok(Session { wire, revision, runtime: self.runtime.clone() })
    }
}

const NO_COMMON_REVISION: McpFailure = McpFailure::Protocol("it speaks no revision that is known here");

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Wire {
    async fn ask(&self, request: &Request, listening: &Listening) -> Result<(Value, Option<HeaderValue>), McpFailure> {
        match self {
            Wire::Http(wire) => wire.ask(request, listening).await,
            Wire::Stream(channel, _) | Wire::Program(channel, _) => {
                channel.ask(request, listening).await.map(|answer| (answer, None))
            }
        }
    }

    async fn tell(&self, message: String) -> Result<(), McpFailure> {
        match self {
            Wire::Http(wire) => wire.tell(message).await,
            Wire::Stream(channel, _) | Wire::Program(channel, _) => channel.tell(message).await,
        }
    }
}

impl Session {
    async fn ask(
        self: &Arc<Self>,
        request: &Request,
        client: &McpClient,
        progress: Option<ToolProgress>,
    ) -> Result<Value, McpFailure> {
        let asking = Asking { session: Arc::clone(self), client, id: request.id, is_over: false };
        let listening = client.heard.listen(request.id, progress);
        let answer = self.wire.ask(request, &listening).await;
        let timed_out = matches!(answer, Err(McpFailure::TimedOut(_)));
        asking.over(!timed_out);
        answer.map(|(answer, _)| answer)
    }
}

/// A request on its way. One that is given up is taken back.
struct Asking<'a> {
    session: Arc<Session>,
    client: &'a McpClient,
    id: u64,
    is_over: bool,
}

impl Asking<'_> {
    fn over(mut self, is_over: bool) {
        self.is_over = is_over;
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        // Without sessions, the end of the connection says it.
        if self.is_over || self.session.revision == Revision::Stateless {
            return;
        }
        let message =
            notice("notifications/cancelled", &json!({"requestId": self.id, "reason": "nobody waits for it"}));
        let session = Arc::clone(&self.session);
        self.client.runtime.spawn(async move { timeout(LEAVING, session.wire.tell(message)).await });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Wire::Http(wire) = &self.wire
            && wire.session.is_some()
        {
            let wire = wire.clone();
            self.runtime.spawn(async move { timeout(LEAVING, wire.leave()).await });
        }
    }
}
