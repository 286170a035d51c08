//! The engine.

use std::sync::Arc;
use std::time::Duration;

use napi::bindgen_prelude::{Buffer, PromiseRaw, spawn};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Result, Status};
use napi_derive::napi;
use turnkeep::tool::Mailbox;
use turnkeep::{Engine, EngineOptions, Export, ToolOffer, TurnRequest};

use crate::calls::NativeOffer;
use crate::error::to_js;
use crate::promise::promise;
use crate::tail::NativeTail;
use crate::turn::NativeTurn;

/// A function of the JavaScript half that keeps neither the process nor a worker alive.
type Weak = ThreadsafeFunction<String, (), String, Status, false, true>;

/// An open engine.
#[napi]
pub struct NativeEngine {
    engine: Engine,
}

/// Opens an engine; `options` is the JSON of `EngineOptions`.
#[napi]
pub async fn open_engine(options: String) -> Result<NativeEngine> {
    let options = EngineOptions::from_json(&options).map_err(to_js)?;
    let engine = Engine::open(options).await.map_err(to_js)?;
    Ok(NativeEngine { engine })
}

/// What opening the database would add to it, as JSON.
#[napi]
pub async fn pending_migrations(store: String) -> Result<String> {
    turnkeep::store::pending_migrations_json(&store).await.map_err(to_js)
}

impl Drop for NativeEngine {
    /// Nobody is left in this thread who could drive a run. A worker thread that ends frees its objects, too.
    fn drop(&mut self) {
        self.engine.abandon_runs();
    }
}

#[napi]
impl NativeEngine {
    /// Begins a turn; `request` is the JSON of `TurnRequest`.
    #[napi(catch_unwind)]
    pub fn start_turn<'env>(&self, env: &'env Env, request: String) -> Result<PromiseRaw<'env, NativeTurn>> {
        let engine = self.engine.clone();
        promise(env, async move {
            let request = TurnRequest::from_json(&request)?;
            let (mailbox, tools) = Mailbox::new(request.tools.clone());
            Ok(NativeTurn::new(engine.start_turn(request, tools).await?, mailbox))
        })
    }

    /// Offers tools; `offer` is the JSON of `ToolOffer`.
    #[napi(catch_unwind)]
    pub fn offer_tools(&self, offer: String) -> Result<NativeOffer> {
        let offer = ToolOffer::from_json(&offer).map_err(to_js)?;
        let (mailbox, tools) = Mailbox::new(offer.tools);
        self.engine.offer_tools(tools).map_err(to_js)?;
        Ok(NativeOffer::new(mailbox))
    }

    /// Has open pages checked by the host: its checks come as calls of a tool.
    #[napi(catch_unwind)]
    pub fn check_pages(&self) -> Result<NativeOffer> {
        Ok(NativeOffer::new(self.engine.check_pages_by_mailbox().map_err(to_js)?))
    }

    /// Has the host asked for tokens of users of Docmost: the questions come as calls of a tool.
    #[napi(catch_unwind)]
    pub fn docmost_tokens(&self) -> Result<NativeOffer> {
        Ok(NativeOffer::new(self.engine.docmost_tokens_by_mailbox().map_err(to_js)?))
    }

    /// Answers a question about stored things; JSON in, JSON out.
    #[napi(catch_unwind)]
    pub fn call<'env>(&self, env: &'env Env, method: String, params: String) -> Result<PromiseRaw<'env, String>> {
        let engine = self.engine.clone();
        promise(env, async move { engine.call(&method, &params).await })
    }

    /// Begins an export that is read in pieces; `params` is the JSON of those of `chats.export`.
    #[napi(catch_unwind)]
    pub fn export<'env>(&self, env: &'env Env, params: String) -> Result<PromiseRaw<'env, NativeExport>> {
        let engine = self.engine.clone();
        promise(env, async move { Ok(NativeExport { export: Arc::new(engine.export_from_json(&params).await?) }) })
    }

    /// Follows a run's log; `params` is the JSON of those of `runs.tail`.
    #[napi(catch_unwind)]
    pub fn tail<'env>(&self, env: &'env Env, params: String) -> Result<PromiseRaw<'env, NativeTail>> {
        let engine = self.engine.clone();
        promise(env, async move { Ok(NativeTail::new(engine.tail_from_json(&params).await?)) })
    }

    /// Waits for what `runs.signal` waits for, and tells its JSON or that of the error. A promise would keep the process
    /// alive for as long as the run is not finished, also when its host has forgotten it.
    #[napi(catch_unwind)]
    pub fn signal(&self, params: String, tell: Weak) {
        let engine = self.engine.clone();
        spawn(async move {
            let told = engine.call("runs.signal", &params).await.unwrap_or_else(|error| error.to_json());
            tell.call(told, ThreadsafeFunctionCallMode::NonBlocking);
        });
    }

    /// Gives up a run that this engine has begun for its host; at once, or unless it is driven by its id after all. For
    /// finalizers: an id that is none is nobody's run.
    #[napi(catch_unwind)]
    pub fn abandon_run(&self, run_id: String, at_once: bool) {
        match run_id.parse() {
            Ok(run_id) if at_once => self.engine.abandon_run(run_id),
            Ok(run_id) => self.engine.abandon_run_unless_driven(run_id),
            Err(_) => {}
        }
    }

    /// Closes the engine.
    #[napi(catch_unwind)]
    pub fn close<'env>(&self, env: &'env Env, grace_ms: Option<u32>) -> Result<PromiseRaw<'env, ()>> {
        let engine = self.engine.clone();
        let grace = grace_ms.map(|millis| Duration::from_millis(millis.into()));
        promise(env, async move { engine.close(grace).await })
    }
}

/// An export that is read in pieces.
#[napi]
pub struct NativeExport {
    export: Arc<Export>,
}

#[napi]
impl NativeExport {
    /// The next piece as UTF-8; `null` at the end.
    #[napi(catch_unwind)]
    pub fn next<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Option<Buffer>>> {
        let export = Arc::clone(&self.export);
        promise(env, async move { Ok(export.next().await?.map(|piece| Buffer::from(piece.into_bytes()))) })
    }
}
