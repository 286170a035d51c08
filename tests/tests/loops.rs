//! How often the guard against loops is wrong: a hundred texts that repeat themselves because somebody asked for them,
//! and twenty that a model cannot get out of.

use std::sync::Arc;
use std::time::Duration;

use turnkeep::machine::{Effect, Event, Limits, RunMachine, TurnIds};
use turnkeep::model::{Json, RunReason};
use turnkeep::provider::{BlockKind, RunBy, StreamPart};
use turnkeep::tool::ToolCatalog;
use turnkeep::{ChatId, MessageId, RunId};

struct Anything;

impl ToolCatalog for Anything {
    fn check(&self, _: &str, arguments: &str) -> Result<Json, String> {
        Json::parse(arguments).map_err(|error| error.to_string())
    }

    fn is_read_only(&self, _: &str) -> bool {
        true
    }

    fn timeout(&self, _: &str) -> Duration {
        Duration::from_secs(1)
    }
}

/// How much of the text had come when the guard ended it.
fn ended_at(text: &str, as_input: bool) -> Option<usize> {
    let ids = TurnIds { chat: ChatId::generate(), run: RunId::generate(), message: MessageId::generate() };
    let mut machine = RunMachine::new(ids, Limits::new(20, Duration::from_secs(1)), Arc::new(Anything));
    let mut effects = Vec::new();
    machine.handle(Event::Begun, &mut effects);
    let (kind, id) = (BlockKind::Text, || "t".to_owned());
    machine.handle(
        Event::Part(match as_input {
            true => StreamPart::ToolInputStart { id: id(), name: "write".to_owned(), run_by: RunBy::Host },
            false => StreamPart::BlockStart { kind, id: id(), metadata: None },
        }),
        &mut effects,
    );
    let mut at = 0;
    while at < text.len() {
        let end = text.ceil_char_boundary((at + 24).min(text.len()));
        let delta = text[at..end].to_owned();
        at = end;
        effects.clear();
        machine.handle(
            Event::Part(match as_input {
                true => StreamPart::ToolInputDelta { id: id(), delta },
                false => StreamPart::BlockDelta { kind, id: id(), delta, metadata: None },
            }),
            &mut effects,
        );
        let ended = effects.iter().any(|effect| match effect {
            Effect::Settle(settlement) => settlement.reason == Some(RunReason::Degenerate),
            _ => false,
        });
        if ended {
            return Some(at);
        }
    }
    None
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(|number| line(number) + "\n").collect()
}

