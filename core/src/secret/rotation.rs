//! Sealing stored secrets anew, so that an application secret that is no longer in use can be dropped.

use std::sync::Arc;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::store::{Reseal, SecretPlace, SettingsStore};

use super::SecretBox;

/// How many records are sealed anew in one transaction: few enough that nobody waits for it.
const BATCH: usize = 200;

/// What a rotation came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// Secrets that were sealed anew.
    pub resealed: usize,
    /// Secrets that none of the application secrets opens. They stay as they are; people have to enter them again.
    pub unreadable: usize,
}

/// Seals everything anew that is not sealed with the current application secret. May be killed at any point and begun
/// again, and may run in several processes at once: each record is replaced only as it was read.
///
/// # Errors
/// `STORE_UNAVAILABLE`.
pub async fn rotate(store: &dyn SettingsStore, secrets: Arc<SecretBox>) -> Result<Rotation> {
    let current = secrets.current_prefix();
    let mut rotation = Rotation::default();
    let mut after: Option<SecretPlace> = None;
    loop {
        let batch = store.sealed_secrets(&current, after.as_ref(), BATCH).await?;
        let Some(last) = batch.last() else {
            return Ok(rotation);
        };
        after = Some(last.place.clone());
        let found = batch.len();
        let secrets = Arc::clone(&secrets);
        // Old forms take tens of milliseconds each.
        let resealed = tokio::task::spawn_blocking(move || -> Result<Vec<Reseal>> {
            let mut resealed = Vec::with_capacity(batch.len());
            for sealed in batch {
                let record = sealed.place.record();
                if let Ok((plaintext, _)) = secrets.open(&sealed.blob, &record) {
                    let blob = secrets.seal(&plaintext, &record)?;
                    resealed.push(Reseal { sealed, blob });
                }
            }
            Ok(resealed)
        });
        let resealed = resealed.await.map_err(|_| Error::internal("sealing anew was interrupted"))??;
        rotation.unreadable += found - resealed.len();
        rotation.resealed += store.reseal(resealed).await?;
    }
}

#[cfg(test)]
mod tests {
    use secrecy::{ExposeSecret, SecretString};

    use crate::clock::SystemClock;
    use crate::store::{KeySlot, MemoryStore, WriteKey, WriteSettings};

    use super::*;

    #[tokio::test]
    async fn everything_readable_ends_under_the_current_secret() {
        let store = MemoryStore::new(Arc::new(SystemClock));
        let secret = |text: &str| SecretString::from(text.to_owned());
        let old = SecretBox::new(secret("old"), []);
        let lost = SecretBox::new(secret("lost"), []);
        for number in 0..BATCH + 50 {
            let workspace_id = format!("w{number:04}");
            let record = crate::secret::RecordIdentity::provider_key(&workspace_id, "openai", KeySlot::Chat.column());
            let sealer = if number % 50 == 7 { &lost } else { &old };
            let blob = sealer.seal(&secret(&workspace_id), &record).unwrap();
            let keys = vec![WriteKey { driver: "openai".into(), slot: KeySlot::Chat, blob: Some(blob) }];
            let write = WriteSettings { workspace_id, expected: None, settings: None, keys };
            assert!(store.write_settings(write).await.unwrap());
        }
        let both = Arc::new(SecretBox::new(secret("new"), [secret("old")]));
        let rotation = rotate(&store, Arc::clone(&both)).await.unwrap();
        assert_eq!(rotation, Rotation { resealed: BATCH + 45, unreadable: 5 });
        let again = rotate(&store, both).await.unwrap();
        assert_eq!(again, Rotation { resealed: 0, unreadable: 5 });
        let new = SecretBox::new(secret("new"), []);
        let stored = store.settings("w0100").await.unwrap();
        let record = crate::secret::RecordIdentity::provider_key("w0100", "openai", "api_key_enc");
        assert_eq!(new.open(&stored.keys[0].blob, &record).unwrap().0.expose_secret(), "w0100");
    }
}
