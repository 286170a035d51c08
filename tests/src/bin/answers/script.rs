//! What the model says in each run: three steps with calls, most of which wait, and one with the answer.

use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::{Response, Script};

const STEPS: [&[&str]; 3] = [&["look", "write", "ask"], &["look", "soon", "place"], &["look", "write"]];

fn id(step: usize, place: usize) -> String {
    format!("call_{step}_{place}")
}

/// The calls of each run that wait, with their tools.
pub(crate) fn waiting_calls() -> Vec<(String, &'static str)> {
    let of_step = |(step, names): (usize, &&'static [&'static str])| {
        names.iter().enumerate().map(move |(place, name)| (id(step, place), *name)).collect::<Vec<_>>()
    };
    STEPS.iter().enumerate().flat_map(of_step).filter(|(_, name)| *name != "look").collect()
}

pub(crate) fn script() -> Script {
    let step = |(step, names): (usize, &&[&str])| {
        let call = |(place, name): (usize, &&str)| {
            let index = u32::try_from(place).expect("a small number");
            let input = if matches!(*name, "write" | "soon") { r#"{"page":1}"# } else { "{}" };
            tool_call(index, &id(step, place), name, input)
        };
        let mut chunks = vec![text("working ")];
        chunks.extend(names.iter().enumerate().map(call));
        chunks.extend(finish("tool_calls", 10, 5));
        Response::stream(chunks)
    };
    let mut responses: Vec<Response> = STEPS.iter().enumerate().map(step).collect();
    responses.push(Response::stream([vec![text("done")], finish("stop", 10, 5)].concat()));
    Script { responses, repeat: false, by_step: true }
}
