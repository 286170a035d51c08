//! The recorded resolution of settings, and the recorded sealed secrets.
//!
//! Reads `../shared/vectors` in place (or below the folder named by `TURNKEEP_SHARED`). Where it is missing, every test
//! here counts as skipped.

use libtest_mimic::{Arguments, Failed, Trial};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use turnkeep::secret::{RecordIdentity, SecretBox};
use turnkeep::settings::resolve::{ModelOverride, chat_provider, embedding_provider, stt_provider};
use turnkeep::settings::{SettingsPatch, WorkspaceSettings};
use turnkeep::store::KeySlot;
use turnkeep::{Error, ErrorCode};
use turnkeep_tests::recorded::{self, Intended, Played};

type Check = fn(&Value) -> Result<(), String>;

const FILES: &[(&str, Check)] = &[
    ("resolveAiConfig", resolved),
    ("getMaskedAiSettings", masked),
    ("getChatModel", chat_model),
    ("getEmbeddingModel", embedding_model),
    ("updateAiProviderSettings", updated),
    ("updateAiSettings", update_plan),
    ("parsePositiveInt", context_window),
    ("SecretBox", secret_box),
];

/// What differs on purpose, and why.
const INTENDED: Intended = &[
    (
        "getEmbeddingModel",
        r#"{"driver":"openai","embeddingModel":"e","embeddingApiKey":"k","embeddingBaseUrl":""}"#,
        "an empty base URL is none; the recording asks a relative URL",
    ),
    ("parsePositiveInt", "\"0.5\"string", "half a token is no window; the recording has one of none (defect 21)"),
];

fn main() {
    let trial = |(name, check): &(&'static str, Check)| {
        let ((path, is_here), name, check) = (recorded::file(name), *name, *check);
        let play = move || {
            let played = |case: &Value| check(&plain(case)).map(|()| Played::Same);
            recorded::play(&path, name, INTENDED, played).map_err(Failed::from)
        };
        Trial::test(format!("settings_vectors::{name}"), play).with_ignored_flag(!is_here)
    };
    libtest_mimic::run(&Arguments::from_args(), FILES.iter().map(trial).collect()).exit();
}

