//! Why a server did not answer as it should.

use super::message::RpcError;

/// Why a server did not answer as it should, in words that may be shown.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum McpFailure {
    /// Nothing was sent, or it was refused before anything was done.
    #[error("the server could not be reached: {0}")]
    NotReached(String),
    /// The session is not known to the server any more; it has done nothing.
    #[error("the server has lost the session")]
    SessionLost,
    /// What became of the request is not known.
    #[error("the connection to the server broke off: {0}")]
    Lost(String),
    /// The server says no.
    #[error("{}", .0.told())]
    Refused(RpcError),
    /// It took too long.
    #[error("the server did not answer within {0} ms")]
    TimedOut(u64),
    /// What came back is not what the protocol has.
    #[error("the server does not keep to the protocol: {0}")]
    Protocol(&'static str),
}

/// A status that is no success.
pub(super) fn of_status(status: reqwest::StatusCode) -> McpFailure {
    let told = match status.as_u16() {
        301 | 302 | 303 | 307 | 308 => "it redirects to another place".to_owned(),
        401 => "it wants to know who asks (status 401)".to_owned(),
        403 => "it refuses whoever asks (status 403)".to_owned(),
        other => format!("status {other}"),
    };
    McpFailure::NotReached(told)
}
