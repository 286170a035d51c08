//! Where stored keys may be sent: to the address that was set when they were entered. Whoever may change the settings of a
//! workspace is not thereby to be given its keys.

use secrecy::SecretString;
use sha2::{Digest, Sha256};

use crate::provider::{DEFAULT_ADDRESSES, OPENAI_URL, login_in};
use crate::store::{KeyPlace, KeySlot, StoredKey, StoredSettings, WriteKey};

use super::workspace::{ADDRESSES, SettingsPatch, WorkspaceSettings};

/// The origin of the place that a key is sent to; of a driver's own place where no address is set.
pub(crate) fn origin(driver: &str, base_url: Option<&str>) -> String {
    let base_url = base_url.map(str::trim).filter(|url| !url.is_empty());
    let default = DEFAULT_ADDRESSES.iter().find(|(name, _)| *name == driver).map(|(_, url)| *url);
    match base_url.or(default).map(reqwest::Url::parse) {
        Some(Ok(url)) => url.origin().ascii_serialization(),
        // What is no address is none that anything is sent to.
        Some(Err(_)) | None => String::new(),
    }
}

/// Stands in the place of a driver where the secret is what was in an address: a user and a password.
pub(crate) const LOGIN: &str = "base-url";

/// The address that a login of this slot is for.
fn address_of(settings: &WorkspaceSettings, slot: KeySlot) -> Option<&str> {
    let (field, _) = ADDRESSES.iter().find(|(_, of)| *of == slot)?;
    settings.filled(field)
}

/// What a change of addresses does to the logins that are kept for them: a new one is kept, and one of an address that
/// leads elsewhere is forgotten. `None` forgets.
pub(crate) fn changed_logins(
    stored: &StoredSettings,
    before: &WorkspaceSettings,
    patch: &SettingsPatch,
    after: &WorkspaceSettings,
) -> Vec<(KeySlot, Option<SecretString>)> {
    let mut changed = Vec::new();
    for (field, slot) in ADDRESSES.into_iter().filter(|(field, _)| patch.sets(field)) {
        let entered = patch.logins.iter().find(|(of, _)| *of == slot).map(|(_, login)| login.clone());
        let stays = origin(LOGIN, before.filled(field)) == origin(LOGIN, after.filled(field));
        let found = before.text(field).filter(|_| stays).and_then(login_in);
        let is_kept = stored.keys.iter().any(|key| key.driver == LOGIN && key.slot == slot);
        match entered.or(found) {
            Some(login) => changed.push((slot, Some(login))),
            None if is_kept && !stays => changed.push((slot, None)),
            None => {}
        }
    }
    changed
}

/// The login that is kept for this address.
pub(crate) fn login<'a>(stored: &'a StoredSettings, slot: KeySlot, base_url: &str) -> Option<&'a StoredKey> {
    let key = stored.keys.iter().find(|key| key.driver == LOGIN && key.slot == slot)?;
    (known(stored, key)? == origin(LOGIN, Some(base_url))).then_some(key)
}

/// Where the key of this slot is sent by these settings.
fn destination(settings: &WorkspaceSettings, driver: &str, slot: KeySlot) -> String {
    if driver == LOGIN {
        return origin(LOGIN, address_of(settings, slot));
    }
    // Addresses belong to the driver that is set; the others are where they always are.
    let of_driver = |url: Option<&str>| url.filter(|_| settings.driver() == Some(driver)).map(str::to_owned);
    let base_url = settings.filled("baseUrl");
    let url = match slot {
        KeySlot::Chat => of_driver(base_url).filter(|_| driver != "gemini"),
        KeySlot::Embedding => {
            of_driver(settings.filled("embeddingBaseUrl").or(base_url)).filter(|_| driver != "gemini")
        }
        KeySlot::Stt => {
            let url = of_driver(settings.filled("sttBaseUrl").or(base_url));
            url.or_else(|| (driver == "openai").then(|| OPENAI_URL.to_owned()))
        }
    };
    origin(driver, url.as_deref())
}

/// Tells whether a place is still that of this key.
fn digest(blob: &str) -> String {
    Sha256::digest(blob.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The origin that the key was entered for, if that is known.
pub(crate) fn known<'a>(stored: &'a StoredSettings, key: &StoredKey) -> Option<&'a str> {
    let place = stored.places.iter().find(|place| place.driver == key.driver && place.slot == key.slot)?;
    let (of, origin) = place.place.split_once(' ')?;
    (of == digest(&key.blob)).then_some(origin)
}

/// The places of keys of which none is known, as they are sent by these settings.
pub(crate) fn unbound(stored: &StoredSettings, settings: &WorkspaceSettings) -> Vec<KeyPlace> {
    let unknown = stored.keys.iter().filter(|key| key.driver != LOGIN && known(stored, key).is_none());
    unknown.map(|key| place(&key.driver, key.slot, &key.blob, settings)).collect()
}

/// The places of keys that are entered together with these settings.
pub(crate) fn of_keys(keys: &[WriteKey], settings: &WorkspaceSettings) -> Vec<KeyPlace> {
    let entered = keys.iter().filter_map(|key| Some((key, key.blob.as_deref()?)));
    entered.map(|(key, blob)| place(&key.driver, key.slot, blob, settings)).collect()
}

fn place(driver: &str, slot: KeySlot, blob: &str, settings: &WorkspaceSettings) -> KeyPlace {
    let place = format!("{} {}", digest(blob), destination(settings, driver, slot));
    KeyPlace { driver: driver.to_owned(), slot, place }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> WorkspaceSettings {
        WorkspaceSettings::from_stored(Some(text))
    }

    #[test]
    fn an_address_is_its_origin_however_it_is_written() {
        for url in ["https://api.openai.com/v1", "https://API.openai.com:443/other", ""] {
            assert_eq!(origin("openai", Some(url)), "https://api.openai.com", "{url}");
        }
        assert_eq!(origin("openai", None), "https://api.openai.com");
        assert_ne!(origin("openai", Some("http://api.openai.com")), origin("openai", None));
        assert_ne!(origin("openai", Some("https://api.openai.com@evil.example")), origin("openai", None));
        assert_eq!(origin("openai-compatible", None), "");
    }

    #[test]
    fn each_key_goes_where_its_capability_is() {
        let all = settings(
            r#"{"driver":"openai","baseUrl":"https://a/v1","embeddingBaseUrl":"https://b/v1","sttBaseUrl":"https://c"}"#,
        );
        let to = |slot| destination(&all, "openai", slot);
        assert_eq!(
            [to(KeySlot::Chat), to(KeySlot::Embedding), to(KeySlot::Stt)],
            ["https://a", "https://b", "https://c"]
        );
        assert_eq!(destination(&all, "anthropic", KeySlot::Chat), "https://api.anthropic.com");
    }

    #[test]
    fn a_key_that_another_writer_has_put_there_is_not_bound() {
        let before = settings(r#"{"driver":"openai","baseUrl":"https://a/v1"}"#);
        let key = StoredKey { driver: "openai".into(), slot: KeySlot::Chat, blob: "one".into() };
        let mut stored = StoredSettings { keys: vec![key.clone()], ..StoredSettings::default() };
        assert_eq!(known(&stored, &key), None);
        stored.places = unbound(&stored, &before);
        assert_eq!(known(&stored, &key), Some("https://a"));
        let other = StoredKey { blob: "two".into(), ..key };
        assert_eq!(known(&stored, &other), None);
    }
}
