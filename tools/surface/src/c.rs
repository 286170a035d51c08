//! The C functions that only pass JSON on, and what the header says of the JSON.

use std::fmt::Write as _;

use crate::GENERATED;
use crate::surface::{Field, Operation, Shape, Surface, Ty, linked, snake, wrap};

/// Operations with another form in C, which is written by hand.
const BY_HAND: &[&str] = &["health", "runs.sweep", "runs.tail"];

/// `turnkeep_run_get` of `runs.get`.
pub fn function(name: &str) -> String {
    let name = match name.split_once('.') {
        Some((namespace @ ("runs" | "chats" | "roles"), method)) => {
            format!("{}_{}", namespace.trim_end_matches('s'), snake(method))
        }
        Some((namespace, method)) => format!("{namespace}_{}", snake(method)),
        None => snake(name),
    };
    format!("turnkeep_{name}")
}

pub fn operations(surface: &Surface) -> String {
    let mut out = format!("//! What is asked of an engine by name.\n//!\n//! {GENERATED}\n\n");
    out += "use std::ffi::c_char;\n\nuse crate::boundary;\nuse crate::by_name::ask;\nuse crate::bytes::Bytes;\nuse crate::engine::Engine;\nuse crate::error::Error;\nuse crate::status::Status;\n";
    for operation in surface.operations.iter().filter(|operation| !BY_HAND.contains(&operation.name.as_str())) {
        out.push('\n');
        let mut doc = operation.doc.clone();
        doc += &parameters("params", operation);
        doc += &answer(&operation.answer);
        let mut errors: Vec<&str> = vec!["INVALID_INPUT"];
        errors.extend(operation.errors.iter().map(String::as_str).filter(|code| *code != "INVALID_INPUT"));
        errors.extend(["STORE_UNAVAILABLE", "ENGINE_CLOSED"]);
        let _ = write!(doc, "\n\nErrors: {}.", errors.join(", "));
        document(&doc, &mut out);
        out += "///\n/// # Safety\n/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and\n/// `error` are NULL or may be written to.\n";
        let _ = writeln!(out, "#[unsafe(no_mangle)]\npub unsafe extern \"C\" fn {}(", function(&operation.name));
        out += "    engine: *const Engine,\n    params: *const c_char,\n    params_len: usize,\n    result: *mut Bytes,\n    error: *mut *mut Error,\n) -> Status {\n    // SAFETY: as the caller has promised.\n";
        let _ = writeln!(
            out,
            "    let body = || unsafe {{ ask(engine, \"{}\", params, params_len, result) }};",
            operation.name
        );
        out += "    // SAFETY: as the caller has promised.\n    unsafe { boundary::guard(error, body) }\n}\n";
    }
    out
}

pub fn functions(surface: &Surface) -> String {
    let mut out = format!(
        "//! The pure functions. They need no engine and keep nothing; whatever thread calls them does the work.\n//!\n//! {GENERATED}\n\n"
    );
    out += "use std::ffi::c_char;\n\nuse crate::boundary;\nuse crate::by_name::call;\nuse crate::bytes::Bytes;\nuse crate::error::Error;\nuse crate::status::Status;\n";
    for operation in surface.functions.iter().filter(|function| !function.hidden) {
        out.push('\n');
        let mut doc = operation.doc.clone();
        doc += &parameters("arguments", operation);
        doc += &answer(&operation.answer);
        doc += "\n\nErrors: INVALID_INPUT naming the field.";
        document(&doc, &mut out);
        out += "///\n/// # Safety\n/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.\n";
        let _ = writeln!(out, "#[unsafe(no_mangle)]\npub unsafe extern \"C\" fn {}(", function(&operation.name));
        out += "    arguments: *const c_char,\n    arguments_len: usize,\n    result: *mut Bytes,\n    error: *mut *mut Error,\n) -> Status {\n    // SAFETY: as the caller has promised.\n";
        let _ = writeln!(
            out,
            "    let body = || unsafe {{ call(\"{}\", arguments, arguments_len, result) }};",
            operation.name
        );
        out += "    // SAFETY: as the caller has promised.\n    unsafe { boundary::guard(error, body) }\n}\n";
    }
    out
}

