//! Sealing stored secrets anew, so that an application secret that is no longer in use can be dropped.

use std::sync::Arc;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::store::{Reseal, SecretPlace, SettingsStore};

use super::{SecretBox, SecretForm};

/// How many records are sealed anew in one transaction: few enough that nobody waits for it.
const BATCH: usize = 200;

/// What a rotation came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// Secrets that were sealed anew, or would be in a dry run.
    pub resealed: usize,
    /// Secrets that none of the application secrets opens. They stay as they are; people have to enter them again.
    pub unreadable: usize,
}

/// How a rotation is done.
#[derive(Clone, Copy, Debug)]
pub struct Rotating {
    /// The form in which secrets are sealed.
    pub form: SecretForm,
    /// Count what would be done, and do nothing.
    pub dry_run: bool,
}

/// Seals every provider's key, and the headers of every tool server, anew that are not sealed with the current application secret, or is in another form than the
/// one that is wanted. May be killed at any point and begun again, and may run in several processes at once: each record
/// is replaced only as it was read.
///
/// # Errors
/// `STORE_UNAVAILABLE`.
pub async fn rotate(store: &dyn SettingsStore, secrets: Arc<SecretBox>, how: Rotating) -> Result<Rotation> {
    let current = secrets.current_prefix();
    let mut rotation = Rotation::default();
    let mut after: Option<SecretPlace> = None;
    loop {
        let batch = store.sealed_secrets(&current, after.as_ref(), BATCH).await?;
        let Some(last) = batch.last() else {
            return Ok(rotation);
        };
        after = Some(last.place.clone());
        let secrets = Arc::clone(&secrets);
        // Old forms take tens of milliseconds each.
        let resealed = tokio::task::spawn_blocking(move || -> Result<(Vec<Reseal>, usize)> {
            let (mut resealed, mut unreadable) = (Vec::with_capacity(batch.len()), 0);
            for sealed in batch {
                if how.form == SecretForm::Legacy && secrets.is_of_current_secret(&sealed.blob) {
                    continue;
                }
                let record = sealed.place.record();
                match secrets.open(&sealed.blob, &record) {
                    Ok((plaintext, _)) => {
                        let blob = secrets.seal_as(how.form, &plaintext, &record)?;
                        resealed.push(Reseal { sealed, blob });
                    }
                    Err(_) => unreadable += 1,
                }
            }
            Ok((resealed, unreadable))
        });
        let (resealed, unreadable) = resealed.await.map_err(|_| Error::internal("sealing anew was interrupted"))??;
        rotation.unreadable += unreadable;
        rotation.resealed += if how.dry_run { resealed.len() } else { store.reseal(resealed).await? };
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
            let write = WriteSettings { workspace_id, expected: None, settings: None, keys, host_features: vec![] };
            assert!(store.write_settings(write).await.unwrap());
        }
        let both = Arc::new(SecretBox::new(secret("new"), [secret("old")]));
        let how = |dry_run| Rotating { form: SecretForm::Current, dry_run };
        let expected = Rotation { resealed: BATCH + 45, unreadable: 5 };
        assert_eq!(rotate(&store, Arc::clone(&both), how(true)).await.unwrap(), expected);
        assert_eq!(rotate(&store, Arc::clone(&both), how(false)).await.unwrap(), expected, "the dry run did nothing");
        let again = rotate(&store, both, how(false)).await.unwrap();
        assert_eq!(again, Rotation { resealed: 0, unreadable: 5 });
        let new = SecretBox::new(secret("new"), []);
        let stored = store.settings("w0100").await.unwrap();
        let record = crate::secret::RecordIdentity::provider_key("w0100", "openai", "api_key_enc");
        assert_eq!(new.open(&stored.keys[0].blob, &record).unwrap().0.expose_secret(), "w0100");
    }
}
