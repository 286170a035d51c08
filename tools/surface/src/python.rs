//! The types of the Python package, and its methods that only pass their parameters on.

use std::fmt::Write as _;

use crate::GENERATED;
use crate::surface::{Field, Operation, Shape, Surface, Ty, Type, error_class, linked, snake, wrap};

/// What Python calls methods that are its own words.
/// Words that no parameter may be called by.
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

const NAMES: &[(&str, &str)] = &[("chats.import", "import_chat"), ("secrets.rotate", "rotate_secrets")];
/// Methods with a life of their own.
const BY_HAND: &[&str] = &["runs.abandon", "runs.begin", "runs.tail"];
/// Functions that are given what is no JSON.
const FUNCTIONS_BY_HAND: &[&str] = &["compactToolOutput", "describeProviderError", "isFatalProviderError"];
/// Parameters that Python calls something else: by a name of before, or because theirs is a word of the language.
const RENAMED: &[(&str, &str, &str)] = &[("settings.update", "settings", "patch"), ("runs.tail", "from", "from_")];
/// What the engine itself does stands at the engine, and so does what has a namespace of one method.
pub const OF_ENGINE: &[&str] = &["secrets"];
/// Options with values of Python's.
const OPTIONS: &[(&str, &str)] =
    &[("errorText", "types.ErrorText | Callable[[types.RunFailure], str | None]"), ("store", "str | os.PathLike[str]")];

const WIDTH: usize = 116;

pub fn types(surface: &Surface) -> String {
    let mut out = format!(
        "\"\"\"The data that goes into the engine and comes out of it, as type checkers know it.\n\nDictionaries have the camelCase keys that all languages share.\n\n{GENERATED}\n\"\"\"\n\n"
    );
    out += "from __future__ import annotations\n\nfrom collections.abc import Mapping, Sequence\nfrom typing import Any, Literal, TypeAlias, TypedDict, Union\n";
    // Aliases are evaluated, so what they name has to be there before them.
    let mut done: Vec<&str> = Vec::new();
    let mut waiting: Vec<&Type> = surface.types.iter().collect();
    while !waiting.is_empty() {
        let (ready, later): (Vec<&Type>, Vec<&Type>) = waiting.iter().partition(|ty| match &ty.shape {
            Shape::Union(members) => members.iter().all(|member| is_there(member, &done)),
            Shape::Alias(of) => is_there(of, &done),
            Shape::Object { .. } | Shape::Words(_) => true,
        });
        assert!(!ready.is_empty(), "types name each other in a circle");
        for ty in ready {
            declare(ty, &mut out);
            done.push(&ty.name);
        }
        waiting = later;
    }
    out += "\n__all__ = [\n";
    let mut names: Vec<&str> = surface.types.iter().map(|ty| ty.name.as_str()).collect();
    names.sort_unstable();
    for name in names {
        let _ = writeln!(out, "    \"{name}\",");
    }
    out + "]\n"
}

fn is_there(ty: &Ty, done: &[&str]) -> bool {
    match ty {
        Ty::Named(name) => done.contains(&name.as_str()),
        Ty::List(of) | Ty::Set(of) | Ty::Map(of) | Ty::Nullable(of) | Ty::Maybe(of) => is_there(of, done),
        Ty::Object(fields) => fields.iter().all(|field| is_there(&field.ty, done)),
        _ => true,
    }
}

