//! Everything that hosts in other languages may ask of an engine, by name, with JSON in and out.
//!
//! Each operation is described once, by a type: its fields are the parameters, its documentation is that of every
//! language, [`Operation`] says the rest. `tools/surface` reads these sources and writes from them what only converts: the
//! C functions, the methods of Node and Python, their types, and the reference. Whoever adds an operation writes its type
//! and names it in the list below.

mod chats;
mod mcp;
mod provenance;
mod requests;
mod roles;
mod runs;
mod search;
mod settings;
mod steering;
mod usage;
mod waiting;

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::{Engine, Export, RunTail};
use crate::error::{Error, Result, from_json};

/// An operation: the type is the object of its parameters.
pub(crate) trait Operation: DeserializeOwned + Send {
    /// Its name in every language, such as `runs.get`.
    const NAME: &'static str;
    /// Whether it begins something. Everything else works while an engine drains, too.
    const BEGINS: bool = false;
    /// What it answers with.
    type Answer: Serialize + Send;

    /// Does it.
    fn answer(self, engine: &Engine) -> impl Future<Output = Result<Self::Answer>> + Send;
}

/// What begins something that is read piece by piece, and so has no JSON for its answer.
trait Opening: DeserializeOwned {
    /// What is read.
    type Opened;

    async fn open(self, engine: &Engine) -> Result<Self::Opened>;
}

/// The operations, in the order of the reference.
macro_rules! operations {
    ($($operation:ty),* $(,)?) => {
        /// The names of all operations.
        pub const OPERATIONS: &[&str] = &[$(<$operation>::NAME),*];

        async fn call(engine: &Engine, operation: &str, params: &str) -> Result<String> {
            $(if operation == <$operation>::NAME {
                return perform::<$operation>(engine, params).await;
            })*
            engine.may(false)?;
            Err(Error::invalid("method", "there is no such method"))
        }
    };
}

operations![
    runs::Get,
    runs::LatestForChat,
    runs::ActiveForChat,
    runs::List,
    runs::GetStateless,
    runs::Stop,
    waiting::Answer,
    waiting::Waiting,
    steering::Steer,
    steering::Unsteer,
    steering::Queue,
    steering::List,
    steering::Take,
    runs::SweepNow,
    runs::Begin,
    runs::RecordStep,
    runs::Finish,
    runs::Signal,
    runs::Abandon,
    chats::Create,
    chats::List,
    chats::LatestForPage,
    chats::Rename,
    chats::Delete,
    chats::Purge,
    chats::Fork,
    chats::Get,
    chats::Messages,
    chats::PageOfMessages,
    chats::PageOfUiMessages,
    chats::Versions,
    chats::Search,
    chats::Open,
    chats::ExportDocument,
    chats::Import,
    roles::Create,
    roles::Update,
    roles::Delete,
    roles::List,
    roles::Get,
    roles::ExportBundle,
    roles::ImportBundle,
    provenance::Sign,
    provenance::Verify,
    search::Index,
    search::Reindex,
    search::Remove,
    search::Status,
    search::Query,
    settings::Get,
    settings::Update,
    settings::Test,
    settings::Rotate,
    mcp::Create,
    mcp::Update,
    mcp::Delete,
    mcp::List,
    mcp::Test,
    usage::Report,
    requests::Embed,
    requests::Transcribe,
    requests::GenerateTitle,
    requests::Health,
];

async fn perform<O: Operation>(engine: &Engine, params: &str) -> Result<String> {
    engine.may(O::BEGINS)?;
    // Boxed: the largest of these futures would otherwise be the size of all.
    let operation: O = from_json(params, "params")?;
    let answer = Box::pin(operation.answer(engine)).await?;
    serde_json::to_string(&answer).map_err(|error| Error::internal("a result could not be encoded").with_source(error))
}

impl Engine {
    /// Answers the operation of this name, one of [`OPERATIONS`], with the JSON of its result. `params` is the object that
    /// it takes in every language.
    ///
    /// # Errors
    /// `INVALID_INPUT` with the field's path (`method` for an unknown name), and those of the operation.
    pub async fn call(&self, method: &str, params: &str) -> Result<String> {
        call(self, method, params).await
    }

    /// Begins the export that `chats.export` takes the parameters of.
    ///
    /// # Errors
    /// `INVALID_INPUT` with the field's path, and those of [`Engine::export`].
    pub async fn export_from_json(&self, params: &str) -> Result<Export> {
        from_json::<chats::ExportDocument>(params, "params")?.open(self).await
    }

    /// Begins the tail that `runs.tail` takes the parameters of.
    ///
    /// # Errors
    /// `INVALID_INPUT` with the field's path, and those of [`Engine::tail`].
    pub async fn tail_from_json(&self, params: &str) -> Result<RunTail> {
        from_json::<runs::TailLog>(params, "params")?.open(self).await
    }
}