/// The numbers of the errors.
pub fn codes(surface: &Surface) -> String {
    let mut out = format!("//! The numbers of the errors.\n//!\n//! {GENERATED}\n\n");
    for code in &surface.codes {
        for line in wrap(&code.doc.replace('`', ""), 114) {
            let _ = writeln!(out, "/// {line}");
        }
        let _ = writeln!(out, "pub const TURNKEEP_{}: i32 = {};", code.code, code.number);
    }
    out
}

/// The table that the C tests go through.
pub fn table(surface: &Surface) -> String {
    let mut out = format!("/* Every pure function by its name. {GENERATED} */\n\n");
    out += "#ifndef FUNCTIONS_H\n#define FUNCTIONS_H\n\n#include \"turnkeep.h\"\n\n";
    out += "typedef turnkeep_status (*function)(const char *, size_t, turnkeep_bytes *, turnkeep_error **);\n\n";
    out += "#define FUNCTION(name) {\"turnkeep_\" #name, turnkeep_##name}\n\n";
    out += "static const struct {\n    const char *name;\n    function call;\n} functions[] = {\n";
    for function in surface.functions.iter().filter(|function| !function.hidden) {
        let _ = writeln!(out, "    FUNCTION({}),", snake(&function.name));
    }
    out + "};\n\nenum { FUNCTIONS = sizeof functions / sizeof functions[0] };\n\n#endif\n"
}

/// The operations, for tests that ask by name.
pub fn operation_table(surface: &Surface) -> String {
    let mut out = format!("/* Every operation by its name. {GENERATED} */\n\n");
    out += "#ifndef OPERATIONS_H\n#define OPERATIONS_H\n\n#include \"turnkeep.h\"\n\n";
    out += "typedef turnkeep_status (*operation)(const turnkeep_engine *, const char *, size_t, turnkeep_bytes *, turnkeep_error **);\n\n";
    out += "static const struct {\n    const char *name;\n    operation call;\n} operations[] = {\n";
    for operation in surface.operations.iter().filter(|operation| !BY_HAND.contains(&operation.name.as_str())) {
        let _ = writeln!(out, "    {{\"{}\", {}}},", operation.name, function(&operation.name));
    }
    out + "};\n\nenum { OPERATIONS = sizeof operations / sizeof operations[0] };\n\n#endif\n"
}

/// What the header says of JSON: every option, member, word and chunk.
pub fn types(surface: &Surface) -> String {
    let mut out = String::from(
        "/*\n * The JSON that these functions take and give, type by type. \"?\" stands behind a member that may be absent.\n",
    );
    for ty in &surface.types {
        out += " *\n";
        let doc = if ty.doc.is_empty() { String::new() } else { format!(": {}", ty.doc) };
        for line in wrap(&spell(&format!("{}{doc}", ty.name)), 115) {
            let _ = writeln!(out, " * {line}");
        }
        match &ty.shape {
            Shape::Object { fields, open } => {
                fields.iter().for_each(|field| member(field, &mut out));
                if *open {
                    out += " *   Other members are passed over.\n";
                }
            }
            Shape::Words(words) => {
                for (word, doc) in words {
                    let doc = if doc.is_empty() { String::new() } else { format!(": {doc}") };
                    lines(&format!("\"{word}\"{doc}"), &mut out);
                }
            }
            Shape::Union(members) => {
                members.iter().for_each(|member| lines(&format!("- {}", shown(member)), &mut out));
            }
            Shape::Alias(of) => lines(&shown(of), &mut out),
        }
    }
    // Nothing that is documented may end the comment.
    let body = out[3..].replace("*/", "* /");
    format!("/*\n{} */", body)
}