fn declare(ty: &Type, out: &mut String) {
    match &ty.shape {
        Shape::Object { open: true, .. } => {
            // A checker would refuse what such a dictionary may hold besides.
            let dictionary = if ty.input { "Mapping" } else { "dict" };
            let _ = writeln!(out, "\n{}: TypeAlias = {dictionary}[str, Any]", ty.name);
            let mut doc = ty.doc.clone() + if ty.input { " What is read of it:" } else { " What is always the same:" };
            if let Shape::Object { fields, .. } = &ty.shape {
                let members: Vec<String> = fields
                    .iter()
                    .map(|field| format!("``{}{}``", field.name, if field.optional { "?" } else { "" }))
                    .collect();
                let _ = write!(doc, " {}.", members.join(", "));
            }
            documented(&doc, "", out);
        }
        Shape::Object { fields, .. } => object(&ty.name, &ty.doc, fields, ty.input, out),
        Shape::Words(words) => {
            let words_list: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            let _ = writeln!(out, "\n{}: TypeAlias = Literal[{}]", ty.name, words_list.join(", "));
            let mut doc = ty.doc.clone();
            for (word, meaning) in words.iter().filter(|(_, doc)| !doc.is_empty()) {
                let _ = write!(doc, "\n\n``{word}``: {meaning}");
            }
            documented(&doc, "", out);
        }
        Shape::Union(members) => {
            // Each object is a type of its own, which a checker tells apart by its literal.
            let mut names: Vec<String> = Vec::new();
            for (number, member) in members.iter().enumerate() {
                if let Ty::Object(fields) = member {
                    let name = format!("{}{}", ty.name, variant(fields, number, members));
                    object(&name, "", fields, ty.input, out);
                    names.push(name);
                } else {
                    names.push(spell(member, ty.input));
                }
            }
            let _ = writeln!(out, "\n{}: TypeAlias = Union[{}]", ty.name, names.join(", "));
            documented(&ty.doc, "", out);
        }
        Shape::Alias(of) => {
            let _ = writeln!(out, "\n{}: TypeAlias = {}", ty.name, spell(of, ty.input));
            documented(&ty.doc, "", out);
        }
    }
}

/// What tells a variant apart, as a part of a name.
fn variant(fields: &[Field], number: usize, all: &[Ty]) -> String {
    let word = fields.first().map(|field| match &field.ty {
        Ty::Literal(word) => word.clone(),
        _ => field.name.clone(),
    });
    let word = word.unwrap_or_default();
    let title = |word: &str| word.split('-').map(|part| part[..1].to_uppercase() + &part[1..]).collect::<String>();
    let same = |ty: &Ty| matches!(ty, Ty::Object(of) if of.first().map(|field| &field.ty) == fields.first().map(|field| &field.ty));
    let again = all[..number].iter().any(same);
    format!("{}{}", title(&word), if again { "Again" } else { "" })
}

fn object(name: &str, doc: &str, fields: &[Field], input: bool, out: &mut String) {
    let (optional, required): (Vec<&Field>, Vec<&Field>) = fields.iter().partition(|field| field.optional);
    // `NotRequired` is younger than the oldest Python that is supported.
    let mut base = "TypedDict".to_owned();
    let mixed = !optional.is_empty() && !required.is_empty();
    if mixed {
        base = format!("_{}Required", name.trim_start_matches('_'));
        let _ = writeln!(out, "\n\nclass {base}(TypedDict):");
        required.iter().for_each(|field| member(field, input, out));
    }
    let total = if optional.is_empty() { "" } else { ", total=False" };
    let _ = writeln!(out, "\n\nclass {name}({base}{total}):");
    documented(doc, "    ", out);
    if !doc.is_empty() && !fields.is_empty() {
        out.push('\n');
    }
    let members = if mixed {
        &optional
    } else if optional.is_empty() {
        &required
    } else {
        &optional
    };
    members.iter().for_each(|field| member(field, input, out));
    if fields.is_empty() {
        *out += "    pass\n";
    }
}

fn member(field: &Field, input: bool, out: &mut String) {
    let _ = writeln!(out, "    {}: {}", field.name, spell(&field.ty, input));
    let default = field.default.as_ref().map_or(String::new(), |default| format!(" Default ``{default}``."));
    documented(&format!("{}{default}", field.doc), "    ", out);
}

