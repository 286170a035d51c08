//! The hand of a newer version: whatever engines whose names begin with `newer` write gets words, kinds of parts and
//! members in the same transaction that this version knows nothing of. What it has put where is noted in a table of its
//! own, `newer_words`, in which nobody else writes.

use turnkeep_tests::stage::Stage;

/// A kind of part that nobody knows here.
const PART: &str = r#"{"type":"hologram","url":"https://example.com/h","depth":{"layers":3}}"#;
/// A member that nobody knows here.
const MEMBER: &str = r#"{"v":2,"mood":["calm"]}"#;
const FAILURE: &str = r#"{"kind":"budget","retryable":false,"message":"enough","advice":{"wait":1}}"#;

const SQLITE: &str = r"
CREATE TABLE newer_words (run_id TEXT NOT NULL, what TEXT NOT NULL, word TEXT NOT NULL, PRIMARY KEY (run_id, what));

CREATE TRIGGER newer_begins AFTER INSERT ON ai_chat_runs WHEN NEW.owner LIKE 'newer%' BEGIN
    UPDATE ai_chat_runs SET trigger = 'webhook' WHERE id = NEW.id;
    INSERT OR REPLACE INTO newer_words VALUES (NEW.id, 'trigger', 'webhook');
    UPDATE ai_chat_messages SET metadata = json_set(metadata, '$.newer', json('{MEMBER}'))
        WHERE chat_id = NEW.chat_id AND role = 'user'
        AND created_at = (SELECT MAX(created_at) FROM ai_chat_messages WHERE chat_id = NEW.chat_id AND role = 'user');
    INSERT OR REPLACE INTO newer_words SELECT NEW.id, 'said ' || id, metadata FROM ai_chat_messages
        WHERE chat_id = NEW.chat_id AND role = 'user' ORDER BY created_at DESC LIMIT 1;
END;
CREATE TRIGGER newer_waits AFTER INSERT ON ai_chat_run_queue WHEN NEW.owner LIKE 'newer%' BEGIN
    UPDATE ai_chat_run_queue SET trigger = 'webhook', user_metadata = json_set(user_metadata, '$.newer', json('{MEMBER}'))
        WHERE id = NEW.id;
    INSERT OR REPLACE INTO newer_words VALUES (NEW.id, 'trigger', 'webhook');
END;
CREATE TRIGGER newer_settles AFTER UPDATE OF status ON ai_chat_runs
WHEN NEW.owner LIKE 'newer%' AND OLD.status IN ('pending', 'running') AND NEW.status NOT IN ('pending', 'running') BEGIN
    UPDATE ai_chat_runs SET reason = CASE NEW.status WHEN 'aborted' THEN 'preempted' ELSE 'goal_met' END,
        failure = CASE NEW.status WHEN 'aborted' THEN '{FAILURE}' END WHERE id = NEW.id;
    INSERT OR REPLACE INTO newer_words
        SELECT id, 'end', reason || COALESCE(failure, '') FROM ai_chat_runs WHERE id = NEW.id;
END;
CREATE TRIGGER newer_stops AFTER UPDATE OF stop_requested_at ON ai_chat_runs
WHEN OLD.stop_requested_at IS NULL AND NEW.stop_requested_at IS NOT NULL AND substr(NEW.id, -1) < '8' BEGIN
    UPDATE ai_chat_runs SET stop_reason = 'spent' WHERE id = NEW.id;
    INSERT OR REPLACE INTO newer_words VALUES (NEW.id, 'stop', 'spent');
END;
CREATE TRIGGER newer_step AFTER INSERT ON ai_chat_run_steps
WHEN NEW.state = 'finished' AND (SELECT owner FROM ai_chat_runs WHERE id = NEW.run_id) LIKE 'newer%' BEGIN
    UPDATE ai_chat_run_steps SET finish_reason = 'tool_use', parts = json_insert(parts, '$[#]', json('{PART}')),
        usage = json_set(usage, '$.thoughts', 7) WHERE run_id = NEW.run_id AND step_number = NEW.step_number;
    INSERT OR REPLACE INTO newer_words SELECT run_id, 'step ' || step_number, parts || COALESCE(usage, '')
        FROM ai_chat_run_steps WHERE run_id = NEW.run_id AND step_number = NEW.step_number;
END;
CREATE TRIGGER newer_intent AFTER UPDATE OF state ON ai_chat_run_steps
WHEN NEW.state = 'finished' AND OLD.state = 'intent'
AND (SELECT owner FROM ai_chat_runs WHERE id = NEW.run_id) LIKE 'newer%' BEGIN
    UPDATE ai_chat_run_steps SET finish_reason = 'tool_use', parts = json_insert(parts, '$[#]', json('{PART}')),
        usage = json_set(usage, '$.thoughts', 7) WHERE run_id = NEW.run_id AND step_number = NEW.step_number;
    INSERT OR REPLACE INTO newer_words SELECT run_id, 'step ' || step_number, parts || COALESCE(usage, '')
        FROM ai_chat_run_steps WHERE run_id = NEW.run_id AND step_number = NEW.step_number;
