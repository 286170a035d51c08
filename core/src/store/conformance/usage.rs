//! The ledger of calls.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::error::ErrorCode;
use crate::id::{ChatId, RunId};
use crate::model::{CallKind, CallTokens, Json, Part, RunStatus, StepRecord, Usage};
use crate::store::{
    CallNote, Fence, LedgerCall, RecordStep, SettleRun, SuspendRun, TokenLimit, UsageBy, UsageGroup, UsageOf,
};

use super::{TestClock, TestStore, begin, code, planned, record, settle, started, step};

const WINDOW: Duration = Duration::from_secs(3600);

on_every_store![
    a_step_is_a_call,
    a_step_that_has_waited_is_one_call,
    a_late_step_without_a_call_takes_nothing,
    what_no_provider_counts_is_estimated,
    what_is_set_aside_counts_until_the_call_is_done,
    what_a_dead_owner_has_set_aside_is_settled,
    many_at_once_use_no_more_than_there_is,
    a_kind_of_calls_has_a_limit_of_its_own,
    a_report_is_grouped,
    old_calls_are_forgotten,
    a_call_is_entered_once,
];

fn limit(max: u64) -> TokenLimit<'static> {
    TokenLimit { workspace_id: "w", window: WINDOW, max, kind: None }
}

fn call(run_id: Option<RunId>, input: u64, output: u64) -> LedgerCall {
    LedgerCall {
        id: Uuid::now_v7().to_string(),
        workspace_id: "w".into(),
        user_id: Some("u".into()),
        chat_id: None,
        run_id,
        kind: CallKind::Step,
        model: Some("m".into()),
        tokens: CallTokens::estimated(input, output),
    }
}

async fn of(store: &TestStore, by: &[UsageBy]) -> Vec<UsageGroup> {
    let wanted =
        UsageOf { workspace_id: "w".into(), user_id: None, chat_id: None, from: None, until: None, by: by.to_vec() };
    store.usage(&wanted).await.unwrap()
}

/// Calls, estimated ones of them, and tokens of all.
async fn all(store: &TestStore) -> (u64, u64, u64, u64) {
    of(store, &[]).await.iter().fold((0, 0, 0, 0), |sum, group| {
        let (input, output) = (group.tokens.input, group.tokens.output);
        (sum.0 + group.calls, sum.1 + group.estimated_calls, sum.2 + input, sum.3 + output)
    })
}

fn used(number: u32, text: &str, usage: Option<Usage>) -> StepRecord {
    StepRecord { usage, ..step(number, text) }
}

fn counted(input: u64, output: u64) -> Option<Usage> {
    Some(Usage {
        input_tokens: Some(input),
        output_tokens: Some(output),
        total_tokens: Some(input + output),
        reasoning_tokens: Some(1),
        cached_input_tokens: Some(2),
    })
}

fn asked(model: &str, prompt: u64) -> CallNote {
    CallNote { model: Some(model.into()), prompt_tokens: Some(prompt), ..CallNote::default() }
}

async fn a_step_is_a_call(store: TestStore, _: Arc<TestClock>) {
    let chat = ChatId::generate();
    let fence = started(&store, begin(chat, "a")).await;
    let first = used(0, "one", counted(10, 5));
    for _ in 0..2 {
        // An attempt whose answer was lost is repeated.
        let write = RecordStep { call: asked("m", 99), ..record(&fence, first.clone()) };
        store.record_step(write).await.unwrap();
    }
    let last = used(1, "two", counted(20, 7));
    for _ in 0..2 {
        let end =
            SettleRun { call: asked("n", 99), ..settle(&fence, &[first.clone(), last.clone()], Some(last.clone())) };
        store.settle_run(end).await.unwrap();
    }
    assert_eq!(all(&store).await, (2, 0, 30, 12));
    let groups = of(&store, &[UsageBy::User, UsageBy::Chat, UsageBy::Kind, UsageBy::Model]).await;
    let models: Vec<_> = groups.iter().map(|group| group.model.as_deref()).collect();
    assert_eq!(models, [Some("m"), Some("n")]);
    for group in &groups {
        let chat_id = chat.to_string();
        assert_eq!((group.user_id.as_deref(), group.chat_id.as_deref()), (Some("u"), Some(chat_id.as_str())));
        assert_eq!((group.kind, group.calls), (Some(CallKind::Step), 1));
        assert_eq!((group.tokens.cached_input, group.tokens.reasoning, group.day.as_deref()), (2, 1, None));
    }
    // A purge of the chat takes nothing from what is to be paid.
    store.delete_chat(chat).await.unwrap();
    store.purge_chats(&[chat]).await.unwrap();
    assert_eq!(all(&store).await, (2, 0, 30, 12));
}