fn member(field: &Field, out: &mut String) {
    let optional = if field.optional { "?" } else { "" };
    let default = field.default.as_ref().map_or(String::new(), |default| format!(" Default {default}."));
    let doc = if field.doc.is_empty() { String::new() } else { format!(". {}", field.doc) };
    lines(&format!("\"{}\"{optional}: {}{doc}{default}", field.name, shown(&field.ty)), out);
}

fn lines(text: &str, out: &mut String) {
    for (number, line) in wrap(&spell(text), 108).into_iter().enumerate() {
        let _ = writeln!(out, " *   {}{line}", if number > 0 { "    " } else { "" });
    }
}

/// Text of the description in the words of C.
fn spell(text: &str) -> String {
    linked(text, |name| name.to_owned()).replace("`None`", "null").replace("\n\n", " ").replace('`', "\"")
}

fn shown(ty: &Ty) -> String {
    match ty {
        Ty::String => "string".to_owned(),
        Ty::Int => "integer".to_owned(),
        Ty::Float => "number".to_owned(),
        Ty::Bool => "boolean".to_owned(),
        Ty::True => "true".to_owned(),
        Ty::False => "false".to_owned(),
        Ty::Any => "any JSON".to_owned(),
        Ty::Unit => "null".to_owned(),
        Ty::Moment => "string (ISO time)".to_owned(),
        Ty::Bytes => "string (base64)".to_owned(),
        Ty::Prefixed(prefix) => format!("string that begins with \"{prefix}\""),
        Ty::Literal(word) => format!("\"{word}\""),
        Ty::Named(name) => name.clone(),
        Ty::Map(of) => format!("object of {}", shown(of)),
        Ty::List(of) | Ty::Set(of) => format!("array of {}", shown(of)),
        Ty::Nullable(of) => format!("{} or null", shown(of)),
        Ty::Maybe(of) => shown(of),
        Ty::Object(fields) => {
            let members: Vec<String> = fields
                .iter()
                .map(|field| {
                    format!("\"{}\"{}: {}", field.name, if field.optional { "?" } else { "" }, shown(&field.ty))
                })
                .collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

fn parameters(called: &str, operation: &Operation) -> String {
    if operation.parameters.is_empty() {
        return format!("\n\n`{called}` is {{}}.");
    }
    let mut out = format!("\n\n`{called}` is a JSON object:");
    for field in &operation.parameters {
        let optional = if field.optional { "?" } else { "" };
        let doc = if field.doc.is_empty() { String::new() } else { format!(". {}", field.doc) };
        let default = field.default.as_ref().map_or(String::new(), |default| format!(" Default {default}."));
        let ty = match &field.ty {
            Ty::Nullable(ty) if field.optional => shown(ty),
            ty => shown(ty),
        };
        let _ = write!(out, "\n\n- \"{}\"{optional}: {ty}{doc}{default}", field.name);
    }
    out
}

fn answer(ty: &Ty) -> String {
    let nothing = if matches!(ty, Ty::Maybe(_)) { " The status is TURNKEEP_DONE when there is nothing." } else { "" };
    format!("\n\n`result` receives {}, as JSON, and is freed by turnkeep_bytes_free().{nothing}", shown(ty))
}

fn document(doc: &str, out: &mut String) {
    let doc = linked(doc, |name| name.to_owned()).replace("`None`", "null");
    let mut before = None;
    for paragraph in doc.split("\n\n") {
        let item = paragraph.starts_with("- ");
        if before.is_some_and(|list| !(list && item)) {
            *out += "///\n";
        }
        for (number, line) in wrap(paragraph, 114).into_iter().enumerate() {
            let indent = if item && number > 0 { "  " } else { "" };
            let _ = writeln!(out, "/// {indent}{line}");
        }
        before = Some(item);
    }
}