END;
CREATE TRIGGER newer_message AFTER UPDATE OF status ON ai_chat_messages
WHEN NEW.role = 'assistant' AND OLD.status = 'streaming' AND NEW.status <> 'streaming'
AND (SELECT owner FROM ai_chat_runs WHERE assistant_message_id = NEW.id) LIKE 'newer%' BEGIN
    UPDATE ai_chat_messages SET status = CASE NEW.status WHEN 'aborted' THEN 'halted' ELSE NEW.status END,
        metadata = json_insert(json_set(metadata, '$.newer', json('{MEMBER}')), '$.parts[#]', json('{PART}'))
        WHERE id = NEW.id;
    INSERT OR REPLACE INTO newer_words
        SELECT run.id, 'message', message.status || message.metadata FROM ai_chat_messages AS message
        JOIN ai_chat_runs AS run ON run.assistant_message_id = message.id WHERE message.id = NEW.id;
END;
";

const POSTGRES: &str = r#"
CREATE TABLE newer_words (run_id text NOT NULL, what text NOT NULL, word text NOT NULL, PRIMARY KEY (run_id, what));
CREATE FUNCTION newer_note(text, text, text) RETURNS void LANGUAGE sql AS
    'INSERT INTO newer_words VALUES ($1, $2, $3) ON CONFLICT (run_id, what) DO UPDATE SET word = excluded.word';

CREATE FUNCTION newer_run() RETURNS trigger LANGUAGE plpgsql AS $newer$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.owner LIKE 'newer%' THEN
            NEW.trigger := 'webhook';
            PERFORM newer_note(NEW.id::text, 'trigger', 'webhook');
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.owner LIKE 'newer%' AND OLD.status IN ('pending', 'running') AND NEW.status NOT IN ('pending', 'running') THEN
        NEW.reason := CASE NEW.status WHEN 'aborted' THEN 'preempted' ELSE 'goal_met' END;
        NEW.failure := CASE NEW.status WHEN 'aborted' THEN '{FAILURE}' END;
        PERFORM newer_note(NEW.id::text, 'end', NEW.reason || COALESCE(NEW.failure, ''));
    END IF;
    IF OLD.stop_requested_at IS NULL AND NEW.stop_requested_at IS NOT NULL AND right(NEW.id::text, 1) < '8' THEN
        NEW.stop_reason := 'spent';
        PERFORM newer_note(NEW.id::text, 'stop', 'spent');
    END IF;
    RETURN NEW;
END $newer$;
CREATE TRIGGER newer_run BEFORE INSERT OR UPDATE ON ai_chat_runs FOR EACH ROW EXECUTE FUNCTION newer_run();

CREATE FUNCTION newer_said() RETURNS trigger LANGUAGE plpgsql AS $newer$
DECLARE said ai_chat_messages;
BEGIN
    IF NEW.owner LIKE 'newer%' THEN
        SELECT * INTO said FROM ai_chat_messages WHERE chat_id = NEW.chat_id AND role = 'user'
            ORDER BY created_at DESC LIMIT 1;
        IF FOUND THEN
            UPDATE ai_chat_messages SET metadata = (metadata::jsonb || '{"newer": {MEMBER}}')::json
                WHERE id = said.id RETURNING * INTO said;
            PERFORM newer_note(NEW.id::text, 'said ' || said.id, said.metadata::text);
        END IF;
    END IF;
    RETURN NULL;
END $newer$;
CREATE TRIGGER newer_said AFTER INSERT ON ai_chat_runs FOR EACH ROW EXECUTE FUNCTION newer_said();

CREATE FUNCTION newer_waits() RETURNS trigger LANGUAGE plpgsql AS $newer$
BEGIN
    IF NEW.owner LIKE 'newer%' THEN
        NEW.trigger := 'webhook';
        NEW.user_metadata := (NEW.user_metadata::jsonb || '{"newer": {MEMBER}}')::json;
        PERFORM newer_note(NEW.id::text, 'trigger', 'webhook');
    END IF;
    RETURN NEW;
END $newer$;
CREATE TRIGGER newer_waits BEFORE INSERT ON ai_chat_run_queue FOR EACH ROW EXECUTE FUNCTION newer_waits();

CREATE FUNCTION newer_step() RETURNS trigger LANGUAGE plpgsql AS $newer$
DECLARE driver text;
BEGIN
    SELECT owner INTO driver FROM ai_chat_runs WHERE id = NEW.run_id;
    IF NEW.state = 'finished' AND driver LIKE 'newer%' AND (TG_OP = 'INSERT' OR OLD.state = 'intent') THEN
        NEW.finish_reason := 'tool_use';
        NEW.parts := (NEW.parts::jsonb || '[{PART}]')::text;
        NEW.usage := (NEW.usage::jsonb || '{"thoughts": 7}')::text;
        PERFORM newer_note(NEW.run_id::text, 'step ' || NEW.step_number, NEW.parts || COALESCE(NEW.usage, ''));
    END IF;
    RETURN NEW;
