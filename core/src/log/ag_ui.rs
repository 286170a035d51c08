//! A run's log as events of AG-UI 1.0. Pure: each chunk leads to the events that it stands for.
//!
//! Whether a call's input has streamed, and which messages are open, is known from what came before; so whoever goes on
//! behind a place is told nothing of what comes before it, but that is read all the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

/// What of a run's events depends on what was told before.
#[derive(Debug, Default)]
pub(crate) struct AgUi {
    thread_id: String,
    run_id: String,
    message_id: String,
    /// The step in progress, from 1, and whether it has begun.
    step: u32,
    in_step: bool,
    /// Messages that are open, by their ids, in order: `true` for reasoning.
    open: BTreeMap<String, bool>,
    /// Calls whose input streams, or has streamed.
    calls: BTreeMap<String, Call>,
    /// What somebody is asked.
    asked: Vec<Value>,
    usage: Option<Value>,
    /// Which kind of failure it was.
    failure: Option<Value>,
    over: bool,
}

#[derive(Debug, Default)]
struct Call {
    name: String,
    closed: bool,
    done: bool,
}

/// Events of one chunk.
struct Events(Vec<Value>);

impl Events {
    fn add(&mut self, event: Value) {
        self.0.push(event);
    }
}

fn text<'v>(chunk: &'v Value, member: &str) -> &'v str {
    chunk[member].as_str().unwrap_or_default()
}

