//! The reference, one page for each language with the same anchors, and JSON Schemas.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::surface::{Field, Operation, Shape, Surface, Ty, error_class, linked, snake};
use crate::{GENERATED, c, python};

/// A language that a page is for.
#[derive(Clone, Copy, PartialEq)]
pub enum Language {
    Node,
    Python,
    C,
    Rust,
}

impl Language {
    fn title(self) -> &'static str {
        match self {
            Self::Node => "Node",
            Self::Python => "Python",
            Self::C => "C and C++",
            Self::Rust => "Rust",
        }
    }

    /// How the operation is called here; nothing where it is not there.
    fn operation(self, operation: &Operation) -> Option<String> {
        let is_tail = operation.name == "runs.tail";
        // Their handles do it.
        let has_handles = matches!(self, Self::Node | Self::Python) && operation.name == "runs.abandon";
        let parameters = |name: fn(&str, &Field) -> String| {
            let names = operation.parameters.iter().map(|field| name(&operation.name, field));
            if operation.is_positional() { names.collect::<Vec<_>>().join(", ") } else { String::new() }
        };
        (!has_handles).then(|| match self {
            Self::Node => format!("engine.{}({})", operation.name, parameters(|_, field| field.name.clone())),
            Self::Python => {
                let method = python::method(operation);
                let place = match operation.namespace() {
                    Some(namespace) if !python::OF_ENGINE.contains(&namespace) => format!("{namespace}."),
                    _ => String::new(),
                };
                let given = parameters(|name, field| python::parameter_name(name, field).to_owned());
                format!("engine.{place}{method}({given})")
            }
            Self::C if operation.name == "health" => "turnkeep_engine_health()".to_owned(),
            Self::C if is_tail => "turnkeep_tail_open()".to_owned(),
            Self::C => format!("{}()", c::function(&operation.name)),
            Self::Rust if is_tail => "engine.tail_from_json(params)".to_owned(),
            Self::Rust => format!("engine.call(\"{}\", params)", operation.name),
        })
    }

    fn function(self, function: &Operation) -> String {
        let names: Vec<&str> = function
            .parameters
            .iter()
            .map(|field| if self == Self::Python { field.snake.as_str() } else { field.name.as_str() })
            .collect();
        let (name, names) = (&function.name, names.join(", "));
        match self {
            Self::Node if function.positional => format!("{name}({names})"),
            Self::Node => format!("{name}({{ {names} }})"),
            Self::Python if function.positional => format!("turnkeep.{}({names})", snake(name)),
            Self::Python => format!("turnkeep.{}(*, {names})", snake(name)),
            Self::C => format!("{}()", c::function(name)),
            Self::Rust => format!("turnkeep::functions::call(\"{name}\", arguments)"),
        }
    }

    /// A parameter or a member; members are the same everywhere.
    fn parameter(self, operation: &str, field: &Field) -> String {
        if self == Self::Python { python::parameter_name(operation, field).to_owned() } else { field.name.clone() }
    }

    fn error(self, code: &str) -> String {
        match self {
            Self::Node => format!("`{}`", error_class(code)),
            Self::Python => format!("`turnkeep.errors.{}`", error_class(code)),
            Self::C => format!("`TURNKEEP_{code}`"),
            Self::Rust => format!("`ErrorCode::{}`", error_class(code).trim_end_matches("Error")),
        }
    }
}

