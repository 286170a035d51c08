//! Which recordings a transcriber takes.

use crate::text::js_trim;

/// A recording's media type without parameters, in lower case, and what transcribers call its container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioFormat {
    /// Such as `audio/x-wav`.
    pub base_mime: String,
    /// Such as `wav`.
    pub format: &'static str,
}

/// `resolveAudioFormat`: the container of a recording with this media type, when it is one that transcribers take.
pub fn resolve_audio_format(mime: &str) -> Option<AudioFormat> {
    let base_mime = js_trim(mime.split(';').next().unwrap_or_default()).to_lowercase();
    let format = match base_mime.as_str() {
        "audio/webm" => "webm",
        "audio/ogg" => "ogg",
        "audio/mp4" => "mp4",
        "audio/mpeg" => "mp3",
        "audio/wav" | "audio/x-wav" | "audio/wave" => "wav",
        "audio/m4a" | "audio/x-m4a" => "m4a",
        _ => return None,
    };
    Some(AudioFormat { base_mime, format })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_case_do_not_count() {
        let format = resolve_audio_format(" Audio/Ogg ; codecs=\"opus\"").unwrap();
        assert_eq!((format.base_mime.as_str(), format.format), ("audio/ogg", "ogg"));
        assert_eq!(resolve_audio_format("audio/mpeg").unwrap().format, "mp3");
    }

    #[test]
    fn others_are_refused() {
        for mime in [
            "",
            ";",
            "audio",
            "audio/mp3",
            "audio/flac",
            "video/webm",
            "audio/webm,audio/ogg",
            "__proto__",
            "constructor",
        ] {
            assert_eq!(resolve_audio_format(mime), None, "{mime}");
        }
    }
}
