//! Speech to text.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode, Result};
use crate::provider::SttConfig;
use crate::text::js_trim;

use super::audio::{AudioFormat, resolve_audio_format};
use super::embed::without_slash;
use super::http::{HttpClient, Outgoing, OutgoingBody};
use super::{KeyHeader, ProviderFailure};

/// The largest recording: what OpenAI takes, by its API reference.
pub const MAX_AUDIO_BYTES: usize = 25 * 1024 * 1024;
/// The largest answer that is read: a transcript of 25 MiB of speech is far smaller.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Checks a recording before anything is asked of anybody.
///
/// # Errors
/// `INVALID_INPUT` for an empty one, `PAYLOAD_TOO_LARGE`, `UNSUPPORTED_MEDIA`.
pub(crate) fn check_audio(audio: &[u8], mime: &str) -> Result<AudioFormat> {
    if audio.is_empty() {
        return Err(Error::invalid("audio", "is empty"));
    }
    if audio.len() > MAX_AUDIO_BYTES {
        let message = format!("audio: is larger than {} MiB", MAX_AUDIO_BYTES / 1024 / 1024);
        return Err(Error::new(ErrorCode::PayloadTooLarge, message).with_detail("field", "audio"));
    }
    resolve_audio_format(mime).ok_or_else(|| {
        let known = "mime: must be webm, ogg, mp4, mpeg, wav or m4a audio";
        Error::new(ErrorCode::UnsupportedMedia, known).with_detail("field", "mime")
    })
}

/// What is said in a recording; nothing when nothing is.
///
/// # Errors
/// `PROVIDER_ERROR` when the service refuses, answers with something else, or takes longer than `timeout`.
pub(crate) async fn transcribe(
    client: &HttpClient,
    config: &SttConfig,
    audio: Bytes,
    format: &AudioFormat,
    timeout: Duration,
) -> Result<String> {
    let outgoing = request(config, audio, format);
    let fetched = tokio::time::timeout(timeout, client.fetch(&outgoing, MAX_ANSWER_BYTES)).await;
    let Ok(body) = fetched else {
        let message = format!("transcribing took longer than {} ms", timeout.as_millis());
        return Err(Error::new(ErrorCode::ProviderError, message));
    };
    read(&body.map_err(ProviderFailure::into_error)?)
}

fn request(config: &SttConfig, audio: Bytes, format: &AudioFormat) -> Outgoing {
    #[derive(Serialize)]
    struct Body<'a> {
        model: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        language: Option<&'a str>,
        input_audio: Audio<'a>,
    }
    #[derive(Serialize)]
    struct Audio<'a> {
        data: String,
        format: &'a str,
    }
    let body = if config.as_json {
        let input_audio = Audio { data: STANDARD.encode(&audio), format: format.format };
        let body = Body { model: &config.model, language: config.language.as_deref(), input_audio };
        OutgoingBody::Json(serde_json::to_vec(&body).unwrap_or_default().into())
    } else {
        let mut fields = vec![("model", config.model.clone())];
        fields.extend(config.language.clone().map(|language| ("language", language)));
        let file_name = format!("audio.{}", format.format);
        OutgoingBody::Form { fields, file_name, mime: format.base_mime.clone(), file: audio }
    };
    let (address, access) = config.access.split(&config.base_url);
    Outgoing {
        url: format!("{}/audio/transcriptions", without_slash(&address)),
        headers: Vec::new(),
        accept: "application/json",
        body,
        key: config.api_key.clone(),
        key_header: KeyHeader::Bearer,
        access,
    }
}

fn read(body: &[u8]) -> Result<String> {
    #[derive(Deserialize)]
    struct Transcript {
        text: Option<String>,
    }
    let transcript: Transcript = serde_json::from_slice(body)
        .map_err(|_| Error::new(ErrorCode::ProviderError, "the service's answer is not a transcript"))?;
    Ok(js_trim(&transcript.text.unwrap_or_default()).to_owned())
}

/// A second of silence: 16 kHz, 16 bit, mono, as a WAV file.
pub(crate) fn silence() -> Bytes {
    const SAMPLES: u32 = 16_000;
    const BYTES: u32 = SAMPLES * 2;
    let mut wav = Vec::new();
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + BYTES).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    wav.extend_from_slice(&16_u32.to_le_bytes());
    // PCM, one channel.
    wav.extend_from_slice(&1_u16.to_le_bytes());
    wav.extend_from_slice(&1_u16.to_le_bytes());
    wav.extend_from_slice(&SAMPLES.to_le_bytes());
    wav.extend_from_slice(&BYTES.to_le_bytes());
    // Bytes of a sample, bits of a sample.
    wav.extend_from_slice(&2_u16.to_le_bytes());
    wav.extend_from_slice(&16_u16.to_le_bytes());
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&BYTES.to_le_bytes());
    wav.resize(wav.len() + BYTES as usize, 0);
    wav.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_are_checked_first() {
        assert_eq!(check_audio(b"", "audio/webm").unwrap_err().code(), ErrorCode::InvalidInput);
        assert_eq!(check_audio(b"x", "audio/flac").unwrap_err().code(), ErrorCode::UnsupportedMedia);
        let large = vec![0; MAX_AUDIO_BYTES + 1];
        assert_eq!(check_audio(&large, "audio/webm").unwrap_err().code(), ErrorCode::PayloadTooLarge);
        assert_eq!(check_audio(&large[1..], "audio/webm;codecs=opus").unwrap().format, "webm");
    }

    #[test]
    fn the_probe_is_a_second_long() {
        assert_eq!(silence().len(), 32_044);
    }

    #[test]
    fn a_transcript_may_be_empty_but_not_missing_altogether() {
        assert_eq!(read(br#"{"text":" hello "}"#).unwrap(), "hello");
        assert_eq!(read(br"{}").unwrap(), "");
        assert_eq!(read(b"<html>").unwrap_err().code(), ErrorCode::ProviderError);
    }
}
