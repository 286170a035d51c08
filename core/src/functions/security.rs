//! Functions that guard what comes in.

use std::collections::HashSet;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::json;

use crate::js::OwnedText as Text;
use crate::model::Json;
use crate::project::{EditSource, resolve_edit_source};
use crate::provider::resolve_audio_format;
use crate::role::role_model_override;
use crate::tool::mcp::{
    McpServerRow, McpServerView, cap_tool_name, disambiguate_tool_name, sanitize_tool_name, tool_name_prefix,
};
use crate::tool::{ResolutionRefusal, check_ip, check_resolved};

use super::{Answer, answer, arguments};

pub(super) fn model_override(text: &str) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Role {
        #[serde(default)]
        name: Option<Text>,
        #[serde(default)]
        model_config: Option<Json>,
    }
    #[derive(Deserialize)]
    struct Arguments {
        #[serde(default)]
        role: Option<Role>,
    }
    let Arguments { role: Some(Role { name, model_config: Some(config) }) } = arguments(text)? else {
        return Ok(None);
    };
    role_model_override(name.as_ref().map(|name| name.0.as_str()), &config).map_or(Ok(None), |found| answer(&found))
}

pub(super) fn audio_format(text: &str) -> Answer {
    #[derive(Deserialize)]
    struct Arguments {
        mime: Text,
    }
    let Arguments { mime } = arguments(text)?;
    answer(&match resolve_audio_format(&mime.0) {
        Some(found) => json!({"ok": true, "baseMime": found.base_mime, "format": found.format}),
        None => json!({"ok": false}),
    })
}

pub(super) fn ip_allowed(text: &str) -> Answer {
    #[derive(Deserialize)]
    struct Arguments {
        ip: Text,
    }
    let Arguments { ip } = arguments(text)?;
    answer(&match check_ip(&ip.0) {
        Ok(()) => json!({"ok": true}),
        Err(refusal) => json!({"ok": false, "reason": refusal.to_string()}),
    })
}

/// An address as resolvers give it: as text, or as `{address, family}`, whose family says nothing that the text does not.
struct Resolved(String);

impl AsRef<str> for Resolved {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Resolved {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Resolved;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Resolved, E> {
                Ok(Resolved(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Resolved, A::Error> {
                #[derive(Deserialize)]
                struct Entry {
                    address: Text,
                }
                Entry::deserialize(MapAccessDeserializer::new(map)).map(|entry| Resolved(entry.address.0))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

pub(super) fn resolved_addresses(text: &str) -> Answer {
    #[derive(Deserialize)]
    struct Arguments {
        addresses: Vec<Resolved>,
    }
    let Arguments { addresses } = arguments(text)?;
    answer(&match check_resolved(&addresses) {
        Ok(()) => json!({"ok": true}),
        Err(ResolutionRefusal::Empty) => json!({"ok": false}),
        Err(ResolutionRefusal::Address(_, refusal)) => json!({"ok": false, "reason": refusal.to_string()}),
    })
}

#[derive(Deserialize)]
struct OneValue {
    value: Text,
}

pub(super) fn sanitize(text: &str) -> Answer {
    let OneValue { value } = arguments(text)?;
    answer(&sanitize_tool_name(&value.0))
}

pub(super) fn cap(text: &str) -> Answer {
    let OneValue { value } = arguments(text)?;
    answer(cap_tool_name(&value.0))
}

pub(super) fn prefix(text: &str) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Arguments {
        server_name: Text,
    }
    let Arguments { server_name } = arguments(text)?;
    answer(&tool_name_prefix(&server_name.0))
}

pub(super) fn disambiguate(text: &str) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Arguments {
        name: Text,
        server_id: Text,
        taken: Vec<Text>,
    }
    let Arguments { name, server_id, taken } = arguments(text)?;
    let taken: HashSet<String> = taken.into_iter().map(|name| name.0).collect();
    answer(&disambiguate_tool_name(&name.0, &server_id.0, &taken))
}

pub(super) fn to_view(text: &str) -> Answer {
    #[derive(Deserialize)]
    struct Arguments {
        server: McpServerRow,
    }
    let Arguments { server } = arguments(text)?;
    answer(&McpServerView::from(server))
}

pub(super) fn edit_source(text: &str) -> Answer {
    #[derive(Deserialize)]
    struct Arguments {
        #[serde(default)]
        gathered: Option<EditSource>,
        edit: EditSource,
    }
    let Arguments { gathered, edit } = arguments(text)?;
    answer(&resolve_edit_source(gathered, edit))
}

pub(super) fn cuts_snapshot(text: &str) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Arguments {
        #[serde(default)]
        last_source: Option<Text>,
        source: EditSource,
        pending: bool,
    }
    let Arguments { last_source, source, pending } = arguments(text)?;
    let last = EditSource::of_row(last_source.as_ref().map_or("", |column| &column.0));
    answer(&crate::project::cuts_snapshot(last, source, pending))
}

#[cfg(test)]
mod tests {
    use crate::functions::call;

    fn field(function: &str, arguments: &str) -> String {
        let error = call(function, arguments).unwrap_err();
        error.details()["field"].as_str().unwrap().to_owned()
    }

    fn given(function: &str, arguments: &str) -> String {
        call(function, arguments).unwrap().unwrap()
    }

