use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clock::SystemClock;
use crate::error::ErrorCode;
use crate::id::{ChatId, MessageId, RunId};
use crate::log::CallDetails;
use crate::log::journal::{Due, Journal, Settlement, empty_row};
use crate::model::{Json, MessageStatus, Part, StepRecord, TextPart, ToolPart, ToolState, Trigger};
use crate::project::search_words;
use crate::store::{
    Began, BeginRun, ChatStore, LeaseStore, LogRange, LogStore, MemoryStore, RunStore, SearchFor, SqliteStore, Store,
    Sweep, file_of_the_first_version,
};

/// A run whose owner writes as `journal` says, with readers that come and go.
struct World {
    store: MemoryStore,
    journal: Journal,
    run_id: RunId,
    /// Chunks of the step in progress that were emitted.
    emitted: Vec<UiChunk>,
    step: u32,
}

async fn world() -> World {
    let store = MemoryStore::new(Arc::new(SystemClock));
    let begin = BeginRun {
        run_id: RunId::generate(),
        chat_id: ChatId::generate(),
        workspace_id: "w".into(),
        user_id: "u".into(),
        trigger: Trigger::User,
        owner: "o".into(),
        lease: Duration::from_secs(60),
        role_id: None,
        page_id: None,
        replaces: None,
        user_message: None,
        assistant_message_id: MessageId::generate(),
        assistant: empty_row(MessageStatus::Streaming),
        idempotency_key: None,
        plan: None,
        unowned: false,
        from_queue: false,
    };
    let run_id = begin.run_id;
    let Began::Started(fence) = store.begin_run(begin).await.unwrap() else { panic!("a new run") };
    World { store, journal: Journal::new(fence, None), run_id, emitted: Vec::new(), step: 0 }
}

