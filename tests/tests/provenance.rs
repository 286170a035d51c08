//! Claims that an access is by the agent of a chat: what the table cannot say of them.

use serde_json::{Value, json};
use turnkeep::{Engine, Error, ErrorCode};
use turnkeep_tests::chunks::{finish, text};
use turnkeep_tests::scenario::{open, request, who};
use turnkeep_tests::{Response, Script, ScriptedProvider, table};

const TABLE: &str = include_str!("../provenance.json");

async fn ask(engine: &Engine, operation: &str, params: Value) -> Result<Value, Error> {
    engine.call(operation, &params.to_string()).await.map(|answer| serde_json::from_str(&answer).unwrap())
}

fn options() -> Value {
    serde_json::from_str::<Value>(TABLE).unwrap()["options"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path(), "http://127.0.0.1:1", options()).await;
    let (played, wrong) = table::play(&engine, TABLE).await;
    assert!(played > 30 && wrong.is_empty(), "{} of {played}:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_may_name_a_run_of_its_chat_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let answer = Response::stream([vec![text("ok")], finish("stop", 10, 5)].concat());
    let provider = ScriptedProvider::start(Script { responses: vec![answer], repeat: true, ..Script::default() }).await;
    let engine = open(folder.path(), &provider.base_url(), options()).await;
    let mut runs = Vec::new();
    for user in ["u1", "u1", "u2"] {
        let turn = engine.start_turn(request("hello", json!({"userId": user})), Vec::new()).await.unwrap();
        turn.done().await.unwrap();
        runs.push((turn.chat_id(), turn.run_id()));
    }
    let (chat, run) = runs[0];
    let signed = engine.sign_provenance(&who(), chat, Some(run), None, None).await.unwrap();
    let claim = engine.verify_provenance(&signed.token, None).unwrap();
    assert_eq!((claim.chat_id, claim.run_id, claim.expires_at), (chat, Some(run), signed.expires_at));
    let refused = engine.sign_provenance(&who(), chat, Some(runs[1].1), None, None).await.unwrap_err();
    assert_eq!((refused.code(), &refused.details()["field"]), (ErrorCode::InvalidInput, &json!("runId")));
    let refused = engine.sign_provenance(&who(), chat, Some(runs[2].1), None, None).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Forbidden);
    let refused = engine.verify_provenance(&signed.token, Some("pages")).unwrap_err();
    assert_eq!((refused.code(), &refused.details()["reason"]), (ErrorCode::Forbidden, &json!("audience")));
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_outlive_a_change_of_the_secret_and_need_one() {
    let folder = tempfile::tempdir().unwrap();
    let opened = async |options: Value| open(folder.path(), "http://127.0.0.1:1", options).await;
    let engine = opened(json!({"appSecret": "the first"})).await;
    let owner = json!({"workspaceId": "w1", "userId": "u1"});
    let chat = ask(&engine, "chats.create", owner).await.unwrap()["id"].clone();
    let sign = json!({"workspaceId": "w1", "userId": "u1", "chatId": chat});
    let token = ask(&engine, "provenance.sign", sign.clone()).await.unwrap()["token"].clone();
    let verify = json!({"token": token});
    engine.close(None).await.unwrap();

    let engine = opened(json!({"appSecret": "the second", "previousAppSecrets": ["the first"]})).await;
    assert_eq!(ask(&engine, "provenance.verify", verify.clone()).await.unwrap()["chatId"], chat);
    engine.close(None).await.unwrap();

    let engine = opened(json!({"appSecret": "the second"})).await;
    let refused = ask(&engine, "provenance.verify", verify.clone()).await.unwrap_err();
    assert_eq!((refused.code(), &refused.details()["reason"]), (ErrorCode::Forbidden, &json!("signature")));
    assert!(!refused.to_json().contains(token.as_str().unwrap()));
    engine.close(None).await.unwrap();

    let engine = opened(json!({})).await;
    for (operation, params) in [("provenance.sign", sign), ("provenance.verify", verify)] {
        let refused = ask(&engine, operation, params).await.unwrap_err();
        assert_eq!((refused.code(), &refused.details()["field"]), (ErrorCode::InvalidInput, &json!("appSecret")));
    }
}
