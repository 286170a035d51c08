//! The engine.

use std::time::Duration;

use napi::Result;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use turnkeep::tool::Mailbox;
use turnkeep::{Engine, EngineOptions, Export, TurnRequest};

use crate::error::to_js;
use crate::turn::NativeTurn;

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

#[napi]
impl NativeEngine {
    /// Begins a turn; `request` is the JSON of `TurnRequest`.
    #[napi]
    pub async fn start_turn(&self, request: String) -> Result<NativeTurn> {
        let request = TurnRequest::from_json(&request).map_err(to_js)?;
        let (mailbox, tools) = Mailbox::new(request.tools.clone());
        let turn = self.engine.start_turn(request, tools).await.map_err(to_js)?;
        Ok(NativeTurn::new(turn, mailbox))
    }

    /// Answers a question about stored things; JSON in, JSON out.
    #[napi]
    pub async fn call(&self, method: String, params: String) -> Result<String> {
        self.engine.call(&method, &params).await.map_err(to_js)
    }

    /// Begins an export that is read in pieces; `params` is the JSON of those of `chats.export`.
    #[napi]
    pub async fn export(&self, params: String) -> Result<NativeExport> {
        let export = self.engine.export_from_json(&params).await.map_err(to_js)?;
        Ok(NativeExport { export })
    }

    /// Closes the engine.
    #[napi]
    pub async fn close(&self, grace_ms: Option<u32>) -> Result<()> {
        let grace = grace_ms.map(|millis| Duration::from_millis(millis.into()));
        self.engine.close(grace).await.map_err(to_js)
    }
}

/// An export that is read in pieces.
#[napi]
pub struct NativeExport {
    export: Export,
}

#[napi]
impl NativeExport {
    /// The next piece as UTF-8; `null` at the end.
    #[napi]
    pub async fn next(&self) -> Result<Option<Buffer>> {
        let piece = self.export.next().await.map_err(to_js)?;
        Ok(piece.map(|piece| Buffer::from(piece.into_bytes())))
    }
}