/// Its call was made before the run waited, and by whoever waited; who goes on with it has asked for nothing.
async fn a_step_that_has_waited_is_one_call(store: TestStore, _: Arc<TestClock>) {
    let chat = ChatId::generate();
    let (first, last) = (used(0, "asks", counted(10, 5)), used(1, "two", counted(20, 7)));
    let suspend =
        |fence: &Fence| SuspendRun { step: first.clone(), call: asked("m", 99), ..super::wait::suspend(fence, None) };
    let fence = super::wait::suspended_by(&store, planned(chat, "a", false), suspend).await;
    let next = super::wait::woken(&store, &fence).await;
    for _ in 0..2 {
        store.record_step(record(&next, first.clone())).await.unwrap();
    }
    store.record_step(RecordStep { call: asked("m", 99), ..record(&next, last) }).await.unwrap();
    assert_eq!(all(&store).await, (2, 0, 30, 12));
    let groups = of(&store, &[UsageBy::Model]).await;
    assert_eq!(groups.iter().map(|group| group.model.as_deref()).collect::<Vec<_>>(), [Some("m")]);
}

/// A step in which there is nothing but a message that has joined the run: nothing was asked for.
async fn a_late_step_without_a_call_takes_nothing(store: TestStore, _: Arc<TestClock>) {
    let up = async |max: u64| store.are_tokens_used_up(&limit(max)).await.unwrap();
    let fence = started(&store, begin(ChatId::generate(), "a")).await;
    let joined = r#"{"type":"data-steering","id":"m","data":{"parts":[]}}"#;
    let parts = vec![Part::StepStart, Part::Other(Json::parse(joined).unwrap())];
    let heard = StepRecord { number: 0, parts, finish_reason: None, usage: None };
    store.record_step(record(&fence, heard.clone())).await.unwrap();
    store.reserve_tokens(&limit(60), &call(Some(fence.run_id), 3, 0), Some(&fence)).await.unwrap();
    // An attempt of that write which arrives now.
    store.record_step(record(&fence, heard)).await.unwrap();
    assert_eq!(all(&store).await, (0, 0, 0, 0), "the call is still on its way");
    assert!(up(3).await.is_some() && up(4).await.is_none());
    store.record_step(record(&fence, used(1, "x", counted(10, 5)))).await.unwrap();
    assert_eq!(all(&store).await, (1, 0, 10, 5));
}

async fn what_no_provider_counts_is_estimated(store: TestStore, _: Arc<TestClock>) {
    let fence = started(&store, begin(ChatId::generate(), "a")).await;
    let first = used(0, "123456789", None);
    store.record_step(RecordStep { call: asked("m", 40), ..record(&fence, first.clone()) }).await.unwrap();
    assert_eq!(all(&store).await, (1, 1, 40, 3));
    // Nothing is known of a run that ends without a step.
    store.settle_run(settle(&fence, &[first], None)).await.unwrap();
    assert_eq!(all(&store).await, (1, 1, 40, 3));
}