pub fn page(surface: &Surface, language: Language) -> String {
    let mut out = format!("# Reference: {}\n\n<!-- {GENERATED} -->\n\n", language.title());
    out += match language {
        Language::Node => {
            "What turns, tails, hosted runs and tools can do stands in `index.d.ts`, and everything here with its types in `surface.d.ts`.\n"
        }
        Language::Python => {
            "What turns, tails, hosted runs and tools can do stands in their classes. Parameters are named as here, the members of dictionaries as in all languages.\n"
        }
        Language::C => {
            "All of it is JSON, in UTF-8 with its length. `include/turnkeep.h` has the same in its comments; `ffi/README.md` has the rules.\n"
        }
        Language::Rust => {
            "Rust has methods of its own for all of this (`cargo doc`); by these names it is asked with JSON, as the other languages do.\n"
        }
    };
    out += "\n## Operations\n";
    for operation in &surface.operations {
        if let Some(called) = language.operation(operation) {
            entry(&called, &operation.name, operation, language, &mut out);
        }
    }
    out += "\n## Functions\n\nNo engine, no store: each computes its answer from what it is given.\n";
    for function in surface.functions.iter().filter(|function| !function.hidden) {
        entry(&language.function(function), &function.name, function, language, &mut out);
    }
    out += "\n## Types\n";
    for ty in &surface.types {
        let _ = writeln!(out, "\n### <a id=\"{}\"></a>{}\n", ty.name, ty.name);
        if !ty.doc.is_empty() {
            let _ = writeln!(out, "{}\n", text(&ty.doc));
        }
        match &ty.shape {
            Shape::Object { fields, open } => {
                table(fields, |field| field.name.clone(), &mut out);
                if *open {
                    out += "\nOther members are allowed.\n";
                }
            }
            Shape::Words(words) => {
                for (word, doc) in words {
                    let doc = if doc.is_empty() { String::new() } else { format!(": {}", text(doc)) };
                    let _ = writeln!(out, "- `{word}`{doc}");
                }
            }
            Shape::Union(members) => {
                for member in members {
                    let _ = writeln!(out, "- {}", shown(member));
                }
            }
            Shape::Alias(of) => {
                let _ = writeln!(out, "{}", shown(of));
            }
        }
    }
    out += "\n## Errors\n\n| code | here | HTTP | when |\n|---|---|---|---|\n";
    for code in &surface.codes {
        let _ = writeln!(
            out,
            "| <a id=\"{0}\"></a>`{0}` | {1} | {2} | {3} |",
            code.code,
            language.error(&code.code),
            code.status,
            text(&code.doc)
        );
    }
    out
}

fn entry(title: &str, anchor: &str, operation: &Operation, language: Language, out: &mut String) {
    let _ = writeln!(out, "\n### <a id=\"{anchor}\"></a>`{title}`\n\n{}\n", text(&operation.doc));
    if !operation.parameters.is_empty() {
        table(&operation.parameters, |field| language.parameter(&operation.name, field), out);
        out.push('\n');
    }
    let _ = write!(out, "Answers {}.", shown(&operation.answer));
    if operation.begins {
        *out += " Refused while the engine closes.";
    }
    if !operation.errors.is_empty() {
        let codes: Vec<String> = operation.errors.iter().map(|code| format!("[`{code}`](#{code})")).collect();
        let _ = write!(out, " Errors: {}.", codes.join(", "));
    }
    out.push('\n');
}

fn table(fields: &[Field], name: impl Fn(&Field) -> String, out: &mut String) {
    *out += "| | type | |\n|---|---|---|\n";
    for field in fields {
        let optional = if field.optional { "?" } else { "" };
        let default = field.default.as_ref().map_or(String::new(), |default| format!(" Default `{default}`."));
        let ty = match &field.ty {
            Ty::Nullable(ty) if field.optional => shown(ty),
            ty => shown(ty),
        };
        let _ = writeln!(out, "| `{}`{optional} | {ty} | {}{default} |", name(field), text(&field.doc));
    }
}

fn text(doc: &str) -> String {
    linked(doc, |name| name.to_owned()).replace("`None`", "null").replace('\n', " ").replace('|', "\\|")
}

