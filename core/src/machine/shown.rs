//! Sources and files as the parts that a message shows them with.

use serde::Serialize;

use crate::model::Json;
use crate::provider::Source;
use crate::text::storable;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
enum Shown<'a> {
    SourceUrl {
        source_id: String,
        url: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<Json>,
    },
    SourceDocument {
        source_id: String,
        media_type: String,
        title: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<Json>,
    },
    File {
        url: &'a str,
        media_type: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<&'a Json>,
    },
}

/// The part of a source.
pub(super) fn source_part(source: Source) -> Option<Json> {
    let shown = match source {
        Source::Url { id, url, title, metadata } => Shown::SourceUrl {
            source_id: storable(id),
            url: storable(url),
            title: title.map(storable),
            provider_metadata: metadata,
        },
        Source::Document { id, media_type, title, filename, metadata } => Shown::SourceDocument {
            source_id: storable(id),
            media_type: storable(media_type),
            title: storable(title),
            filename: filename.map(storable),
            provider_metadata: metadata,
        },
    };
    Json::from_value(&shown).ok()
}

/// The part of a file.
pub(super) fn file_part(media_type: &str, url: &str, provider_metadata: Option<&Json>) -> Option<Json> {
    Json::from_value(&Shown::File { url, media_type, provider_metadata }).ok()
}