/// Without the tags that stand for JavaScript's `undefined` and numbers that JSON has no form for.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, value)| value.get("$undef").is_none() && value.get("$num").is_none());
            Value::Object(kept.map(|(name, value)| (name.clone(), plain(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        other => other.clone(),
    }
}

fn same(ours: &Value, theirs: &Value) -> Result<(), String> {
    if ours == theirs { Ok(()) } else { Err(format!("ours is {ours}, recorded is {theirs}")) }
}

fn settings(provider: &Value) -> WorkspaceSettings {
    WorkspaceSettings::from_stored(provider.is_object().then(|| provider.to_string()).as_deref())
}

/// Opens recorded keys as the recording did: `dec:` and the blob, `BAD` not at all.
fn open(credentials: &Value, driver: &str, slot: KeySlot) -> turnkeep::Result<Option<SecretString>> {
    let field = match slot {
        KeySlot::Chat => "apiKeyEnc",
        KeySlot::Embedding => "embeddingApiKeyEnc",
        KeySlot::Stt => "sttApiKeyEnc",
    };
    match credentials[driver][field].as_str() {
        Some("BAD") => Err(Error::new(ErrorCode::SecretUnreadable, "recorded as unreadable")),
        Some(blob) => Ok(Some(SecretString::from(format!("dec:{blob}")))),
        None => Ok(None),
    }
}

/// The recording resolves everything at once; ours resolves what is asked for. With a model for everything, all of it
/// can be asked.
fn resolved(case: &Value) -> Result<(), String> {
    let (provider, credentials, output) =
        (&case["input"]["provider"], &case["input"]["credentialsByDriver"], &case["output"]);
    let stored = settings(provider);
    if output.is_null() {
        return same(&json!(stored.driver()), &Value::Null);
    }
    same(&json!(stored.context_window()), &output["chatContextWindow"])?;
    for field in [
        "driver",
        "chatModel",
        "chatApiStyle",
        "publicShareChatModel",
        "publicShareAssistantRoleId",
        "embeddingModel",
        "sttModel",
        "sttApiStyle",
        "sttLanguage",
        "baseUrl",
        "systemPrompt",
    ] {
        same(&json!(stored.text(field)), &output[field])?;
    }
    let mut whole: Map<String, Value> = provider.as_object().cloned().unwrap_or_default();
    for model in ["chatModel", "embeddingModel", "sttModel"] {
        whole.entry(model).or_insert(json!("m"));
    }
    let whole = settings(&Value::Object(whole));
    let key_of = |driver: &str, slot| open(credentials, driver, slot);
    let key = |key: Option<&SecretString>| json!(key.map(ExposeSecret::expose_secret));
    match chat_provider(&whole, &ModelOverride::default(), &key_of) {
        Ok(config) => same(&key(config.api_key.as_ref()), &output["apiKey"])?,
        Err(error) => same(&json!((error.code() == ErrorCode::AiNotConfigured).then_some(())), &output["apiKey"])?,
    }
    match embedding_provider(&whole, &key_of) {
        Ok(config) => {
            same(&key(config.api_key.as_ref()), &output["embeddingApiKey"])?;
            if config.driver != "gemini" {
                same(&json!(config.base_url), &output["embeddingBaseUrl"])?;
            }
        }
        Err(_) => same(&Value::Null, &output["embeddingApiKey"])?,
    }
    match stt_provider(&whole, &key_of) {
        Ok(config) => {
            same(&key(config.api_key.as_ref()), &output["sttApiKey"])?;
            match output["sttBaseUrl"].as_str() {
                Some(url) => same(&json!(config.base_url), &json!(url)),
                None => same(&json!(config.base_url), &json!("https://api.openai.com/v1")),
            }
        }
        // Without a URL of its own, only OpenAI's key may be shown to OpenAI (defect 15).
        Err(_) => same(&json!(stored.driver() != Some("openai")), &json!(true)),
    }
}

fn masked(case: &Value) -> Result<(), String> {
    let (provider, credentials) = (&case["input"]["provider"], &case["input"]["credentialsByDriver"]);
    let stored = settings(provider);
    let driver = stored.driver().unwrap_or_default().to_owned();
    let mut ours = stored.masked(|slot| open(credentials, &driver, slot).is_ok_and(|key| key.is_some()), |_| false);
    // Pages are counted by whoever has them.
    for count in ["indexedPages", "totalPages"] {
        ours[count] = case["input"][count].clone();
    }
    same(&ours, &case["output"])
}

fn chat_model(case: &Value) -> Result<(), String> {
    let (config, asked, credentials) =
        (&case["input"]["workspaceConfig"], &case["input"]["override"], &case["input"]["credentialsByDriver"]);
    let output = &case["output"];
    let stored = settings(config);
    let own_driver = config["driver"].as_str().unwrap_or_default();
    let key_of = |driver: &str, slot| {
        if driver == own_driver {
            return Ok(config["apiKey"].as_str().map(|key| SecretString::from(key.to_owned())));
        }
        open(credentials, driver, slot)
    };
    let text = |name: &str| asked[name].as_str();
    let asked = ModelOverride { driver: text("driver"), model: text("chatModel"), role_name: text("roleName") };
    match chat_provider(&stored, &asked, &key_of) {
        Ok(found) => {
            let provider = match found.driver.as_str() {
                "openai" => "openai.chat",
                "openai-compatible" => "openai-compatible.chat",
                "gemini" => "google.generative-ai",
                other => other,
            };
            same(&json!(provider), &output["provider"])?;
            same(&json!(found.model), &output["modelId"])?;
            let base = if found.base_url.is_empty() { "https://api.openai.com/v1" } else { &found.base_url };
            let key = found.api_key.as_ref().map(|key| key.expose_secret().to_owned());
            let (url, authorization) = match found.driver.as_str() {
                "gemini" => {
                    same(&json!(found.base_url), &json!(""))?;
                    (Some("https://generativelanguage.googleapis.com/v1beta".to_owned()), key)
                }
                "ollama" => (None, key),
                _ => {
                    let base = base.strip_suffix('/').unwrap_or(base);
                    (Some(format!("{base}/chat/completions")), key.map(|key| format!("Bearer {key}")))
                }
            };
            same(&json!(url), &output["chatCompletionsUrl"])?;
            same(&json!(authorization), &output["authorization"])
        }
        Err(error) => {
            let status = &output["error"]["status"];
            if error.code() == ErrorCode::SecretUnreadable {
                return same(&Value::Null, status);
            }
            same(&json!(error.code().http_status()), status)?;
            // The wording is ours; what it names is not.
            let theirs = output["error"]["message"].as_str().unwrap_or_default();
            for name in [asked.driver, asked.role_name].into_iter().flatten() {
                if theirs.contains(&format!("\"{name}\"")) && !error.message().contains(name) {
                    return Err(format!("{} does not name {name}", error.message()));
                }
            }
            Ok(())
        }
    }
}

fn embedding_model(case: &Value) -> Result<(), String> {
    let config = &case["input"]["workspaceConfig"];
    let key_of = |_: &str, slot| {
        let key = config["embeddingApiKey"].as_str().filter(|_| slot == KeySlot::Embedding);
        Ok(key.map(|key| SecretString::from(key.to_owned())))
    };
    let output = &case["output"];
    match embedding_provider(&settings(config), &key_of) {
        Ok(found) => {
            same(&json!(found.model), &output["modelId"])?;
            if found.driver == "openai" {
                let base = found.base_url.as_deref().unwrap_or("https://api.openai.com/v1");
                same(&json!(format!("{base}/embeddings")), &output["embeddingsUrl"])?;
                let key = found.api_key.as_ref().map(|key| format!("Bearer {}", key.expose_secret()));
                same(&json!(key), &output["authorization"])?;
            }
            Ok(())
        }
        Err(error) => same(&json!(error.code().http_status()), &output["error"]["status"]),
    }
}

fn updated(case: &Value) -> Result<(), String> {
    let stored = &case["input"]["settings"]["ai"]["provider"];
    let mut stored = WorkspaceSettings::from_stored(Some(&stored.to_string()));
    let patch = SettingsPatch::from_json(&case["input"]["patch"].to_string()).map_err(|error| error.to_string())?;
    stored.apply(&patch);
    let ours: Value = serde_json::from_str(&stored.to_stored()).map_err(|error| error.to_string())?;
    same(&ours, &case["output"]["ai"]["provider"])
}

/// What a change would write: the settings, then each key for the driver that counts.
fn update_plan(case: &Value) -> Result<(), String> {
    let dto = &case["input"]["dto"];
    let patch = SettingsPatch::from_json(&dto.to_string()).map_err(|error| error.to_string())?;
    let stored = settings(&case["input"]["storedProvider"]);
    let mut changed = stored.clone();
    changed.apply(&patch);
    let mut plan = Vec::new();
    if changed != stored || dto.as_object().is_some_and(|dto| dto.contains_key("driver")) {
        let fields = dto.as_object().into_iter().flatten();
        let set: Map<String, Value> = fields
            .filter(|(name, _)| changed.text(name).is_some() && !name.ends_with("Key"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        plan.push(json!(["updateAiProviderSettings", set]));
    }
    let driver = changed.driver();
    for (name, key) in dto.as_object().into_iter().flatten().filter(|(name, _)| name.ends_with("Key")) {
        let Some(driver) = driver else {
            return same(&json!(case["throws"]["status"]), &json!(400));
        };
        let kind = match name.as_str() {
            "apiKey" => ("upsert", "clearKey"),
            "embeddingApiKey" => ("upsertEmbeddingKey", "clearEmbeddingKey"),
            _ => ("upsertSttKey", "clearSttKey"),
        };
        plan.push(match key.as_str() {
            Some("") => json!([kind.1, "ws", driver]),
            key => json!([kind.0, "ws", driver, format!("ENC({})", key.unwrap_or_default())]),
        });
    }
    same(&Value::Array(plan), &case["output"])
}

fn context_window(case: &Value) -> Result<(), String> {
    let raw = &case["input"]["raw"];
    let text = match raw {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        // Settings are stored as text; an array never is there.
        _ => return Ok(()),
    };
    let stored = settings(&json!({"chatContextWindow": text}));
    same(&json!(stored.context_window()), &case["output"])
}

fn secret_box(case: &Value) -> Result<(), String> {
    let text = |name: &str| case["input"][name].as_str();
    let sealer = SecretBox::new(SecretString::from(text("appSecret").unwrap_or_default().to_owned()), []);
    let blob = text("blob").or(case["output"]["blob"].as_str()).unwrap_or_default();
    let opened = sealer.open(blob, &RecordIdentity::provider_key("w", "openai", "api_key_enc"));
    let plaintext = case["output"].as_str().or(case["output"]["plaintext"].as_str()).or(text("plaintext"));
    match (opened, plaintext) {
        (Ok((ours, _)), Some(theirs)) => same(&json!(ours.expose_secret()), &json!(theirs)),
        (Err(error), None) => same(&json!(error.code().as_str()), &json!("SECRET_UNREADABLE")),
        (Ok(_), None) => Err("opened what must not open".into()),
        (Err(error), Some(_)) => Err(error.to_string()),
    }
}
