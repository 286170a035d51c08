//! The logs of runs.

use std::sync::Arc;
use std::time::Duration;

use crate::error::ErrorCode;
use crate::id::{ChatId, RunId};
use crate::model::{FinishReason, MessageStatus, RunReason, RunStatus, StepRecord};
use crate::store::{ChunkPack, LogFrom, LogPage, LogRange, LogRow, RecordStep, SettleRun, Sweep};

use super::{LEASE, TestClock, TestStore, begin, code, numbers, record, settle, started, step};

fn pack(step_number: u32, first_sequence: u64, texts: &[&str]) -> ChunkPack {
    let chunks = texts.iter().map(|text| format!("{{\"text\":\"{text}\"}}").into()).collect();
    ChunkPack { step_number, first_sequence, chunks }
}

fn range(from: LogFrom) -> LogRange {
    LogRange { from, packs_of_finished: true, limit: usize::MAX }
}

on_every_store![
    a_turn_is_written_and_read_back,
    writes_under_an_old_fence_change_nothing,
    the_log_is_read_in_order_from_any_place,
];

async fn a_turn_is_written_and_read_back(store: TestStore, clock: Arc<TestClock>) {
    let chat_id = ChatId::generate();
    let begun = begin(chat_id, "a");
    let (run_id, message_id) = (begun.run_id, begun.assistant_message_id);
    let fence = started(&store, begun).await;
    clock.advance(Duration::from_millis(5));
    store.record_intent(&fence, &step(0, "intent")).await.unwrap();
    assert!(!store.steps(run_id).await.unwrap()[0].finished);
    store.record_step(record(&fence, step(0, "one"))).await.unwrap();
    store.record_step(record(&fence, step(0, "never changes again"))).await.unwrap();
    let both = [step(0, "one"), step(1, "two")];
    store.settle_run(settle(&fence, &both, Some(step(1, "two")))).await.unwrap();
    store.settle_run(settle(&fence, &both, None)).await.unwrap();

    let run = store.run(run_id).await.unwrap().unwrap();
    assert_eq!((run.status, run.step_count, run.reason), (RunStatus::Succeeded, 2, None));
    assert!(run.finished_at.unwrap() > run.created_at);
    assert_eq!(store.latest_run(chat_id).await.unwrap().unwrap(), run);
    assert_eq!(store.run_of_message(message_id).await.unwrap().unwrap(), run);
    let steps: Vec<StepRecord> = store.steps(run_id).await.unwrap().into_iter().map(|logged| logged.step).collect();
    assert_eq!(steps, both);
    let messages = store.messages(chat_id, 10).await.unwrap();
    assert_eq!((messages[0].content.as_str(), messages[1].content.as_str()), ("hello", "onetwo"));
    assert_eq!(messages[1].status, Some(MessageStatus::Completed));
    assert_eq!(store.messages(chat_id, 1).await.unwrap(), messages[1..]);
    let chat = store.chat(chat_id).await.unwrap().unwrap();
    assert_eq!((chat.creator_id.as_str(), chat.page_id.as_deref()), ("u", Some("p")));
}

async fn writes_under_an_old_fence_change_nothing(store: TestStore, clock: Arc<TestClock>) {
    let chat_id = ChatId::generate();
    let old = started(&store, begin(chat_id, "a")).await;
    store.record_step(record(&old, step(0, "kept"))).await.unwrap();
    clock.advance(LEASE);
    let claimed = store.claim_abandoned(Sweep::new("b", LEASE)).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].fence.epoch, old.epoch + 1);

    assert_eq!(code(store.record_step(record(&old, step(1, "stale"))).await), ErrorCode::LeaseLost);
    let untouched = RecordStep { lease: None, refresh: None, ..record(&old, step(1, "stale")) };
    assert_eq!(code(store.record_step(untouched).await), ErrorCode::LeaseLost);
    assert_eq!(code(store.append_pack(&old, &pack(1, 11, &["stale"])).await), ErrorCode::LeaseLost);
    assert_eq!(code(store.record_intent(&old, &step(1, "stale")).await), ErrorCode::LeaseLost);
    assert_eq!(code(store.settle_run(settle(&old, &[], Some(step(1, "stale")))).await), ErrorCode::LeaseLost);
    assert_eq!(store.renew_leases("a", &[old.run_id], LEASE).await.unwrap().lost, [old.run_id]);
    assert_eq!(store.steps(old.run_id).await.unwrap().len(), 1);
    assert_eq!(store.messages(chat_id, 9).await.unwrap()[1].content, "kept");

    let lost = SettleRun {
        status: RunStatus::Aborted,
        reason: Some(RunReason::WorkerLost),
        ..settle(&claimed[0].fence, &[step(0, "kept")], None)
    };
    store.settle_run(lost).await.unwrap();
    let run = store.run(old.run_id).await.unwrap().unwrap();
    assert_eq!((run.status, run.reason, run.step_count), (RunStatus::Aborted, Some(RunReason::WorkerLost), 1));
}