fn documented(doc: &str, indent: &str, out: &mut String) {
    if doc.trim().is_empty() {
        return;
    }
    let lines = wrap(&words(doc), WIDTH - indent.len() - 6);
    match lines.as_slice() {
        [line] => {
            let _ = writeln!(out, "{indent}\"\"\"{line}\"\"\"");
        }
        lines => {
            let _ = writeln!(out, "{indent}\"\"\"{}", lines[0]);
            for line in &lines[1..] {
                let _ = writeln!(out, "{}", format!("{indent}{line}").trim_end());
            }
            let _ = writeln!(out, "{indent}\"\"\"");
        }
    }
}

/// Text of the description in the words of Python.
fn words(text: &str) -> String {
    linked(text, |name| name.to_owned())
        .replace("null", "``None``")
        .replace("``None````", "``None``")
        .replace('`', "``")
        .replace("````", "``")
        .replace('\\', "\\\\")
}

fn spell(ty: &Ty, input: bool) -> String {
    match ty {
        Ty::String | Ty::Prefixed(_) => "str".to_owned(),
        Ty::Int => "int".to_owned(),
        Ty::Float => "float".to_owned(),
        Ty::Bool => "bool".to_owned(),
        Ty::True => "Literal[True]".to_owned(),
        Ty::False => "Literal[False]".to_owned(),
        Ty::Any => "Any".to_owned(),
        Ty::Unit => "None".to_owned(),
        Ty::Moment => "datetime | str".to_owned(),
        Ty::Bytes => "bytes | bytearray | memoryview".to_owned(),
        Ty::Literal(word) => format!("Literal[\"{word}\"]"),
        Ty::Named(name) => name.clone(),
        Ty::Map(of) if input => format!("Mapping[str, {}]", spell(of, input)),
        Ty::Map(of) => format!("dict[str, {}]", spell(of, input)),
        Ty::Set(of) => format!("Collection[{}]", spell(of, input)),
        Ty::List(of) if input => format!("Sequence[{}]", spell(of, input)),
        Ty::List(of) => format!("list[{}]", spell(of, input)),
        Ty::Nullable(of) | Ty::Maybe(of) => format!("{} | None", spell(of, input)),
        Ty::Object(_) => "dict[str, Any]".to_owned(),
    }
}

/// As `spell`, where the types are a module.
fn qualified(ty: &Ty, input: bool) -> String {
    match ty {
        Ty::Named(name) => format!("types.{name}"),
        Ty::Map(of) if input => format!("Mapping[str, {}]", qualified(of, input)),
        Ty::Map(of) => format!("dict[str, {}]", qualified(of, input)),
        Ty::Set(of) => format!("Collection[{}]", qualified(of, input)),
        Ty::List(of) if input => format!("Sequence[{}]", qualified(of, input)),
        // A method may be called like the builtin.
        Ty::List(of) => format!("builtins.list[{}]", qualified(of, input)),
        Ty::Nullable(of) | Ty::Maybe(of) => format!("{} | None", qualified(of, input)),
        other => spell(other, input),
    }
}

/// What Python calls a parameter of this operation.
pub fn parameter_name<'a>(operation: &str, field: &'a Field) -> &'a str {
    let found = RENAMED.iter().find(|(of, name, _)| *of == operation && *name == field.name);
    found.map_or(&field.snake, |(_, _, own)| own)
}

/// What Python calls an operation.
pub fn method(operation: &Operation) -> String {
    NAMES
        .iter()
        .find(|(name, _)| *name == operation.name)
        .map_or_else(|| snake(operation.method()), |(_, own)| (*own).to_owned())
}