/// Texts that people ask for, each of its own kind.
fn wanted() -> Vec<(&'static str, String)> {
    let same = |line: &str, count: usize| format!("{line}\n").repeat(count);
    let table = |head: &str, row: &str, count: usize| format!("{head}\n|---|---|\n{}", same(row, count));
    vec![
        ("table of equal rows", table("| room | booked |", "| free | no |", 400)),
        ("table of zeros", table("| x | y |", "| 0 | 0 |", 1000)),
        ("table of blanks", table("| name | sign |", "|   |   |", 800)),
        ("wide table of dashes", table("| a | b |", &format!("| {} | - |", "-".repeat(80)), 200)),
        ("csv of equal rows", format!("name,value\n{}", same("sensor,0.0", 500))),
        ("csv with numbers", lines(900, |n| format!("{n},sensor,0.0"))),
        ("csv of empty cells", same(",,,,,,,,", 900)),
        ("tsv of nulls", same("NULL\tNULL\tNULL", 900)),
        ("json zeros", format!("[{}0]", "0, ".repeat(8000))),
        ("json nulls", format!("[{}null]", "null,".repeat(6000))),
        ("json trues", format!("[{}true]", "true, ".repeat(5000))),
        ("json objects alike", format!("[{}{{}}]", "{\"id\":0,\"on\":false},".repeat(900))),
        ("json matrix", format!("[{}[0]]", "[0,0,0,0,0,0,0,0],".repeat(900))),
        ("json of empty texts", format!("[{}\"\"]", "\"\",".repeat(9000))),
        ("json lines", same(r#"{"status":"ok","code":200}"#, 900)),
        ("hex dump of zeros", lines(700, |n| format!("{:08x}  00 00 00 00 00 00 00 00  |........|", n * 8))),
        ("hex dump without places", same("00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", 700)),
        ("hex of ones", "ff".repeat(20_000)),
        ("base64 of zeros", "A".repeat(40_000)),
        ("base64 of a pattern", "q83v".repeat(9000)),
        ("binary digits", "01".repeat(20_000)),
        ("pi of nines", format!("0.{}", "9".repeat(30_000))),
        ("a third", format!("0.{}", "3".repeat(30_000))),
        ("one seventh", format!("0.{}", "142857".repeat(5000))),
        ("sql nulls", format!("INSERT INTO seats VALUES\n{}", same("  (NULL, 'free', 0),", 900))),
        ("sql inserts", same("INSERT INTO t (a, b) VALUES (0, 0);", 900)),
        ("yaml entries", same("- enabled: false\n  retries: 0", 900)),
        ("xml entries", same("  <seat booked=\"false\"/>", 900)),
        ("html cells", same("<td>&nbsp;</td>", 1500)),
        ("html rows", same("<tr><td>0</td><td>0</td></tr>", 1200)),
        ("svg points", "0,0 ".repeat(9000)),
        ("css rules", same(".a{margin:0}", 1800)),
        ("ini lines", same("enabled = false", 1800)),
        ("env lines", same("FEATURE=off", 1800)),
        ("log heartbeats", same("INFO heartbeat ok", 1500)),
        ("log with times", lines(900, |n| format!("12:{:02}:{:02} INFO request served in 3 ms", n / 60 % 60, n % 60))),
        ("log of one error", same("ERROR connection refused by 127.0.0.1:5432", 800)),
        ("access log", same("127.0.0.1 - - \"GET /health HTTP/1.1\" 200 2", 900)),
        ("stack of frames", same("    at recurse (main.js:3:5)", 1200)),
        ("build lines", same("[ok] compiled", 2000)),
        ("test dots", ".".repeat(20_000)),
        ("test results", same("test it_works ... ok", 1500)),
        ("tap lines", lines(1500, |n| format!("ok {n} - passes"))),
        ("diff of blanks", same("-", 8000)),
        ("diff of equal lines", same("+    pass", 2500)),
        ("assembly nops", same("    nop", 4000)),
        ("assembly moves", same("    mov eax, eax", 2200)),
        ("brainfuck", "+".repeat(20_000)),
        ("forth", "dup drop ".repeat(3000)),
        ("python passes", same("        pass", 2500)),
        ("c initializers", format!("int a[] = {{{}0}};", "0, ".repeat(8000))),
        ("rust array", format!("[{}0u8]", "0u8, ".repeat(6000))),
        ("lisp parens", format!("{}{}", "(".repeat(9000), ")".repeat(9000))),
        ("regex", "(a|b)".repeat(5000)),
        ("latex rows", same("0 & 0 & 0 \\\\", 1800)),
        ("latex rules", same("\\hline", 3500)),
        ("markdown boxes", same("- [ ] todo", 2200)),
        ("markdown rules", same("---", 5000)),
        ("outline of stars", same("* ", 8000)),
        ("numbered list", lines(1200, |n| format!("{n}. Item"))),
        ("checklist with numbers", lines(1200, |n| format!("- [x] Step {n} is done."))),
        ("picture of bars", same(&format!("{}{}", " ".repeat(20), "#".repeat(60)), 300)),
        ("picture of dots", same(&".".repeat(80), 300)),
        ("checkerboard", same("# # # # # # # #\n # # # # # # # #", 600)),
        ("box drawing", same("│                    │", 700)),
        ("progress bar", "█".repeat(6000)),
        ("wave", same("/\\/\\/\\/\\/\\/\\", 1500)),
        ("maze", same("+--+--+--+\n|  |  |  |", 1000)),
        ("chess board", same(". . . . . . . .", 1500)),
        ("crossword of blanks", same("_ _ _ _ _ _", 2000)),
        ("sudoku of zeros", same("0 0 0 | 0 0 0 | 0 0 0", 1000)),
        ("seating plan", same("[ ][ ][ ]  [ ][ ][ ]", 1000)),
        ("calendar", same("Mo Tu We Th Fr Sa Su\n --  --  --  --", 700)),
        ("timetable", lines(1400, |n| format!("{:02}:{:02}  free", n / 60 % 24, n % 60))),
        ("music of rests", "z4 | ".repeat(5000)),
        ("drum tab", same("HH|x-x-x-x-|", 1800)),
        ("guitar tab", same("e|-----0-----0-----|", 1200)),
        ("morse", "... --- ... ".repeat(2000)),
        ("dna", "ACGT".repeat(6000)),
        ("poly a", "A".repeat(30_000)),
        (
            "song with a refrain",
            (0..12)
                .map(|n| format!("Verse {n} has its own words.\n{}", same("Sing it all again, sing it all again.", 8)))
                .collect(),
        ),
        (
            "row your boat",
            (0..6)
                .map(|n| format!("Round {n}\n{}", same("Row, row, row your boat, gently down the stream.", 150)))
                .collect(),
        ),
        (
            "bottles of beer",
            (1..100)
                .rev()
                .map(|n| {
                    format!(
                        "{n} bottles of beer on the wall, {n} bottles of beer.\nTake one down and pass it around.\n\n"
                    )
                })
                .collect(),
        ),
        ("lines for a pupil", same("I will not talk in class.", 400)),
        ("mantra", "om mani padme hum ".repeat(900)),
        ("litany", same("Pray for us.", 800)),
        ("ha ha", "ha ".repeat(9000)),
        ("buffalo", "buffalo ".repeat(3000)),
        ("lorem twice", "Lorem ipsum dolor sit amet, consectetur adipiscing elit. ".repeat(180)),
        ("all work and no play", same("All work and no play makes Jack a dull boy.", 270)),
        ("test data sentences", same("This is a test.", 700)),
        ("chinese test data", "这是一个测试句子。".repeat(400)),
        ("emoji row", "👍".repeat(5000)),
        ("flags", "🇳🇴 ".repeat(2000)),
        ("blank lines", "\n".repeat(20_000)),
        ("spaces", " ".repeat(30_000)),
        ("long rule", "=".repeat(30_000)),
        ("uuid zeros", same("00000000-0000-0000-0000-000000000000", 800)),
        ("ip list", same("0.0.0.0", 2500)),
        ("mac list", same("00:00:00:00:00:00", 1500)),
    ]
}

/// What models do that have lost their way, without an end.
fn loops() -> Vec<(&'static str, String)> {
    let sentences = [
        "I will now look at the page again. ",
        "Let me check the file once more.\n\n",
        "Wait, that is not right. Let me think about it again. ",
        "The user wants to know the answer. So I should find the answer. ",
        "I apologize for the confusion. Let me correct that for you. ",
        "Now I will run the tests. The tests have failed, so I will fix the code. ",
        "Okay, so the answer is four. But wait, is the answer four? ",
        "We need to produce the output. We need to be careful here. ",
        "Ich sehe mir die Seite jetzt noch einmal genauer an. ",
        "Je vais maintenant vérifier la page encore une fois. ",
        "Сейчас я ещё раз посмотрю на эту страницу. ",
        "让我再检查一下这个页面的内容。",
        "次のページをもう一度確認してみます。",
    ];
    let others = ["the ", "\n", "and so on and so on ", "| | | |\n", "0", "<|endoftext|>", "!!"];
    let all = sentences.into_iter().chain(others);
    all.map(|unit| (unit, format!("An answer begins, and then this comes.\n{}", unit.repeat(200_000 / unit.len()))))
        .collect()
}

#[test]
fn a_hundred_texts_that_were_asked_for_come_to_their_ends() {
    let texts = wanted();
    assert_eq!(texts.len(), 100);
    let ended: Vec<&str> =
        texts.iter().filter(|(_, text)| ended_at(text, false).is_some()).map(|(name, _)| *name).collect();
    assert!(ended.is_empty(), "{} of 100: {ended:?}", ended.len());
    let written: Vec<&str> =
        texts.iter().filter(|(_, text)| ended_at(text, true).is_some()).map(|(name, _)| *name).collect();
    assert!(written.is_empty(), "as the input of a tool: {written:?}");
}

#[test]
fn twenty_loops_are_ended_before_long() {
    let loops = loops();
    assert_eq!(loops.len(), 20);
    for (number, (unit, text)) in loops.iter().enumerate() {
        let at = ended_at(text, false);
        let most = if number < 13 { 15 * 1024 } else { 99 * 1024 };
        assert!(at.is_some_and(|at| at <= most), "{unit:?}: {at:?}");
    }
}
