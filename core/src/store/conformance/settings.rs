//! Settings and sealed keys.

use std::sync::Arc;

use crate::store::{KeySlot, Reseal, SecretPlace, WriteKey, WriteSettings};

use super::{TestClock, TestStore};

on_every_store![a_change_of_settings_is_all_or_nothing, secrets_are_sealed_anew_where_they_stand];

fn key(driver: &str, slot: KeySlot, blob: Option<&str>) -> WriteKey {
    WriteKey { driver: driver.into(), slot, blob: blob.map(str::to_owned) }
}

fn write(workspace_id: &str, expected: Option<&str>, settings: Option<&str>, keys: Vec<WriteKey>) -> WriteSettings {
    let text = |text: Option<&str>| text.map(str::to_owned);
    WriteSettings {
        workspace_id: workspace_id.into(),
        expected: text(expected),
        settings: text(settings),
        keys,
        host_features: vec![],
    }
}

async fn a_change_of_settings_is_all_or_nothing(store: TestStore, _: Arc<TestClock>) {
    assert_eq!(store.settings("w1").await.unwrap(), Default::default());
    let first = r#"{"driver":"openai","b":1.50,"a":"é😀"}"#;
    let keys = vec![key("openai", KeySlot::Chat, Some("A")), key("openai", KeySlot::Stt, Some("S"))];
    assert!(store.write_settings(write("w1", None, Some(first), keys)).await.unwrap());
    // Who computed a change from other settings changes nothing.
    let stale = write("w1", None, Some("{}"), vec![key("openai", KeySlot::Chat, Some("B"))]);
    assert!(!store.write_settings(stale).await.unwrap());
    let keys = vec![key("openai", KeySlot::Stt, None), key("gemini", KeySlot::Embedding, Some("E"))];
    assert!(store.write_settings(write("w1", Some(first), None, keys)).await.unwrap());
    let stored = store.settings("w1").await.unwrap();
    assert_eq!(stored.settings.as_deref(), Some(first), "the text is kept as it was written");
    let mut found: Vec<_> = stored.keys.iter().map(|key| (key.driver.as_str(), key.slot, key.blob.as_str())).collect();
    found.sort_unstable();
    assert_eq!(found, [("gemini", KeySlot::Embedding, "E"), ("openai", KeySlot::Chat, "A")]);
    assert_eq!(store.settings("w2").await.unwrap(), Default::default());
}

async fn secrets_are_sealed_anew_where_they_stand(store: TestStore, _: Arc<TestClock>) {
    for number in 0..7 {
        let keys = vec![
            key("openai", KeySlot::Chat, Some(&format!("old.{number}"))),
            key("openai", KeySlot::Embedding, (number % 2 == 0).then_some("new.e")),
            key("gemini", KeySlot::Stt, Some("old.s")),
        ];
        assert!(store.write_settings(write(&format!("w{number}"), None, None, keys)).await.unwrap());
    }
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let batch = store.sealed_secrets("new.", after.as_ref(), 3).await.unwrap();
        let Some(last) = batch.last() else { break };
        after = Some(last.place.clone());
        seen.extend(batch);
    }
    assert_eq!(seen.len(), 14);
    assert!(seen.iter().all(|sealed| sealed.blob.starts_with("old.")));
    assert!(seen.windows(2).all(|pair| pair[0].place < pair[1].place), "in the order of their places");
    let mut changes: Vec<Reseal> =
        seen.into_iter().map(|sealed| Reseal { blob: format!("new.{}", sealed.blob), sealed }).collect();
    // Somebody has entered another key in between; it stays.
    changes[0].sealed.blob = "old.other".into();
    assert_eq!(store.reseal(changes.clone()).await.unwrap(), 13);
    assert_eq!(store.reseal(changes.clone()).await.unwrap(), 0, "once");
    let left = store.sealed_secrets("new.", None, 100).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].place, changes[0].sealed.place);
    assert!(matches!(&left[0].place, SecretPlace::ProviderKey { workspace_id, .. } if workspace_id == "w0"));
}