pub fn operations(surface: &Surface) -> String {
    let mut out = format!(
        "\"\"\"Methods that only ask the engine, and what it is opened and turns are begun with.\n\n{GENERATED}\n\"\"\"\n\n"
    );
    out += "from __future__ import annotations\n\nfrom typing import TYPE_CHECKING, Any\n\nif TYPE_CHECKING:\n    import builtins\n    import os\n    from collections.abc import Callable, Mapping, Sequence\n\n    from typing_extensions import Self\n\n    from turnkeep import types\n    from turnkeep._runs import HostedRun\n    from turnkeep._tools import Tool\n    from turnkeep._turn import Turn\n\n_Collected = dict[str, Any]\n";
    out += "\n\nclass _Asking:\n    \"\"\"Asks an engine by name.\"\"\"\n\n    def _ask(self, operation: str, params: _Collected) -> Any:\n        raise NotImplementedError\n";
    let mut namespaces: Vec<&str> = Vec::new();
    let of = |operation: &Operation| -> String {
        match operation.namespace() {
            Some(namespace) if !OF_ENGINE.contains(&namespace) => namespace.to_owned(),
            _ => "engine".to_owned(),
        }
    };
    let all: Vec<String> = surface.operations.iter().map(of).collect();
    for namespace in &all {
        if !namespaces.contains(&namespace.as_str()) {
            namespaces.push(namespace);
        }
    }
    for namespace in namespaces {
        let title = namespace[..1].to_uppercase() + &namespace[1..];
        let _ = writeln!(out, "\n\nclass {title}Operations(_Asking):\n    \"\"\"Methods of ``{namespace}``.\"\"\"");
        if namespace == "engine" {
            out += "\n    @classmethod\n    def _open(cls, options: _Collected, tools: Sequence[Tool]) -> Self:\n        raise NotImplementedError\n";
            out += "\n    def _start_turn(self, request: _Collected, tools: Sequence[Tool] | None) -> Turn:\n        raise NotImplementedError\n";
            handled(surface, &OPEN, Some("Opens the store and settles what dead processes left in it."), &mut out);
            handled(
                surface,
                &START_TURN,
                Some(
                    "Begins a turn: the user's message is stored, the run holds the chat, the model is called. When it raises, nothing was stored and no provider was called.",
                ),
                &mut out,
            );
        }
        for operation in surface.operations.iter().filter(|operation| of(operation) == namespace) {
            if !BY_HAND.contains(&operation.name.as_str()) {
                asking(operation, &mut out);
            }
        }
        if namespace == "runs" {
            out += "\n    def _begin(self, params: _Collected) -> HostedRun:\n        raise NotImplementedError\n";
            let begin = surface.operations.iter().find(|operation| operation.name == "runs.begin");
            handled(surface, &BEGIN, begin.map(|operation| operation.doc.as_str()), &mut out);
        }
    }
    out
}

/// A method whose parameters are those of a type, and which goes on by hand.
struct Handled {
    method: &'static str,
    of: &'static str,
    /// Members that are handed on apart, or not at all.
    leave_out: &'static [&'static str],
    /// Parameters besides, with their documentation.
    besides: &'static [(&'static str, &'static str)],
    answer: &'static str,
    /// Of the class, and not of an engine that is open.
    of_class: bool,
    errors: &'static [&'static str],
}

const OPEN: Handled = Handled {
    method: "open",
    of: "EngineOptions",
    leave_out: &[],
    besides: &[(
        "tools: Sequence[Tool] = ()",
        "Tools for every turn; a turn's own tool of the same name takes the place of one of these.",
    )],
    answer: "Self",
    of_class: true,
    errors: &["INVALID_INPUT", "STORE_UNAVAILABLE"],
};
const START_TURN: Handled = Handled {
    method: "start_turn",
    of: "TurnRequest",
    leave_out: &["tools"],
    besides: &[("tools: Sequence[Tool] | None = None", "Tools of this turn, besides those of the engine.")],
    answer: "Turn",
    of_class: false,
    errors: &[
        "INVALID_INPUT",
        "AI_NOT_CONFIGURED",
        "FORBIDDEN",
        "NOT_FOUND",
        "A_RUN_ALREADY_ACTIVE",
        "SUPERSEDE_INVALID",
        "SUPERSEDE_TARGET_MISMATCH",
        "SUPERSEDE_TIMEOUT",
        "A_RUN_BEGIN_FAILED",
        "STORE_UNAVAILABLE",
        "ENGINE_CLOSED",
    ],
};
const BEGIN: Handled = Handled {
    method: "begin",
    of: "RunRequest",
    leave_out: &[],
    besides: &[],
    answer: "HostedRun",
    of_class: false,
    errors: &[
        "INVALID_INPUT",
        "FORBIDDEN",
        "NOT_FOUND",
        "A_RUN_ALREADY_ACTIVE",
        "SUPERSEDE_INVALID",
        "SUPERSEDE_TARGET_MISMATCH",
        "SUPERSEDE_TIMEOUT",
        "A_RUN_BEGIN_FAILED",
        "STORE_UNAVAILABLE",
        "ENGINE_CLOSED",
    ],
};

