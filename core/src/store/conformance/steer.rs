//! Messages that join runs.

use std::sync::Arc;

use crate::error::ErrorCode;
use crate::id::{ChatId, MessageId};
use crate::model::{Json, MessageRole, RunStatus, Steering, SteeringState};
use crate::store::{
    BeginRun, EnterSteering, Fence, LogFrom, LogRange, LogRow, NewSteering, NewUserMessage, SettleRun, Steered,
    SteeringOf,
};

use super::{TestClock, TestStore, begin, code, record, settle, started, step};

on_every_store!(
    a_message_enters_a_run_once,
    a_run_does_not_succeed_while_messages_wait,
    what_waits_is_the_next_turn_s,
    a_message_that_waits_can_be_taken_back,
    a_message_is_taken_by_a_run_that_goes_on_alone,
    messages_enter_under_the_fence_alone,
    a_purged_chat_leaves_none_of_its_messages,
);

fn message(fence: &Fence, chat_id: ChatId, text: &str) -> NewSteering {
    NewSteering {
        message_id: MessageId::generate(),
        run_id: fence.run_id,
        chat_id,
        user_id: "u".into(),
        content: text.to_owned(),
        message: Json::parse(&format!(r#"{{"parts":[{{"type":"text","text":"{text}"}}]}}"#)).unwrap(),
        most: 3,
    }
}

async fn waits(store: &TestStore, new: NewSteering) -> Steering {
    match store.steer(new).await.unwrap() {
        Steered::Waits(steering) => steering,
        other => panic!("{other:?}"),
    }
}

fn entering(fence: &Fence, step: u32, first_sequence: u64) -> EnterSteering {
    EnterSteering { fence: fence.clone(), step, first_sequence, begun: false }
}

fn states(found: &[Steering]) -> Vec<SteeringState> {
    found.iter().map(|message| message.state).collect()
}

async fn a_message_enters_a_run_once(store: TestStore, _: Arc<TestClock>) {
    let chat = ChatId::generate();
    let fence = started(&store, begin(chat, "a")).await;
    assert!(!store.record_step(record(&fence, step(0, "zero"))).await.unwrap());
    let (first, second) = (message(&fence, chat, "one"), message(&fence, chat, "two"));
    let accepted = waits(&store, first.clone()).await;
    assert_eq!(store.steer(first.clone()).await.unwrap(), Steered::Repeated(accepted.clone()));
    assert_eq!(store.steering_message(first.message_id).await.unwrap(), Some(accepted));
    waits(&store, second.clone()).await;
    // Whoever writes a step hears of them, whether it renews the lease or not.
    assert!(store.record_step(record(&fence, step(1, "one"))).await.unwrap());
    let quiet = crate::store::RecordStep { lease: None, refresh: None, ..record(&fence, step(1, "one")) };
    assert!(store.record_step(quiet).await.unwrap());

    let entered = store.enter_steering(entering(&fence, 2, 21)).await.unwrap();
    assert_eq!(
        entered.iter().map(|message| message.message_id).collect::<Vec<_>>(),
        [first.message_id, second.message_id]
    );
    assert!(entered.iter().all(|message| message.step == Some(2)));
    // The answer may have been lost; what has come since waits for the next step.
    let third = message(&fence, chat, "three");
    waits(&store, third.clone()).await;
    assert_eq!(store.enter_steering(entering(&fence, 2, 21)).await.unwrap(), entered);
    assert_eq!(
        states(&store.steering(&SteeringOf::Run(fence.run_id)).await.unwrap()),
        [SteeringState::Entered, SteeringState::Entered, SteeringState::Waiting]
    );
    // One pack tells of them.
    let range = LogRange { from: LogFrom::Sequence(u64::MAX), packs_of_finished: false, limit: usize::MAX };
    let page = store.read_log(fence.run_id, range).await.unwrap().unwrap();
    let packs: Vec<_> =
        page.rows.iter().filter_map(|row| if let LogRow::Pack(pack) = row { Some(pack) } else { None }).collect();
    let [pack] = packs.as_slice() else { panic!("{packs:?}") };
    assert_eq!((pack.step_number, pack.first_sequence, pack.chunks.len()), (2, 21, 3));
    assert_eq!(&*pack.chunks[1], entered[0].part().get());
    assert!(store.record_step(record(&fence, step(2, "two"))).await.unwrap());
    assert_eq!(store.enter_steering(entering(&fence, 3, 31)).await.unwrap()[0].message_id, third.message_id);
    assert!(store.enter_steering(entering(&fence, 4, 41)).await.unwrap().is_empty());
}

async fn a_run_does_not_succeed_while_messages_wait(store: TestStore, _: Arc<TestClock>) {
    let chat = ChatId::generate();
    let fence = started(&store, begin(chat, "a")).await;
    let last = step(0, "zero");
    let end = |last| SettleRun { unless_steered: Some(0), ..settle(&fence, &[], Some(last)) };
    waits(&store, message(&fence, chat, "wait")).await;
    assert!(!store.settle_run(end(last.clone())).await.unwrap());
    let run = store.run(fence.run_id).await.unwrap().unwrap();
    assert_eq!((run.status, run.step_count), (RunStatus::Running, 0));
    assert!(store.steps(fence.run_id).await.unwrap().is_empty());
    store.record_step(record(&fence, last.clone())).await.unwrap();
    store.enter_steering(entering(&fence, 1, 11)).await.unwrap();
    // An attempt that comes late ends nothing.
    assert!(!store.settle_run(end(last)).await.unwrap());
    let answer = step(1, "one");
    let end = SettleRun { unless_steered: Some(1), ..settle(&fence, &[], Some(answer)) };
    assert!(store.settle_run(end.clone()).await.unwrap());
    assert!(store.settle_run(end).await.unwrap());
    assert_eq!(store.steer(message(&fence, chat, "late")).await.unwrap(), Steered::NotActive);
}

async fn what_waits_is_the_next_turn_s(store: TestStore, _: Arc<TestClock>) {
    let chat = ChatId::generate();
    let fence = started(&store, begin(chat, "a")).await;
    let texts = ["one", "two", "three"];
    let mut messages = Vec::new();
    for text in texts {
        messages.push(message(&fence, chat, text));
        waits(&store, messages.last().unwrap().clone()).await;
    }
    assert_eq!(store.steer(message(&fence, chat, "four")).await.unwrap(), Steered::TooMany);
    // An end that is none of success waits for nobody.
    let end = SettleRun { status: RunStatus::Aborted, ..settle(&fence, &[], None) };
    assert!(store.settle_run(end).await.unwrap());
    assert_eq!(store.steering(&SteeringOf::WaitingInChat(chat)).await.unwrap().len(), 3);
    // An answer that is generated anew takes none up.
    let newest = store.messages(chat, 1).await.unwrap()[0].id;
    let anew = BeginRun { replaces: Some(newest), user_message: None, ..begin(chat, "a") };
    let second = started(&store, anew).await;
    assert_eq!(store.steering(&SteeringOf::WaitingInChat(chat)).await.unwrap().len(), 3);
    store.settle_run(settle(&second, &[], None)).await.unwrap();
    // The turn that comes next is the second message's, and has the others before it.
    let own =
        NewUserMessage { id: messages[1].message_id, content: "two".into(), metadata: messages[1].message.clone() };
    let next = BeginRun { user_message: Some(own), ..begin(chat, "a") };
    let third = started(&store, next).await;
    let rows = store.messages(chat, 100).await.unwrap();
    let users: Vec<&str> =
        rows.iter().filter(|row| row.role == MessageRole::User).map(|row| row.content.as_str()).collect();
    assert_eq!(users, ["hello", "one", "three", "two"]);
    assert_eq!(rows.last().unwrap().role, MessageRole::Assistant);
    assert!(rows.windows(2).all(|pair| pair[0].created_at < pair[1].created_at));
    assert!(rows.iter().all(|row| row.workspace_id == "w"));
    let found = store.steering(&SteeringOf::Run(fence.run_id)).await.unwrap();
    assert_eq!(states(&found), [SteeringState::NextTurn; 3]);
    assert!(store.enter_steering(entering(&third, 0, 1)).await.unwrap().is_empty());
    assert!(store.steering(&SteeringOf::WaitingInChat(chat)).await.unwrap().is_empty());
}

async fn a_message_that_waits_can_be_taken_back(store: TestStore, _: Arc<TestClock>) {
    let chat = ChatId::generate();
    let fence = started(&store, begin(chat, "a")).await;
    let (first, second) = (message(&fence, chat, "one"), message(&fence, chat, "two"));
    waits(&store, first.clone()).await;
    waits(&store, second.clone()).await;
    for _ in 0..2 {
        let back = store.unsteer(first.message_id).await.unwrap().unwrap();
        assert_eq!(back.state, SteeringState::TakenBack);
    }
    assert_eq!(store.unsteer(MessageId::generate()).await.unwrap(), None);
    let entered = store.enter_steering(entering(&fence, 0, 1)).await.unwrap();
    assert_eq!(entered.iter().map(|message| message.message_id).collect::<Vec<_>>(), [second.message_id]);
    // It is in the log now.
    assert_eq!(store.unsteer(second.message_id).await.unwrap().unwrap().state, SteeringState::Entered);
    let third = message(&fence, chat, "three");
    waits(&store, third.clone()).await;
    store.unsteer(third.message_id).await.unwrap();
    // With none that waits, the run ends.
    let end = SettleRun { unless_steered: Some(0), ..settle(&fence, &[], Some(step(0, "zero"))) };
    assert!(store.settle_run(end).await.unwrap());
    // Also when its run has ended.
    assert_eq!(store.unsteer(third.message_id).await.unwrap().unwrap().state, SteeringState::TakenBack);
    let next = started(&store, begin(chat, "a")).await;
    assert!(store.enter_steering(entering(&next, 0, 1)).await.unwrap().is_empty());
    assert_eq!(store.messages(chat, 100).await.unwrap().len(), 4);
}

/// A run that waits lets others of its chat begin; what waits for it is not theirs.
async fn a_message_is_taken_by_a_run_that_goes_on_alone(store: TestStore, _: Arc<TestClock>) {
    use crate::model::Waits;
    use crate::store::{CallNote, RunPlan, SuspendRun};
    let chat = ChatId::generate();
    let plan = RunPlan { tools: vec!["t".into()], open_page: None, own: None, frees_chat: true };
    let fence = started(&store, BeginRun { plan: Some(plan), ..begin(chat, "a") }).await;
    let suspend = SuspendRun {
        fence: fence.clone(),
        step: step(0, "asks"),
        pack: None,
        waits: Waits { step: 0, taken_ms: 0, answered_at: None, calls: Vec::new() },
        call: CallNote::default(),
        assistant: settle(&fence, &[], None).assistant,
    };
    store.suspend_run(suspend).await.unwrap();
    let new = message(&fence, chat, "for the first");
    waits(&store, new.clone()).await;
    let other = started(&store, begin(chat, "a")).await;
    assert_eq!(states(&store.steering(&SteeringOf::Run(fence.run_id)).await.unwrap()), [SteeringState::Waiting]);
    assert!(!store.record_step(record(&other, step(0, "zero"))).await.unwrap());
    assert!(store.settle_run(settle(&other, &[], Some(step(1, "one")))).await.unwrap());
    assert_eq!(store.steering(&SteeringOf::WaitingInChat(chat)).await.unwrap()[0].message_id, new.message_id);
}

async fn messages_enter_under_the_fence_alone(store: TestStore, _: Arc<TestClock>) {
    let chat = ChatId::generate();
    let fence = started(&store, begin(chat, "a")).await;
    waits(&store, message(&fence, chat, "one")).await;
    let others = Fence { epoch: 7, ..fence.clone() };
    assert_eq!(code(store.enter_steering(entering(&others, 0, 1)).await), ErrorCode::LeaseLost);
    assert_eq!(states(&store.steering(&SteeringOf::Run(fence.run_id)).await.unwrap()), [SteeringState::Waiting]);
    assert!(store.settle_run(settle(&fence, &[], None)).await.unwrap());
    assert_eq!(code(store.enter_steering(entering(&fence, 0, 1)).await), ErrorCode::LeaseLost);
}

async fn a_purged_chat_leaves_none_of_its_messages(store: TestStore, _: Arc<TestClock>) {
    let (chat, other) = (ChatId::generate(), ChatId::generate());
    let (fence, kept) = (started(&store, begin(chat, "a")).await, started(&store, begin(other, "b")).await);
    let (entered, waiting, elsewhere) =
        (message(&fence, chat, "one"), message(&fence, chat, "two"), message(&kept, other, "three"));
    waits(&store, entered.clone()).await;
    store.enter_steering(entering(&fence, 0, 1)).await.unwrap();
    for new in [&waiting, &elsewhere] {
        waits(&store, new.clone()).await;
    }
    store.settle_run(settle(&fence, &[], None)).await.unwrap();
    store.delete_chat(chat).await.unwrap();
    store.purge_chats(&[chat]).await.unwrap();
    for gone in [entered.message_id, waiting.message_id] {
        assert_eq!(store.steering_message(gone).await.unwrap(), None);
    }
    assert_eq!(store.steering(&SteeringOf::WaitingInChat(chat)).await.unwrap(), []);
    assert!(store.steering_message(elsewhere.message_id).await.unwrap().is_some());
}