async fn the_log_is_read_in_order_from_any_place(store: TestStore, clock: Arc<TestClock>) {
    assert_eq!(store.read_log(RunId::generate(), range(LogFrom::Sequence(0))).await.unwrap(), None);
    let fence = started(&store, begin(ChatId::generate(), "a")).await;
    let read = |range: LogRange| {
        let store = Arc::clone(&store);
        async move { store.read_log(fence.run_id, range).await.unwrap().unwrap() }
    };
    let shape = |page: &LogPage| -> Vec<String> {
        let row = |row: &LogRow| match row {
            LogRow::Pack(pack) => format!("pack {} of {}", pack.first_sequence, pack.step_number),
            LogRow::Step(logged) => format!("step {}", logged.step.number),
        };
        page.rows.iter().map(row).collect()
    };
    let page = read(range(LogFrom::Sequence(0))).await;
    assert_eq!((page.rows.len(), page.complete, page.start.unwrap().first_sequence), (0, true, 1));

    let owner = fence.clone();
    for pack in [pack(0, 1, &["a", "b"]), pack(0, 3, &["c"]), pack(0, 3, &["never changes"])] {
        store.append_pack(&owner, &pack).await.unwrap();
    }
    store.record_intent(&owner, &step(0, "intent")).await.unwrap();
    assert_eq!(shape(&read(range(LogFrom::Sequence(0))).await), ["pack 1 of 0", "pack 3 of 0"]);
    store.record_step(record(&owner, step(0, "one"))).await.unwrap();
    store.record_step(RecordStep { lease: None, refresh: None, ..record(&owner, step(1, "two")) }).await.unwrap();
    assert_eq!(store.run(owner.run_id).await.unwrap().unwrap().step_count, 2);
    store.append_pack(&owner, &pack(2, 21, &["x"])).await.unwrap();

    let page = read(range(LogFrom::Sequence(0))).await;
    assert_eq!(shape(&page), ["pack 1 of 0", "pack 3 of 0", "step 0", "step 1", "pack 21 of 2"]);
    let LogRow::Pack(second) = &page.rows[1] else { panic!("a pack") };
    assert_eq!(*second, pack(0, 3, &["c"]));
    let LogRow::Step(logged) = &page.rows[3] else { panic!("a step") };
    assert_eq!((logged.numbers, logged.finished), (Some(numbers(1)), true));
    let compact = LogRange { packs_of_finished: false, ..range(LogFrom::Sequence(0)) };
    assert_eq!(shape(&read(compact).await), ["step 0", "step 1", "pack 21 of 2"]);

    // In the middle of a step, at the beginning of one, at the present and beyond it.
    for (wanted, first, start, tokens) in [
        (5, "pack 1 of 0", 1, None),
        (11, "step 1", 11, Some(1)),
        (21, "pack 21 of 2", 21, Some(2)),
        (99, "pack 21 of 2", 21, Some(2)),
    ] {
        let page = read(range(LogFrom::Sequence(wanted))).await;
        assert_eq!(shape(&page)[0], first);
        let at = page.start.unwrap();
        assert_eq!((at.first_sequence, at.usage.and_then(|usage| usage.input_tokens)), (start, tokens));
        assert_eq!(at.finish_reason, tokens.map(|_| FinishReason::Stop));
    }
    // Row by row.
    let mut place = (0, 1);
    let mut rows = Vec::new();
    loop {
        let from = LogFrom::Place { step: place.0, sequence: place.1 };
        let page = read(LogRange { limit: 1, ..range(from) }).await;
        assert_eq!(page.start, None);
        match page.rows.first() {
            Some(LogRow::Pack(pack)) => place.1 = pack.first_sequence + pack.chunks.len() as u64,
            Some(LogRow::Step(logged)) => place = (logged.step.number + 1, logged.numbers.unwrap().next),
            None => break,
        }
        assert_eq!(page.rows.len(), 1);
        rows.extend(page.rows);
    }
    assert_eq!(rows, read(range(LogFrom::Sequence(0))).await.rows);

    store.settle_run(settle(&owner, &[], None)).await.unwrap();
    store.trim_packs(LEASE).await.unwrap();
    assert_eq!(read(range(LogFrom::Sequence(0))).await.rows.len(), 5);
    clock.advance(LEASE);
    store.trim_packs(LEASE).await.unwrap();
    assert_eq!(shape(&read(range(LogFrom::Sequence(0))).await), ["step 0", "step 1", "pack 21 of 2"]);
}