    #[test]
    fn roles() {
        let role = r#"{"role":{"id":"r","name":"R","modelConfig":{"driver":"openai","driver":"ollama"}}}"#;
        assert_eq!(given("roleModelOverride", role), r#"{"driver":"ollama","roleName":"R"}"#);
        for nothing in ["{}", r#"{"role":null}"#, r#"{"role":{}}"#, r#"{"role":{"modelConfig":"x"}}"#] {
            assert_eq!(call("roleModelOverride", nothing).unwrap(), None, "{nothing}");
        }
        assert_eq!(field("roleModelOverride", r#"{"role":"x"}"#), "role");
        assert_eq!(field("roleModelOverride", r#"{"role":{"name":5}}"#), "role.name");
    }

    #[test]
    fn addresses() {
        assert_eq!(given("isIpAllowed", r#"{"ip":"8.8.8.8"}"#), r#"{"ok":true}"#);
        let refused = r#"{"ok":false,"reason":"blocked address range: private"}"#;
        assert_eq!(given("isIpAllowed", r#"{"ip":"10.0.0.1"}"#), refused);
        let mixed = r#"{"addresses":["8.8.8.8",{"address":"10.0.0.1","family":4}]}"#;
        assert_eq!(given("validateResolvedAddresses", mixed), refused);
        assert_eq!(given("validateResolvedAddresses", r#"{"addresses":[]}"#), r#"{"ok":false}"#);
        assert_eq!(field("isIpAllowed", r#"{"ip":5}"#), "ip");
        assert_eq!(field("isIpAllowed", "{}"), "ip");
        assert_eq!(field("validateResolvedAddresses", r#"{"addresses":["","",5]}"#), "addresses[2]");
        assert_eq!(field("validateResolvedAddresses", r#"{"addresses":[{}]}"#), "addresses[0].address");
        assert_eq!(field("validateResolvedAddresses", r#"{"addresses":[{"address":5}]}"#), "addresses[0].address");
        assert_eq!(field("validateResolvedAddresses", r#"{"addresses":"8.8.8.8"}"#), "addresses");
    }

    #[test]
    fn sources() {
        assert_eq!(given("resolveEditSource", r#"{"edit":"user"}"#), r#""user""#);
        assert_eq!(given("resolveEditSource", r#"{"gathered":"agent","edit":"user"}"#), r#""agent""#);
        assert_eq!(field("resolveEditSource", r#"{"gathered":"bot","edit":"user"}"#), "gathered");
        assert_eq!(field("resolveEditSource", r#"{"gathered":"user"}"#), "edit");
        for (last, source, cuts) in [("agent", "user", true), ("user", "agent", true), ("import", "user", false)] {
            let asked = format!(r#"{{"lastSource":"{last}","source":"{source}","pending":true}}"#);
            assert_eq!(given("cutsSnapshot", &asked), cuts.to_string(), "{asked}");
        }
        assert_eq!(given("cutsSnapshot", r#"{"lastSource":null,"source":"agent","pending":true}"#), "true");
        assert_eq!(given("cutsSnapshot", r#"{"lastSource":"user","source":"agent","pending":false}"#), "false");
        assert_eq!(field("cutsSnapshot", r#"{"source":"agent","pending":1}"#), "pending");
        assert_eq!(field("cutsSnapshot", r#"{"source":"bot","pending":true}"#), "source");
    }

    #[test]
    fn names() {
        assert_eq!(given("sanitizeToolName", r#"{"value":"a\ud83db"}"#), r#""a_b""#);
        assert_eq!(given("capToolName", r#"{"value":"a b"}"#), r#""a b""#);
        assert_eq!(given("toolNamePrefix", r#"{"serverName":""}"#), r#""mcp""#);
        assert_eq!(given("disambiguateToolName", r#"{"name":"a","serverId":"","taken":["a_2"]}"#), r#""a_3""#);
        assert_eq!(field("disambiguateToolName", r#"{"name":"a","serverId":"","taken":["a",5]}"#), "taken[1]");
        assert_eq!(field("disambiguateToolName", r#"{"name":"a","taken":[]}"#), "serverId");
        assert_eq!(field("sanitizeToolName", r#"{"value":null}"#), "value");
    }

    #[test]
    fn audio() {
        let found = given("resolveAudioFormat", r#"{"mime":"audio/mpeg; x"}"#);
        assert_eq!(found, r#"{"ok":true,"baseMime":"audio/mpeg","format":"mp3"}"#);
        assert_eq!(given("resolveAudioFormat", r#"{"mime":"constructor"}"#), r#"{"ok":false}"#);
        assert_eq!(field("resolveAudioFormat", r#"{"mime":null}"#), "mime");
    }

    /// Defect 27 of the servers that this replaces: a broken allowlist allowed everything.
    #[test]
    fn servers() {
        let server = |member: &str| {
            format!(r#"{{"server":{{"id":"x","name":"n","transport":"http","url":"https://a.example"{member}}}}}"#)
        };
        let shown = given("toView", &server(r#","headers":{"A":"secret"},"instructions":"i""#));
        assert!(shown.ends_with(r#""hasHeaders":true,"instructions":"i","headerNames":["A"]}"#), "{shown}");
        for (member, named) in [
            (r#","headers":["A"]"#, "server.headers"),
            (r#","headers":"A: b""#, "server.headers"),
            (r#","enabled":"yes""#, "server.enabled"),
            (r#","toolAllowlist":["a",5]"#, "server.toolAllowlist[1]"),
            (r#","toolAllowlist":"x""#, "server.toolAllowlist"),
            (r#","toolAllowlist":{}"#, "server.toolAllowlist"),
            (r#","instructions":5"#, "server.instructions"),
            (r#","headersEnc":{}"#, "server.headersEnc"),
        ] {
            assert_eq!(field("toView", &server(member)), named, "{member}");
        }
        assert_eq!(field("toView", r#"{"server":{"id":"x"}}"#), "server.name");
        assert_eq!(field("toView", r#"{"server":null}"#), "server");
    }
}