/// Everything that a step may have: two blocks, a call with an output and one with an error.
fn step(number: u32) -> (Vec<UiChunk>, StepRecord) {
    let (text, thought) = (format!("text-{number}-1"), format!("reasoning-{number}-0"));
    let (call, more) = (|name: &str| format!("{name}{number}"), CallDetails::default);
    let input = Json::parse(r#"{"a":[1,"}"]}"#).unwrap();
    let mut chunks = vec![UiChunk::StartStep, UiChunk::ReasoningStart { id: thought.clone(), provider_metadata: None }];
    let words = ["one ", "zwei 🙂 ", "три"];
    chunks.extend(words.iter().map(|word| UiChunk::ReasoningDelta {
        id: thought.clone(),
        delta: (*word).into(),
        provider_metadata: None,
    }));
    chunks.push(UiChunk::ReasoningEnd { id: thought, provider_metadata: None });
    chunks.push(UiChunk::TextStart { id: text.clone(), provider_metadata: None });
    chunks.extend(words.iter().map(|word| UiChunk::TextDelta {
        id: text.clone(),
        delta: (*word).into(),
        provider_metadata: None,
    }));
    for name in ["a", "b"] {
        chunks.push(UiChunk::ToolInputStart { tool_call_id: call(name), tool_name: name.into(), more: more() });
        chunks.push(UiChunk::ToolInputDelta { tool_call_id: call(name), input_text_delta: "{".into() });
        chunks.push(UiChunk::ToolInputAvailable {
            tool_call_id: call(name),
            tool_name: name.into(),
            input: input.clone(),
            more: more(),
        });
    }
    chunks.push(UiChunk::TextEnd { id: text, provider_metadata: None, citations: None });
    chunks.push(UiChunk::ToolOutputError { tool_call_id: call("b"), error_text: "no".into(), more: more() });
    chunks.push(UiChunk::ToolOutputAvailable { tool_call_id: call("a"), output: Json::string("out"), more: more() });
    let tool = |name: &str, state: ToolState| Part::Tool(ToolPart::new(name, call(name), Some(input.clone()), state));
    let parts = vec![
        Part::StepStart,
        Part::Reasoning(TextPart::done(words.concat())),
        Part::Text(TextPart::done(words.concat())),
        tool("a", ToolState::OutputAvailable(Some(Json::string("out")))),
        tool("b", ToolState::OutputError("no".into())),
    ];
    let usage = Some(Usage { input_tokens: Some(3), ..Usage::default() });
    (chunks, StepRecord { number, parts, finish_reason: Some(FinishReason::Stop), usage })
}

impl World {
    /// The next thing that the owner does.
    async fn advance(&mut self, choice: u8) {
        let (chunks, record) = step(self.step);
        match choice % 4 {
            0 => {
                if let Some(pack) = self.journal.take_pack() {
                    self.store.append_pack(self.journal.fence(), &pack).await.unwrap();
                }
            }
            1 | 2 if self.emitted.len() < chunks.len() => {
                let chunk = chunks[self.emitted.len()].clone();
                self.journal.chunk(chunk.clone(), &chunk.encode().into());
                self.emitted.push(chunk);
            }
            _ => {
                // A step may end before all of its chunks were emitted one by one: the record has everything.
                let written = self.journal.record_step(record, Due::default());
                self.store.record_step(written).await.unwrap();
                self.journal.step_persisted();
                self.emitted.clear();
                self.step += 1;
            }
        }
    }

    async fn settle(&mut self, status: RunStatus) {
        let partial = (!self.emitted.is_empty()).then(|| step(self.step).1);
        let settlement = Settlement { step: partial, ..Settlement::of(status) };
        let settle = self.journal.settle(&settlement);
        self.store.settle_run(settle).await.unwrap();
    }

    async fn read(&self, reader: &mut LogReader, limit: usize, items: &mut Vec<TailItem>) -> Reached {
        let range = LogRange { limit, ..reader.wants() };
        let page = self.store.read_log(self.run_id, range).await.unwrap().unwrap();
        reader.feed(page, items)
    }

    async fn read_all(&self, from: TailFrom, limit: usize) -> Vec<TailItem> {
        let (mut reader, mut items) = (LogReader::new(from), Vec::new());
        while self.read(&mut reader, limit, &mut items).await == Reached::More {}
        items
    }
}

fn texts(items: &[TailItem]) -> Vec<&str> {
    items.iter().map(|item| &*item.chunk).collect()
}

/// What a client makes of the chunks: for each step its parts.
fn reduced(items: &[TailItem]) -> Vec<Vec<Part>> {
    let mut steps = Vec::new();
    for item in items {
        if item.chunk.contains("\"start-step\"") {
            steps.push(StepView::default());
        }
        if let (Some(view), Some(chunk)) = (steps.last_mut(), UiChunk::parse_of_step(&item.chunk)) {
            view.apply(&chunk);
        }
    }
    steps.into_iter().map(|view| view.into_record(0).parts).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_a_reader_receives_over_its_reconnects_is_the_log(
        choices in proptest::collection::vec(any::<u8>(), 0..60),
        looks in proptest::collection::vec((any::<u8>(), 1_usize..600), 60),
        aborted in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut world = world().await;
            let (mut reader, mut received) = (LogReader::new(TailFrom::Start), Vec::<TailItem>::new());
            let (mut snapshot, mut compact) = (LogReader::new(TailFrom::Snapshot), Vec::<TailItem>::new());
            let mut steps = Vec::new();
            for (choice, (look, limit)) in choices.iter().zip(looks) {
                world.advance(*choice).await;
                // It loses what was on its way, and comes back for what follows what it has.
                if look % 5 == 0 && !received.is_empty() {
                    received.truncate(received.len().saturating_sub(usize::from(look) % 7).max(1));
                    reader = LogReader::new(TailFrom::After(received.last().unwrap().cursor));
                }
                if look % 3 == 0 {
                    world.read(&mut reader, limit, &mut received).await;
                }
                if look % 7 == 0 && !compact.is_empty() {
                    compact.truncate(compact.len().saturating_sub(usize::from(look) % 5).max(1));
                    snapshot = LogReader::new(TailFrom::After(compact.last().unwrap().cursor));
                }
                if look % 11 == 0 {
                    world.read(&mut snapshot, limit, &mut compact).await;
                }
            }
            let partial = !world.emitted.is_empty();
            world.settle(if aborted { RunStatus::Aborted } else { RunStatus::Succeeded }).await;
            for number in 0..world.step + u32::from(partial) {
                steps.push(step(number).1.parts);
            }
            while world.read(&mut reader, 50, &mut received).await == Reached::More {}
            while world.read(&mut snapshot, 50, &mut compact).await == Reached::More {}

            let log = world.read_all(TailFrom::Start, usize::MAX).await;
            assert_eq!(texts(&received), texts(&log));
            for (number, item) in log.iter().enumerate() {
                assert_eq!(item.cursor, Cursor { sequence: number as u64, ..Cursor::default() }, "a gap");
                assert!(!item.resync);
            }
            assert_eq!(reduced(&log), steps);
            assert_eq!(reduced(&compact), steps);
            assert!(compact.iter().all(|item| !item.resync));
            let ends = |items: &[TailItem]| items.iter().filter(|item| item.chunk.contains("\"finish\"") || item.chunk.contains("\"abort\"")).count();
            assert_eq!((ends(&received), ends(&compact)), (1, 1));
            assert_eq!(reduced(&world.read_all(TailFrom::Snapshot, 1).await), steps);

            // From every place, also once the packs are gone; then places in the middle of a step begin anew.
            for item in log.iter().step_by(5) {
                let rest = world.read_all(TailFrom::After(item.cursor), 300).await;
                assert_eq!(texts(&rest), texts(&log[item.cursor.sequence as usize + 1..]));
            }
            world.store.trim_packs(Duration::ZERO).await.unwrap();
            let whole = world.read_all(TailFrom::Snapshot, 300).await;
            for item in log.iter().step_by(5) {
                let rest = world.read_all(TailFrom::After(item.cursor), 300).await;
                if rest.first().is_some_and(|first| first.resync) {
                    assert_eq!(texts(&rest), texts(&whole));
                    assert!(rest[1..].iter().all(|item| !item.resync));
                } else {
                    let known: Vec<TailItem> = log[..=item.cursor.sequence as usize].iter().chain(&rest).cloned().collect();
                    assert_eq!(reduced(&known), steps);
                }
            }
            for (place, item) in whole.iter().enumerate().step_by(3) {
                let rest = world.read_all(TailFrom::After(item.cursor), 300).await;
                assert_eq!(texts(&rest), texts(&whole[place + 1..]));
            }
        });
    }
}