async fn what_is_set_aside_counts_until_the_call_is_done(store: TestStore, clock: Arc<TestClock>) {
    let up = async |max: u64| store.are_tokens_used_up(&limit(max)).await.unwrap();
    assert_eq!(up(1).await, None);
    assert!(up(0).await.is_some());
    let fence = started(&store, begin(ChatId::generate(), "a")).await;
    let aside = call(Some(fence.run_id), 50, 50);
    for _ in 0..2 {
        assert_eq!(store.reserve_tokens(&limit(60), &aside, Some(&fence)).await.unwrap(), None);
    }
    assert!(up(100).await.is_some() && up(101).await.is_none());
    assert_eq!(all(&store).await, (0, 0, 0, 0), "no call was made so far");
    let refused = store.reserve_tokens(&limit(100), &call(None, 1, 1), None).await.unwrap();
    assert!(refused.is_some_and(|wait| wait <= WINDOW && wait > WINDOW / 2), "{refused:?}");
    store
        .record_step(RecordStep { call: asked("m", 50), ..record(&fence, used(0, "x", counted(10, 5))) })
        .await
        .unwrap();
    assert_eq!(all(&store).await, (1, 0, 10, 5));
    assert!(up(15).await.is_some() && up(16).await.is_none());
    // A late attempt of an earlier write takes nothing of the call that is on its way.
    store.reserve_tokens(&limit(60), &call(Some(fence.run_id), 3, 0), Some(&fence)).await.unwrap();
    store
        .record_step(RecordStep { call: asked("m", 50), ..record(&fence, used(0, "x", counted(10, 5))) })
        .await
        .unwrap();
    assert!(up(18).await.is_some() && up(19).await.is_none());
    store
        .record_step(RecordStep { call: asked("m", 50), ..record(&fence, used(1, "x", counted(1, 0))) })
        .await
        .unwrap();
    // Whoever has lost the run sets nothing aside for it.
    store.settle_run(settle(&fence, &[], None)).await.unwrap();
    let late = store.reserve_tokens(&limit(60), &call(Some(fence.run_id), 1, 0), Some(&fence)).await;
    assert_eq!(code(late), ErrorCode::LeaseLost);
    assert!(up(16).await.is_some() && up(17).await.is_none());
    // Others' tokens are theirs, and old ones count no more.
    let others = TokenLimit { workspace_id: "v", ..limit(1) };
    assert_eq!(store.are_tokens_used_up(&others).await.unwrap(), None);
    clock.advance(WINDOW);
    assert_eq!(up(1).await, None);
}

async fn what_a_dead_owner_has_set_aside_is_settled(store: TestStore, _: Arc<TestClock>) {
    // Something had come of the call: who closes it knows nothing of its prompt.
    let fence = started(&store, begin(ChatId::generate(), "a")).await;
    store.reserve_tokens(&limit(1_000), &call(Some(fence.run_id), 50, 100), Some(&fence)).await.unwrap();
    let left = used(0, "123456", None);
    let end =
        SettleRun { status: RunStatus::Aborted, ..settle(&fence, std::slice::from_ref(&left), Some(left.clone())) };
    store.settle_run(end).await.unwrap();
    assert_eq!(all(&store).await, (1, 1, 50, 2));
    assert_eq!(of(&store, &[]).await[0].model.as_deref(), Some("m"));
    // Nothing had.
    let fence = started(&store, begin(ChatId::generate(), "a")).await;
    store.reserve_tokens(&limit(1_000), &call(Some(fence.run_id), 30, 100), Some(&fence)).await.unwrap();
    store.settle_run(SettleRun { status: RunStatus::Aborted, ..settle(&fence, &[], None) }).await.unwrap();
    assert_eq!(all(&store).await, (2, 2, 80, 102));
    // What cannot be read.
    let fence = started(&store, begin(ChatId::generate(), "a")).await;
    store.reserve_tokens(&limit(1_000), &call(Some(fence.run_id), 10, 0), Some(&fence)).await.unwrap();
    store.fail_run(&fence, "gone").await.unwrap();
    assert_eq!(all(&store).await, (3, 3, 90, 102));
    // Somebody goes on with it: the lost call stays, and the next one is another.
    let fence = started(&store, begin(ChatId::generate(), "a")).await;
    store.reserve_tokens(&limit(1_000), &call(Some(fence.run_id), 10, 0), Some(&fence)).await.unwrap();
    store.settle_reserved(&fence).await.unwrap();
    // An owner of before settles nothing.
    let before = Fence { epoch: fence.epoch - 1, ..fence.clone() };
    assert_eq!(code(store.settle_reserved(&before).await), ErrorCode::LeaseLost);
    store.reserve_tokens(&limit(1_000), &call(Some(fence.run_id), 10, 0), Some(&fence)).await.unwrap();
    store.record_step(RecordStep { call: asked("m", 9), ..record(&fence, used(0, "", counted(1, 1))) }).await.unwrap();
    assert_eq!(all(&store).await, (5, 4, 101, 103));
}

async fn many_at_once_use_no_more_than_there_is(store: TestStore, _: Arc<TestClock>) {
    let reserving = (0..24).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.reserve_tokens(&limit(50), &call(None, 5, 5), None).await.unwrap().is_none() })
    });
    let mut taken = 0;
    for one in reserving.collect::<Vec<_>>() {
        taken += usize::from(one.await.unwrap());
    }
    assert_eq!(taken, 5);
}