/// A value as the text of a result: text as it is, everything else as JSON.
fn content(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl AgUi {
    /// The events that a chunk stands for: none, one, or some.
    pub(crate) fn tell(&mut self, chunk: &str) -> Vec<Arc<str>> {
        let Ok(chunk) = serde_json::from_str::<Value>(chunk) else { return Vec::new() };
        if self.over {
            return Vec::new();
        }
        let mut events = Events(Vec::new());
        self.translate(&chunk, &mut events);
        events.0.iter().map(|event| event.to_string().into()).collect()
    }

    fn translate(&mut self, chunk: &Value, events: &mut Events) {
        match text(chunk, "type") {
            "start" => self.start(chunk, events),
            "start-step" => {
                self.end_step(events);
                self.step += 1;
                self.in_step = true;
                events.add(json!({"type": "STEP_STARTED", "stepName": self.step_name()}));
            }
            "finish-step" => self.end_step(events),
            "text-start" | "reasoning-start" => self.open(chunk, events),
            "text-delta" | "reasoning-delta" => self.delta(chunk, events),
            "text-end" | "reasoning-end" => {
                let id = self.block(chunk);
                self.close(&id, events);
            }
            "tool-input-start" => self.begin_call(chunk, events),
            "tool-input-delta" => {
                let (call_id, delta) = (text(chunk, "toolCallId"), text(chunk, "inputTextDelta"));
                if !delta.is_empty() && self.calls.get(call_id).is_some_and(|call| !call.closed) {
                    events.add(json!({"type": "TOOL_CALL_ARGS", "toolCallId": call_id, "delta": delta}));
                }
            }
            "tool-input-available" | "tool-input-error" => self.end_call(chunk, events),
            "tool-output-available" if chunk["preliminary"] == json!(true) => {
                let value = json!({"toolCallId": chunk["toolCallId"], "output": chunk["output"]});
                events.add(json!({"type": "CUSTOM", "name": "tool-progress", "value": value}));
            }
            "tool-output-available" => self.result(chunk, &content(&chunk["output"]), events),
            "tool-output-error" => self.result(chunk, text(chunk, "errorText"), events),
            "tool-output-denied" => self.result(chunk, "The call was not allowed.", events),
            "tool-approval-request" => self.ask(chunk),
            "data-steering" => self.steering(chunk, events),
            "message-metadata" => self.hear(chunk, events),
            "finish" => self.finish(chunk, events),
            "abort" => self.end(json!({"type": "cancelled"}), events),
            "error" => {
                self.close_all(events);
                let mut event = json!({"type": "RUN_ERROR", "message": text(chunk, "errorText")});
                let code = self.failure.take();
                add(&mut event, "code", code);
                self.tell_usage(&mut event);
                events.add(event);
                self.over = true;
            }
            // Sources, files, data, and whatever is new.
            name => {
                let mut value = chunk.clone();
                if let Some(members) = value.as_object_mut() {
                    members.remove("type");
                }
                events.add(json!({"type": "CUSTOM", "name": name, "value": value}));
            }
        }
    }

    fn start(&mut self, chunk: &Value, events: &mut Events) {
        let told = &chunk["messageMetadata"];
        self.thread_id = text(told, "chatId").to_owned();
        self.run_id = text(told, "runId").to_owned();
        self.message_id = text(chunk, "messageId").to_owned();
        events.add(json!({"type": "RUN_STARTED", "threadId": self.thread_id, "runId": self.run_id}));
    }

    fn step_name(&self) -> String {
        format!("step-{}", self.step)
    }

    fn end_step(&mut self, events: &mut Events) {
        if std::mem::take(&mut self.in_step) {
            self.close_all(events);
            events.add(json!({"type": "STEP_FINISHED", "stepName": self.step_name()}));
        }
    }

    /// The id of the message that a block is.
    fn block(&self, chunk: &Value) -> String {
        format!("{}-{}", self.message_id, text(chunk, "id"))
    }

    fn open(&mut self, chunk: &Value, events: &mut Events) {
        let id = self.block(chunk);
        let is_reasoning = text(chunk, "type").starts_with("reasoning");
        if self.open.insert(id.clone(), is_reasoning).is_some() {
            return;
        }
        if is_reasoning {
            events.add(json!({"type": "REASONING_START", "messageId": id}));
            events.add(json!({"type": "REASONING_MESSAGE_START", "messageId": id, "role": "reasoning"}));
        } else {
            events.add(json!({"type": "TEXT_MESSAGE_START", "messageId": id, "role": "assistant"}));
        }
    }

    fn delta(&mut self, chunk: &Value, events: &mut Events) {
        let (id, delta) = (self.block(chunk), text(chunk, "delta"));
        // An empty one is no event.
        let Some(is_reasoning) = self.open.get(&id).filter(|_| !delta.is_empty()) else { return };
        let kind = if *is_reasoning { "REASONING_MESSAGE_CONTENT" } else { "TEXT_MESSAGE_CONTENT" };
        events.add(json!({"type": kind, "messageId": id, "delta": delta}));
    }

    fn close(&mut self, id: &str, events: &mut Events) {
        match self.open.remove(id) {
            Some(true) => {
                events.add(json!({"type": "REASONING_MESSAGE_END", "messageId": id}));
                events.add(json!({"type": "REASONING_END", "messageId": id}));
            }
            Some(false) => events.add(json!({"type": "TEXT_MESSAGE_END", "messageId": id})),
            None => {}
        }
    }

    fn close_all(&mut self, events: &mut Events) {
        let ids: Vec<String> = self.open.keys().cloned().collect();
        for id in ids {
            self.close(&id, events);
        }
        for (call_id, call) in self.calls.iter_mut().filter(|(_, call)| !call.closed) {
            call.closed = true;
            events.add(json!({"type": "TOOL_CALL_END", "toolCallId": call_id}));
        }
    }

    fn begin_call(&mut self, chunk: &Value, events: &mut Events) {
        let (call_id, name) = (text(chunk, "toolCallId"), text(chunk, "toolName"));
        if self.calls.contains_key(call_id) {
            return;
        }
        self.calls.insert(call_id.to_owned(), Call { name: name.to_owned(), ..Call::default() });
        let parent = &self.message_id;
        let event = json!({
            "type": "TOOL_CALL_START", "toolCallId": call_id, "toolCallName": name, "parentMessageId": parent,
        });
        events.add(event);
    }

    fn end_call(&mut self, chunk: &Value, events: &mut Events) {
        let call_id = text(chunk, "toolCallId");
        if !self.calls.contains_key(call_id) {
            self.begin_call(chunk, events);
            let delta = content(&chunk["input"]);
            if !delta.is_empty() {
                events.add(json!({"type": "TOOL_CALL_ARGS", "toolCallId": call_id, "delta": delta}));
            }
        }
        if let Some(call) = self.calls.get_mut(call_id).filter(|call| !call.closed) {
            call.closed = true;
            events.add(json!({"type": "TOOL_CALL_END", "toolCallId": call_id}));
        }
    }

    fn ask(&mut self, chunk: &Value) {
        let call_id = text(chunk, "toolCallId");
        let name = self.calls.get(call_id).map(|call| call.name.clone()).unwrap_or_default();
        self.asked.push(json!({
            "id": call_id, "reason": "tool_approval", "toolCallId": call_id, "message": format!("May {name} be called?"),
        }));
    }

    fn result(&mut self, chunk: &Value, content: &str, events: &mut Events) {
        let call_id = text(chunk, "toolCallId");
        if let Some(call) = self.calls.get_mut(call_id) {
            call.done = true;
        }
        events.add(json!({
            "type": "TOOL_CALL_RESULT", "messageId": format!("{call_id}-result"), "toolCallId": call_id, "role": "tool",
            "content": content,
        }));
    }

    fn steering(&self, chunk: &Value, events: &mut Events) {
        let (id, words) = (text(chunk, "id"), said(&chunk["data"]));
        events.add(json!({"type": "TEXT_MESSAGE_START", "messageId": id, "role": "user"}));
        if !words.is_empty() {
            events.add(json!({"type": "TEXT_MESSAGE_CONTENT", "messageId": id, "delta": words}));
        }
        events.add(json!({"type": "TEXT_MESSAGE_END", "messageId": id}));
    }

    /// Usage is told at the end; what else a message has, at once.
    fn hear(&mut self, chunk: &Value, events: &mut Events) {
        let Some(told) = chunk["messageMetadata"].as_object() else { return };
        let mut rest = told.clone();
        if let Some(usage) = rest.remove("usage") {
            self.usage = Some(usage);
        }
        if let Some(kind) = rest.get("failure").map(|failure| &failure["kind"]).filter(|kind| kind.is_string()) {
            self.failure = Some(kind.clone());
        }
        if !rest.is_empty() {
            events.add(json!({"type": "CUSTOM", "name": "message-metadata", "value": rest}));
        }
    }

    fn finish(&mut self, chunk: &Value, events: &mut Events) {
        let told = &chunk["messageMetadata"];
        if told["usage"].is_object() {
            self.usage = Some(told["usage"].clone());
        }
        if told["waiting"] != json!(true) {
            return self.end(json!({"type": "success"}), events);
        }
        let is_open = |asked: &Value| self.calls.get(text(asked, "toolCallId")).is_none_or(|call| !call.done);
        let asked: Vec<&Value> = self.asked.iter().filter(|asked| is_open(asked)).collect();
        // A question, or a tool of the client's: what is asked is the call itself.
        let pending: Vec<&String> =
            self.calls.iter().filter(|(_, call)| !call.done).map(|(call_id, _)| call_id).collect();
        let outcome = match asked.is_empty() {
            true => json!({"type": "success", "pendingToolCallIds": pending}),
            false => json!({"type": "interrupt", "interrupts": asked}),
        };
        self.end(outcome, events);
    }

    fn end(&mut self, outcome: Value, events: &mut Events) {
        self.end_step(events);
        self.close_all(events);
        let mut event = json!({
            "type": "RUN_FINISHED", "threadId": self.thread_id, "runId": self.run_id, "outcome": outcome,
        });
        self.tell_usage(&mut event);
        events.add(event);
        self.over = true;
    }

    fn tell_usage(&self, event: &mut Value) {
        add(event, "usage", self.usage.as_ref().map(|usage| json!([usage])));
    }
}

fn add(event: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(members), Some(value)) = (event.as_object_mut(), value) {
        members.insert(name.to_owned(), value);
    }
}