#[tokio::test]
async fn a_place_that_nobody_was_given_begins_anew() {
    let mut world = world().await;
    world.advance(3).await;
    world.settle(RunStatus::Succeeded).await;
    let items = world.read_all(TailFrom::After(Cursor { sequence: 99, ..Cursor::default() }), usize::MAX).await;
    assert!(items[0].resync && items[0].chunk.contains("\"start\""));
    assert_eq!(reduced(&items), [step(0).1.parts]);
}

#[tokio::test]
async fn a_place_ahead_of_the_disk_is_waited_for() {
    let mut world = world().await;
    for choice in [1, 1, 0, 1, 1] {
        world.advance(choice).await;
    }
    // A live stream has told chunks 1 to 4, of which two are on disk.
    let mut reader = LogReader::new(TailFrom::After(Cursor { sequence: 4, ..Cursor::default() }));
    let mut items = Vec::new();
    assert_eq!(world.read(&mut reader, usize::MAX, &mut items).await, Reached::Present);
    assert!(items.is_empty());
    for choice in [0, 1, 0] {
        world.advance(choice).await;
    }
    assert_eq!(world.read(&mut reader, usize::MAX, &mut items).await, Reached::Present);
    let cursors: Vec<_> = items.iter().map(|item| (item.cursor.sequence, item.resync)).collect();
    assert_eq!(cursors, [(5, false)]);
}