fn handled(surface: &Surface, how: &Handled, doc: Option<&str>, out: &mut String) {
    let Some(Type { shape: Shape::Object { fields, .. }, doc: own, .. }) = surface.find(how.of) else { return };
    let fields: Vec<&Field> = fields.iter().filter(|field| !how.leave_out.contains(&field.name.as_str())).collect();
    let (decorator, first) = if how.of_class { ("    @classmethod\n", "cls") } else { ("", "self") };
    let _ = writeln!(out, "\n{decorator}    def {}(\n        {first},\n        *,", how.method);
    parameters(&fields, out);
    for (parameter, _) in how.besides {
        let _ = writeln!(out, "        {parameter},");
    }
    let _ = writeln!(out, "    ) -> {}:", how.answer);
    let besides: Vec<Field> = how
        .besides
        .iter()
        .map(|(parameter, doc)| Field {
            name: String::new(),
            snake: parameter.split(':').next().unwrap_or_default().to_owned(),
            doc: (*doc).to_owned(),
            ty: Ty::Any,
            optional: true,
            default: None,
        })
        .collect();
    let documented: Vec<&Field> = fields.iter().copied().chain(&besides).collect();
    let errors: Vec<String> = how.errors.iter().map(|code| (*code).to_owned()).collect();
    docstring(doc.unwrap_or(own), &documented, &errors, out);
    let mut object = String::new();
    object_of(&fields, "", &mut object);
    let besides: String = besides.iter().map(|field| format!(", {}", field.snake)).collect();
    let _ = writeln!(out, "        return {first}._{}({}{besides})", how.method, object.trim_end());
}

fn parameters(fields: &[&Field], out: &mut String) {
    let (optional, required): (Vec<&&Field>, Vec<&&Field>) = fields.iter().partition(|field| field.optional);
    for field in required.into_iter().chain(optional) {
        let noqa = if field.snake == "format" { "  # noqa: A002" } else { "" };
        let _ = writeln!(out, "        {},{noqa}", parameter(field));
    }
}

fn parameter(field: &Field) -> String {
    let own = OPTIONS.iter().find(|(name, _)| *name == field.name).map(|(_, ty)| (*ty).to_owned());
    let ty = own.unwrap_or_else(|| qualified(&field.ty, true));
    // A parameter of such a name could not be written.
    assert!(
        !KEYWORDS.contains(&field.snake.as_str()),
        "{} is a keyword of Python: name the member otherwise",
        field.snake
    );
    let name = &field.snake;
    match (field.optional, ty.ends_with("| None")) {
        (true, true) => format!("{name}: {ty} = None"),
        (true, false) => format!("{name}: {ty} | None = None"),
        (false, _) => format!("{name}: {ty}"),
    }
}