async fn a_kind_of_calls_has_a_limit_of_its_own(store: TestStore, _: Arc<TestClock>) {
    let of = |kind, max| TokenLimit { kind: Some(kind), ..limit(max) };
    store.enter_call(&LedgerCall { kind: CallKind::PublicStep, ..call(None, 5, 5) }).await.unwrap();
    store.enter_call(&call(None, 20, 0)).await.unwrap();
    for (limit, is_used_up) in [
        (of(CallKind::PublicStep, 10), true),
        (of(CallKind::PublicStep, 11), false),
        (of(CallKind::Title, 1), false),
        (limit(30), true),
        (limit(31), false),
    ] {
        assert_eq!(store.are_tokens_used_up(&limit).await.unwrap().is_some(), is_used_up, "{limit:?}");
        let reserved = store.reserve_tokens(&limit, &call(None, 0, 0), None).await.unwrap();
        assert_eq!(reserved.is_some(), is_used_up, "{limit:?}");
    }
}

async fn a_report_is_grouped(store: TestStore, clock: Arc<TestClock>) {
    let enter = async |user: Option<&str>, kind, model: Option<&str>, tokens| {
        let call = LedgerCall {
            user_id: user.map(str::to_owned),
            kind,
            model: model.map(str::to_owned),
            tokens,
            ..call(None, 0, 0)
        };
        for _ in 0..2 {
            store.enter_call(&call).await.unwrap();
        }
    };
    let tokens = CallTokens { input: 2, output: 1, ..CallTokens::default() };
    enter(Some("u"), CallKind::Title, Some("m"), tokens).await;
    enter(Some("u"), CallKind::Title, Some("m"), tokens).await;
    enter(None, CallKind::Embeddings, None, tokens).await;
    clock.advance(Duration::from_secs(24 * 60 * 60));
    enter(Some("v"), CallKind::Transcription, Some("m"), CallTokens { input: u64::MAX, ..tokens }).await;

    let shape = |groups: Vec<UsageGroup>| {
        let one = |group: UsageGroup| (group.user_id, group.kind, group.model, group.calls);
        groups.into_iter().map(one).collect::<Vec<_>>()
    };
    let (m, u, v) = (Some("m".to_owned()), Some("u".to_owned()), Some("v".to_owned()));
    assert_eq!(shape(of(&store, &[]).await), [(None, None, None, 1), (None, None, m.clone(), 3)]);
    let users = shape(of(&store, &[UsageBy::User]).await);
    assert_eq!(users, [(None, None, None, 1), (u, None, m.clone(), 2), (v.clone(), None, m.clone(), 1)]);
    let days = of(&store, &[UsageBy::Day]).await;
    assert_eq!(days.iter().map(|group| group.calls).collect::<Vec<_>>(), [1, 1, 2], "the newest day first");
    assert!(days[0].day > days[1].day && days[1].day == days[2].day && days[0].tokens.input > u64::MAX / 4);
    let late = UsageOf {
        workspace_id: "w".into(),
        user_id: v.clone(),
        chat_id: None,
        from: Some(crate::clock::Timestamp::parse(&format!("{}T00:00:00Z", days[0].day.as_deref().unwrap())).unwrap()),
        until: None,
        by: vec![UsageBy::User, UsageBy::Kind],
    };
    let expected = [(v, Some(CallKind::Transcription), m, 1)];
    assert_eq!(shape(store.usage(&late).await.unwrap()), expected);
    assert_eq!(shape(store.usage(&UsageOf { until: late.from, from: None, ..late.clone() }).await.unwrap()), []);
    assert_eq!(shape(store.usage(&UsageOf { workspace_id: "v".into(), ..late }).await.unwrap()), []);
}

async fn old_calls_are_forgotten(store: TestStore, clock: Arc<TestClock>) {
    store.enter_call(&call(None, 1, 1)).await.unwrap();
    clock.advance(WINDOW);
    store.enter_call(&call(None, 2, 2)).await.unwrap();
    store.forget_usage(WINDOW / 2).await.unwrap();
    assert_eq!(all(&store).await, (1, 1, 2, 2));
}

async fn a_call_is_entered_once(store: TestStore, _: Arc<TestClock>) {
    let step = LedgerCall { run_id: Some(RunId::generate()), ..call(None, 3, 4) };
    for call in [step, LedgerCall { kind: CallKind::Embeddings, ..call(None, 5, 0) }] {
        for _ in 0..3 {
            store.enter_call(&call).await.unwrap();
        }
    }
    assert_eq!(all(&store).await, (2, 2, 8, 4));
}