#[test]
fn cursors_are_text() {
    for text in ["0", "17", "17+3"] {
        assert_eq!(text.parse::<Cursor>().unwrap().to_string(), text);
    }
    for text in ["", "-1", "+3", "1+", "1+2+3", "x", " 1", "1+-2", "99999999999999999999"] {
        assert_eq!(text.parse::<Cursor>().unwrap_err().code(), ErrorCode::InvalidInput, "{text}");
    }
}

/// A file of the version before, with a finished run and one whose owner is gone.
#[tokio::test]
async fn a_file_of_the_first_version_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chats.db");
    let old = file_of_the_first_version(&path);
    let [chat, message, done, left] = std::array::from_fn(|_| uuid::Uuid::now_v7().to_string());
    let now = "2026-07-01T12:34:56.789Z";
    old.execute_batch(&format!(
        "INSERT INTO ai_chats (id, workspace_id, creator_id, created_at, updated_at) \
         VALUES ('{chat}', 'w', 'u', '{now}', '{now}'); \
         INSERT INTO ai_chat_messages (id, chat_id, workspace_id, role, content, status, created_at, updated_at) \
         VALUES ('{message}', '{chat}', 'w', 'assistant', 'ab', 'completed', '{now}', '{now}'); \
         INSERT INTO ai_chat_runs (id, chat_id, workspace_id, created_by, trigger, status, step_count, \
         assistant_message_id, created_at, updated_at) \
         VALUES ('{done}', '{chat}', 'w', 'u', 'user', 'succeeded', 2, '{message}', '{now}', '{now}'), \
         ('{left}', '{chat}', 'w', 'u', 'user', 'running', 0, NULL, '{now}', '{now}'); \
         INSERT INTO ai_chat_run_steps (run_id, step_number, epoch, state, parts, created_at) VALUES \
         ('{done}', 0, 1, 'finished', '[{{\"type\":\"text\",\"text\":\"a\"}}]', '{now}'), \
         ('{done}', 1, 1, 'finished', '[{{\"type\":\"text\",\"text\":\"b\"}}]', '{now}'), \
         ('{left}', 0, 1, 'intent', '[]', '{now}')"
    ))
    .unwrap();
    drop(old);

    let store = SqliteStore::open(path.to_str().unwrap(), "x/own", Arc::new(SystemClock)).await.unwrap();
    let run_id: RunId = done.parse().unwrap();
    let steps = store.steps(run_id).await.unwrap();
    assert_eq!(steps.iter().map(|logged| logged.step.text()).collect::<String>(), "ab");
    assert!(!store.steps(left.parse().unwrap()).await.unwrap()[0].finished);
    // Its log can be followed like any other, and from any place that it gives out.
    let read = async |from: TailFrom| {
        let (mut reader, mut items) = (LogReader::new(from), Vec::new());
        while reader.feed(store.read_log(run_id, reader.wants()).await.unwrap().unwrap(), &mut items) == Reached::More {
        }
        items
    };
    let all = read(TailFrom::Start).await;
    let told: Vec<&str> = all.iter().map(|item| &*item.chunk).filter(|chunk| chunk.contains("delta")).collect();
    assert_eq!(told.len(), 2);
    for (place, item) in all.iter().enumerate() {
        assert_eq!(read(TailFrom::After(item.cursor)).await, all[place + 1..]);
    }
    let begun = store.claim_abandoned(Sweep::new("x/own", Duration::from_secs(15))).await.unwrap();
    assert_eq!(begun.len(), 1);
    // Its messages are found by their words, too.
    let (workspace_id, user_id) = ("w".to_owned(), "u".to_owned());
    let words = search_words("AB");
    let search = SearchFor { workspace_id, user_id, chat_id: None, words, before: None, limit: 9 };
    assert_eq!(store.search_messages(&search).await.unwrap().len(), 1);
    store.close().await.unwrap();
}