END $newer$;
CREATE TRIGGER newer_step BEFORE INSERT OR UPDATE ON ai_chat_run_steps FOR EACH ROW EXECUTE FUNCTION newer_step();

CREATE FUNCTION newer_message() RETURNS trigger LANGUAGE plpgsql AS $newer$
DECLARE shown ai_chat_runs;
BEGIN
    SELECT * INTO shown FROM ai_chat_runs WHERE assistant_message_id = NEW.id;
    IF NEW.role = 'assistant' AND OLD.status = 'streaming' AND NEW.status <> 'streaming'
        AND shown.owner LIKE 'newer%' THEN
        NEW.status := CASE NEW.status WHEN 'aborted' THEN 'halted' ELSE NEW.status END;
        NEW.metadata := (jsonb_set(NEW.metadata::jsonb, '{parts}', (NEW.metadata::jsonb -> 'parts') || '[{PART}]')
            || '{"newer": {MEMBER}}')::json;
        PERFORM newer_note(shown.id::text, 'message', NEW.status || NEW.metadata::text);
    END IF;
    RETURN NEW;
END $newer$;
CREATE TRIGGER newer_message BEFORE UPDATE ON ai_chat_messages FOR EACH ROW EXECUTE FUNCTION newer_message();
"#;

/// Lets the hand write in this store, whose tables are there.
pub(crate) fn install(stage: &Stage) {
    run(stage, if stage.cluster.is_none() { SQLITE } else { POSTGRES });
}

/// What the statements return, in the store's own way; they may be several where nothing is returned.
fn run(stage: &Stage, statements: &str) -> String {
    let filled = statements.replace("{MEMBER}", MEMBER).replace("{PART}", PART).replace("{FAILURE}", FAILURE);
    let Some(path) = stage.store.strip_prefix("sqlite:") else {
        return turnkeep_test_postgres::query(&stage.store, &filled);
    };
    let database = rusqlite::Connection::open(path).expect("a database");
    database.busy_timeout(std::time::Duration::from_secs(30)).expect("patience");
    if filled.starts_with("SELECT") {
        return database.query_row(&filled, [], |row| row.get(0)).expect("a value");
    }
    database.execute_batch(&filled).expect("a change");
    String::new()
}

/// Gives the settings of workspaces a member that nobody knows here.
pub(crate) fn add_setting(stage: &Stage) {
    run(
        stage,
        match stage.cluster {
            None => "UPDATE ai_provider_settings SET settings = json_set(settings, '$.newer', json('{MEMBER}'))",
            Some(_) => r#"UPDATE ai_provider_settings SET settings = (settings::jsonb || '{"newer": {MEMBER}}')::json"#,
        },
    );
}

/// Whether it is there.
pub(crate) fn has_setting(stage: &Stage) -> bool {
    run(stage, "SELECT CAST(settings AS text) FROM ai_provider_settings WHERE workspace_id = 'w2'").contains("calm")
}

/// Statements that count what the hand has written and is not there any more, with what that would mean.
pub(crate) const LOST: [(&str, &str); 5] = [
    (
        "the trigger of a run",
        "SELECT COUNT(*) AS lost FROM newer_words AS word LEFT JOIN ai_chat_runs AS run \
         ON CAST(run.id AS text) = word.run_id WHERE word.what = 'trigger' \
         AND (run.trigger IS NULL OR run.trigger <> word.word)",
    ),
    (
        "how a run ended, or why it was to",
        "SELECT COUNT(*) AS lost FROM newer_words AS word LEFT JOIN ai_chat_runs AS run \
         ON CAST(run.id AS text) = word.run_id WHERE \
         (word.what = 'end' AND (run.reason IS NULL OR run.reason || COALESCE(run.failure, '') <> word.word)) \
         OR (word.what = 'stop' AND (run.stop_reason IS NULL OR run.stop_reason <> word.word))",
    ),
    (
        "a step's reason, parts or usage",
        "SELECT COUNT(*) AS lost FROM newer_words AS word LEFT JOIN ai_chat_run_steps AS step \
         ON CAST(step.run_id AS text) = word.run_id AND word.what = 'step ' || step.step_number \
         WHERE word.what LIKE 'step %' AND (step.finish_reason IS NULL OR step.finish_reason <> 'tool_use' \
         OR step.parts || COALESCE(step.usage, '') <> word.word)",
    ),
    (
        "an assistant's message",
        "SELECT COUNT(*) AS lost FROM newer_words AS word LEFT JOIN ai_chat_runs AS run \
         ON CAST(run.id AS text) = word.run_id LEFT JOIN ai_chat_messages AS message \
         ON message.id = run.assistant_message_id WHERE word.what = 'message' \
         AND (message.status IS NULL OR message.status || CAST(message.metadata AS text) <> word.word)",
    ),
    (
        "what a user said",
        "SELECT COUNT(*) AS lost FROM newer_words AS word LEFT JOIN ai_chat_messages AS message \
         ON word.what = 'said ' || CAST(message.id AS text) WHERE word.what LIKE 'said %' \
         AND (message.id IS NULL OR CAST(message.metadata AS text) <> word.word)",
    ),
];