fn asking(operation: &Operation, out: &mut String) {
    let fields: Vec<&Field> = operation.parameters.iter().collect();
    let answer = qualified(&operation.answer, false);
    let positional = operation.is_positional();
    // Under the name that it has here, also in the documentation.
    let own: Vec<Field> = fields
        .iter()
        .map(|field| Field { snake: parameter_name(&operation.name, field).to_owned(), ..(*field).clone() })
        .collect();
    let fields: Vec<&Field> = own.iter().collect();
    let _ = write!(out, "\n    def {}(", method(operation));
    if fields.is_empty() {
        let _ = writeln!(out, "self) -> {answer}:");
    } else if positional {
        let parameters: Vec<String> = fields.iter().map(|field| parameter(field)).collect();
        let _ = writeln!(out, "self, {}) -> {answer}:", parameters.join(", "));
    } else {
        *out += "\n        self,\n        *,\n";
        parameters(&fields, out);
        let _ = writeln!(out, "    ) -> {answer}:");
    }
    docstring(&operation.doc, &fields, &operation.errors, out);
    if operation.answer == Ty::Unit {
        let _ = write!(out, "        self._ask(\"{}\", ", operation.name);
    } else {
        let _ = write!(out, "        answer: {answer} = self._ask(\"{}\", ", operation.name);
    }
    object_of(&fields, "", out);
    *out = out.trim_end().to_owned() + ")\n";
    if operation.answer != Ty::Unit {
        *out += "        return answer\n";
    }
}

fn object_of(fields: &[&Field], before: &str, out: &mut String) {
    let members: Vec<String> = fields.iter().map(|field| format!("\"{}\": {}", field.name, field.snake)).collect();
    let _ = writeln!(out, "{before}{{{}}}", members.join(", "));
}

fn docstring(doc: &str, fields: &[&Field], errors: &[String], out: &mut String) {
    let lines = wrap(&words(doc), WIDTH - 12);
    let mut more = Vec::new();
    for field in fields {
        let default = field.default.as_ref().map_or(String::new(), |default| format!(" Default ``{default}``."));
        if !field.doc.is_empty() || !default.is_empty() {
            let text = format!(":param {}: {}{default}", field.snake, words(&field.doc));
            more.extend(
                wrap(&text, WIDTH - 16)
                    .into_iter()
                    .enumerate()
                    .map(|(number, line)| if number > 0 { format!("    {line}") } else { line }),
            );
        }
    }
    if !errors.is_empty() {
        let codes: Vec<String> = errors.iter().map(|code| format!("``{code}``")).collect();
        more.extend(wrap(&format!(":raises TurnkeepError: {}", codes.join(", ")), WIDTH - 16));
    }
    if lines.len() == 1 && more.is_empty() {
        let _ = writeln!(out, "        \"\"\"{}\"\"\"", lines[0]);
        return;
    }
    for (number, line) in lines.iter().enumerate() {
        let _ = writeln!(out, "{}", format!("        {}{line}", if number == 0 { "\"\"\"" } else { "" }).trim_end());
    }
    if !more.is_empty() {
        out.push('\n');
    }
    for line in more {
        let _ = writeln!(out, "        {line}");
    }
    *out += "        \"\"\"\n";
}