/// The words of a user's message.
fn said(message: &Value) -> String {
    let parts = message["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let words: Vec<&str> =
        parts.iter().filter(|part| text(part, "type") == "text").map(|part| text(part, "text")).collect();
    words.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(chunks: &[Value]) -> Vec<Value> {
        let mut projection = AgUi::default();
        let events = chunks.iter().flat_map(|chunk| projection.tell(&chunk.to_string()));
        events.map(|event| serde_json::from_str(&event).unwrap()).collect()
    }

    fn types(events: &[Value]) -> Vec<&str> {
        events.iter().map(|event| text(event, "type")).collect()
    }

    fn start() -> Value {
        json!({"type": "start", "messageId": "m", "messageMetadata": {"chatId": "c", "runId": "r"}})
    }

    #[test]
    fn a_whole_answer_is_in_the_order_that_clients_ask_for() {
        let events = told(&[
            start(),
            json!({"type": "start-step"}),
            json!({"type": "reasoning-start", "id": "r0"}),
            json!({"type": "reasoning-delta", "id": "r0", "delta": "hm"}),
            json!({"type": "reasoning-end", "id": "r0"}),
            json!({"type": "text-start", "id": "t0"}),
            json!({"type": "text-delta", "id": "t0", "delta": ""}),
            json!({"type": "text-delta", "id": "t0", "delta": "hi"}),
            json!({"type": "text-end", "id": "t0"}),
            json!({"type": "tool-input-start", "toolCallId": "1", "toolName": "look"}),
            json!({"type": "tool-input-delta", "toolCallId": "1", "inputTextDelta": "{}"}),
            json!({"type": "tool-input-available", "toolCallId": "1", "toolName": "look", "input": {}}),
            json!({"type": "tool-input-available", "toolCallId": "2", "toolName": "look", "input": {"a": 1}}),
            json!({"type": "tool-output-available", "toolCallId": "1", "output": {"b": 2}}),
            json!({"type": "tool-output-error", "toolCallId": "2", "errorText": "no"}),
            json!({"type": "finish-step"}),
            json!({"type": "message-metadata", "messageMetadata": {"usage": {"inputTokens": 1}}}),
            json!({"type": "finish", "finishReason": "stop", "messageMetadata": {"status": "completed"}}),
        ]);
        assert_eq!(
            types(&events),
            [
                "RUN_STARTED",
                "STEP_STARTED",
                "REASONING_START",
                "REASONING_MESSAGE_START",
                "REASONING_MESSAGE_CONTENT",
                "REASONING_MESSAGE_END",
                "REASONING_END",
                "TEXT_MESSAGE_START",
                "TEXT_MESSAGE_CONTENT",
                "TEXT_MESSAGE_END",
                "TOOL_CALL_START",
                "TOOL_CALL_ARGS",
                "TOOL_CALL_END",
                "TOOL_CALL_START",
                "TOOL_CALL_ARGS",
                "TOOL_CALL_END",
                "TOOL_CALL_RESULT",
                "TOOL_CALL_RESULT",
                "STEP_FINISHED",
                "RUN_FINISHED",
            ]
        );
        assert_eq!(events[14]["delta"], r#"{"a":1}"#);
        assert_eq!(events[16]["content"], r#"{"b":2}"#);
        assert_eq!(events[19]["outcome"], json!({"type": "success"}));
        assert_eq!(events[19]["usage"], json!([{"inputTokens": 1}]));
    }

    #[test]
    fn what_is_cut_off_is_closed_before_the_run_ends() {
        let cut = [
            start(),
            json!({"type": "start-step"}),
            json!({"type": "text-start", "id": "t0"}),
            json!({"type": "tool-input-start", "toolCallId": "1", "toolName": "look"}),
        ];
        let with = |last: Value| told(&[&cut[..], &[last]].concat());
        let aborted = with(json!({"type": "abort"}));
        assert_eq!(
            types(&aborted)[4..],
            ["TEXT_MESSAGE_END", "TOOL_CALL_END", "STEP_FINISHED", "RUN_FINISHED"],
            "{aborted:?}"
        );
        assert_eq!(aborted[7]["outcome"], json!({"type": "cancelled"}));
        let failed = with(json!({"type": "error", "errorText": "no"}));
        assert_eq!(types(&failed)[4..], ["TEXT_MESSAGE_END", "TOOL_CALL_END", "RUN_ERROR"]);
    }

    #[test]
    fn nothing_comes_behind_the_end() {
        let events = told(&[start(), json!({"type": "error", "errorText": "no"}), json!({"type": "finish"})]);
        assert_eq!(types(&events), ["RUN_STARTED", "RUN_ERROR"]);
    }

    #[test]
    fn a_call_that_waits_for_leave_is_an_interrupt() {
        let events = told(&[
            start(),
            json!({"type": "tool-input-available", "toolCallId": "1", "toolName": "write", "input": {}}),
            json!({"type": "tool-approval-request", "approvalId": "approval-1", "toolCallId": "1"}),
            json!({"type": "finish", "messageMetadata": {"waiting": true}}),
        ]);
        let outcome = &events.last().unwrap()["outcome"];
        assert_eq!(outcome["type"], "interrupt");
        assert_eq!(outcome["interrupts"][0]["toolCallId"], "1");
        assert_eq!(outcome["interrupts"][0]["id"], "1");
    }

    #[test]
    fn a_call_that_waits_for_its_client_is_pending_whatever_was_answered_before() {
        let events = told(&[
            start(),
            json!({"type": "tool-input-available", "toolCallId": "1", "toolName": "write", "input": {}}),
            json!({"type": "tool-approval-request", "approvalId": "approval-1", "toolCallId": "1"}),
            json!({"type": "tool-output-available", "toolCallId": "1", "output": "done"}),
            json!({"type": "tool-input-available", "toolCallId": "2", "toolName": "ask", "input": {}}),
            json!({"type": "finish", "messageMetadata": {"waiting": true}}),
        ]);
        let outcome = json!({"type": "success", "pendingToolCallIds": ["2"]});
        assert_eq!(events.last().unwrap()["outcome"], outcome);
    }

    #[test]
    fn whatever_is_none_of_the_protocol_s_is_an_event_of_its_own() {
        let events =
            told(&[start(), json!({"type": "source-url", "sourceId": "s", "url": "u"}), json!({"nothing": 1})]);
        assert_eq!(events[1], json!({"type": "CUSTOM", "name": "source-url", "value": {"sourceId": "s", "url": "u"}}));
        assert_eq!(types(&events), ["RUN_STARTED", "CUSTOM", "CUSTOM"]);
    }
}