fn shown(ty: &Ty) -> String {
    match ty {
        Ty::Named(name) => format!("[{name}](#{name})"),
        Ty::Map(of) => format!("object of {}", shown(of)),
        Ty::List(of) | Ty::Set(of) => format!("list of {}", shown(of)),
        Ty::Nullable(of) => format!("{} or null", shown(of)),
        Ty::Maybe(of) => format!("{} or nothing", shown(of)),
        Ty::Literal(word) => format!("`\"{word}\"`"),
        Ty::Prefixed(prefix) => format!("string that begins with `{prefix}`"),
        Ty::Object(fields) => {
            let members: Vec<String> = fields
                .iter()
                .map(|field| format!("`{}`{}: {}", field.name, if field.optional { "?" } else { "" }, shown(&field.ty)))
                .collect();
            members.join(", ")
        }
        Ty::String => "string".to_owned(),
        Ty::Int => "integer".to_owned(),
        Ty::Float => "number".to_owned(),
        Ty::Bool => "boolean".to_owned(),
        Ty::True => "`true`".to_owned(),
        Ty::False => "`false`".to_owned(),
        Ty::Any => "any JSON".to_owned(),
        Ty::Unit => "nothing".to_owned(),
        Ty::Moment => "time".to_owned(),
        Ty::Bytes => "bytes".to_owned(),
    }
}

/// A JSON Schema of one type, with those that it names.
pub fn schema(surface: &Surface, root: &str) -> String {
    let mut names = vec![root.to_owned()];
    let mut definitions = Map::new();
    while let Some(name) = names.pop() {
        if definitions.contains_key(&name) {
            continue;
        }
        let Some(ty) = surface.find(&name) else { continue };
        let mut schema = match &ty.shape {
            Shape::Object { fields, open } => object(fields, *open || !ty.input, &mut names),
            Shape::Words(words) => json!({"enum": words.iter().map(|(word, _)| word).collect::<Vec<_>>()}),
            Shape::Union(members) => {
                json!({"anyOf": members.iter().map(|member| of(member, ty.input, &mut names)).collect::<Vec<_>>()})
            }
            Shape::Alias(ty) => of(ty, true, &mut names),
        };
        if let Value::Object(schema) = &mut schema
            && !ty.doc.is_empty()
        {
            schema.insert("description".to_owned(), text(&ty.doc).into());
        }
        definitions.insert(name, schema);
    }
    definitions.sort_keys();
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": root,
        "$comment": GENERATED,
        "$ref": format!("#/$defs/{root}"),
        "$defs": definitions,
    });
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

fn object(fields: &[Field], open: bool, names: &mut Vec<String>) -> Value {
    let mut properties = Map::new();
    for field in fields {
        let mut schema = of(&field.ty, !open, names);
        if let Value::Object(schema) = &mut schema {
            if !field.doc.is_empty() {
                schema.insert("description".to_owned(), text(&field.doc).into());
            }
            if let Some(default) = field.default.as_ref().and_then(|default| serde_json::from_str(default).ok()) {
                schema.insert("default".to_owned(), default);
            }
        }
        properties.insert(field.name.clone(), schema);
    }
    let required: Vec<&str> = fields.iter().filter(|field| !field.optional).map(|field| field.name.as_str()).collect();
    // What the engine gives out may have more members in a later version; what goes in may not.
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": open})
}

fn of(ty: &Ty, input: bool, names: &mut Vec<String>) -> Value {
    match ty {
        Ty::String | Ty::Moment => json!({"type": "string"}),
        Ty::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
        Ty::Prefixed(prefix) => json!({"type": "string", "pattern": format!("^{prefix}")}),
        Ty::Int => json!({"type": "integer", "minimum": 0}),
        Ty::Float => json!({"type": "number"}),
        Ty::Bool => json!({"type": "boolean"}),
        Ty::True => json!({"const": true}),
        Ty::False => json!({"const": false}),
        Ty::Any => json!({}),
        Ty::Unit => json!({"type": "null"}),
        Ty::Literal(word) => json!({"const": word}),
        Ty::Named(name) => {
            names.push(name.clone());
            json!({"$ref": format!("#/$defs/{name}")})
        }
        Ty::List(item) | Ty::Set(item) => json!({"type": "array", "items": of(item, input, names)}),
        Ty::Map(item) => json!({"type": "object", "additionalProperties": of(item, input, names)}),
        Ty::Nullable(item) | Ty::Maybe(item) => json!({"anyOf": [of(item, input, names), {"type": "null"}]}),
        Ty::Object(fields) => object(fields, !input, names),
    }
}