pub fn functions(surface: &Surface) -> String {
    let mut out = format!(
        "\"\"\"The pure functions that do no more than to call.\n\n{GENERATED}\n\"\"\"\n\nfrom __future__ import annotations\n\nfrom typing import TYPE_CHECKING, Any\n\nfrom turnkeep._calling import as_list, call\n\nif TYPE_CHECKING:\n    from collections.abc import Collection, Mapping, Sequence\n    from datetime import datetime\n\n    from turnkeep import types\n"
    );
    let mut names: Vec<String> = Vec::new();
    for function in surface.functions.iter().filter(|function| !function.hidden) {
        if FUNCTIONS_BY_HAND.contains(&function.name.as_str()) {
            continue;
        }
        let fields: Vec<&Field> = function.parameters.iter().collect();
        let answer = qualified(&function.answer, false).replace("builtins.list", "list");
        let _ = write!(out, "\n\ndef {}(\n", snake(&function.name));
        if !function.positional {
            out += "    *,\n";
        }
        let required = |from: usize| fields[from..].iter().any(|field| !field.optional);
        // A chat's title has always had to be said.
        let is_said = |field: &Field| field.name == "title" && !function.positional;
        let order: Vec<(usize, &&Field)> = fields.iter().enumerate().collect();
        for (number, field) in order {
            let ty = qualified(&field.ty, true);
            let before_others = function.positional && required(number + 1);
            let _ = match field.optional && !before_others && !is_said(field) {
                true => writeln!(out, "    {}: {ty} = None,", field.snake),
                false => writeln!(out, "    {}: {ty},", field.snake),
            };
        }
        let _ = writeln!(out, ") -> {answer}:");
        let mut doc = String::new();
        docstring(&function.doc, &fields, &[], &mut doc);
        for line in doc.lines() {
            let _ = writeln!(out, "{}", line.strip_prefix("    ").unwrap_or(line));
        }
        let member = |field: &&&Field| match field.ty {
            Ty::Set(_) => format!("\"{}\": as_list({})", field.name, field.snake),
            _ => format!("\"{}\": {}", field.name, field.snake),
        };
        let always: Vec<String> = fields
            .iter()
            .enumerate()
            .filter(|(number, field)| {
                !field.optional || is_said(field) || (function.positional && required(number + 1))
            })
            .map(|(_, field)| member(&field))
            .collect();
        let optional: Vec<String> = fields
            .iter()
            .enumerate()
            .filter(|(number, field)| {
                field.optional && !is_said(field) && !(function.positional && required(number + 1))
            })
            .map(|(_, field)| member(&field))
            .collect();
        let optional = if optional.is_empty() { String::new() } else { format!(", {{{}}}", optional.join(", ")) };
        let _ = writeln!(
            out,
            "    answer: {answer} = call(\"{}\", {{{}}}{optional})\n    return answer",
            function.name,
            always.join(", ")
        );
    }
    names.sort_unstable();
    out += "\n\n__all__ = [\n";
    for name in names {
        let _ = writeln!(out, "    \"{name}\",");
    }
    out + "]\n"
}

/// The package's own file, with the names of the functions in the two places that are marked.
pub fn package(there: &str, surface: &Surface) -> String {
    let mut names: Vec<String> = surface
        .functions
        .iter()
        .filter(|function| !function.hidden && !FUNCTIONS_BY_HAND.contains(&function.name.as_str()))
        .map(|function| snake(&function.name))
        .collect();
    names.sort_unstable();
    let mut out = String::new();
    let mut rest = there;
    // Imported by name: checkers do not follow a star around the package.
    for (before, after) in [("    ", ","), ("    \"", "\",")] {
        let (head, tail) = rest.split_once("# <functions>\n").unwrap_or((rest, ""));
        let (_, tail) = tail.split_once("# </functions>\n").unwrap_or(("", tail));
        out += head;
        out += "# <functions>\n";
        for name in &names {
            let _ = writeln!(out, "{before}{name}{after}");
        }
        out = out + before.trim_end_matches('"') + "# </functions>\n";
        rest = tail;
    }
    out + rest
}

pub fn errors(surface: &Surface) -> String {
    let mut out = format!(
        "\"\"\"An exception for each error code.\n\n{GENERATED}\n\"\"\"\n\nfrom __future__ import annotations\n\nfrom turnkeep._errors import TurnkeepError\n"
    );
    for code in &surface.codes {
        let _ = writeln!(out, "\n\nclass {}(TurnkeepError):", error_class(&code.code));
        documented(&format!("{} `{}`, {}.", code.doc, code.code, code.status), "    ", &mut out);
    }
    out += "\n\nBY_CODE: dict[str, type[TurnkeepError]] = {\n";
    for code in &surface.codes {
        let _ = writeln!(out, "    \"{}\": {},", code.code, error_class(&code.code));
    }
    out + "}\n"
}
