//! The types of the Node package, and its methods that only pass their parameters on.

use std::fmt::Write as _;

use crate::GENERATED;
use crate::surface::{Field, Operation, Shape, Surface, Ty, Type, camel, error_class, linked, wrap};

/// Methods with a life of their own, which stand in `index.d.ts`.
const BY_HAND: &[&str] = &["runs.abandon", "runs.begin", "runs.stop", "runs.tail", "trimHistory"];
/// Those among them that native code has something else for.
const NOT_ASKED: &[&str] = &["runs.abandon", "runs.tail"];
/// Types that `index.d.ts` adds something of Node's to, and how they are called before.
const BASES: &[(&str, &str)] = &[
    ("EngineOptions", "EngineSettings"),
    ("RunRequest", "RunRequestFields"),
    ("ToolDefinition", ""),
    ("TurnRequest", "TurnRequestFields"),
];

const WIDTH: usize = 120;

fn name(name: &str) -> &str {
    BASES.iter().find(|(of, _)| *of == name).map_or(name, |(_, base)| base)
}

pub fn declarations(surface: &Surface) -> String {
    let mut out = format!("// {GENERATED}\n\n");
    out += "/** Who asks. Everything stored belongs to a user of a workspace, and is given to nobody else. */\n";
    out += "export interface Who {\n  /** The workspace. */\n  workspaceId: string;\n  /** The user. */\n  userId: string;\n}\n";
    errors(surface, &mut out);
    for ty in &surface.types {
        if name(&ty.name).is_empty() {
            continue;
        }
        out.push('\n');
        declare(ty, &mut out);
    }
    operations(surface, &mut out);
    for function in surface.functions.iter().filter(|function| !function.hidden) {
        if BY_HAND.contains(&function.name.as_str()) {
            continue;
        }
        out.push('\n');
        document(&function.doc, &[], "", &mut out);
        let parameters = parameters(function);
        let _ = writeln!(
            out,
            "export declare function {}({parameters}): {};",
            function.name,
            spell(&function.answer, false)
        );
    }
    out
}

fn errors(surface: &Surface, out: &mut String) {
    *out +=
        "\n/** What went wrong, in terms of what the caller can do about it. Codes never change their meaning. */\n";
    *out += "export type ErrorCode =\n";
    for code in &surface.codes {
        let _ = writeln!(out, "  /** {} */\n  | '{}'", code.doc.replace('\n', " "), code.code);
    }
    *out = out.trim_end().to_owned() + ";\n";
    *out += "\n/** What comes with an error of this code. */\nexport interface ErrorDetails {\n";
    *out += "  /** The place of what is wrong, such as `message.parts[0].type`. */\n";
    *out += "  INVALID_INPUT: { readonly field: string };\n  UNSUPPORTED_MEDIA: { readonly field: string };\n";
    *out += "  /** The run that is in the way. */\n  A_RUN_ALREADY_ACTIVE: { readonly activeRunId: string };\n}\n";
    *out += "\ninterface ErrorOf<Code extends ErrorCode> extends Error {\n  readonly name: 'TurnkeepError';\n";
    *out += "  /** Stable; decide on this. */\n  readonly code: Code;\n";
    *out += "  /** The HTTP status that suits the code, as a hint. */\n  readonly httpStatus: number;\n";
    *out += "  /** What else is known. */\n";
    *out += "  readonly details: (Code extends keyof ErrorDetails ? ErrorDetails[Code] : {}) & Readonly<Record<string, unknown>>;\n}\n";
    *out += "\n/** A failure of turnkeep. Some codes come with details of their own. */\n";
    *out += "export type TurnkeepError = { [Code in ErrorCode]: ErrorOf<Code> }[ErrorCode];\n";
    *out += "\ninterface ErrorClass<Of extends TurnkeepError> {\n  /** For `instanceof`; turnkeep makes them. */\n";
    *out += "  readonly prototype: Of;\n  [Symbol.hasInstance](value: unknown): value is Of;\n}\n";
    *out += "\nexport declare const TurnkeepError: ErrorClass<TurnkeepError>;\n";
    for code in &surface.codes {
        let class = error_class(&code.code);
        let _ = writeln!(
            out,
            "\n/** {} `{}`, {}. */\nexport type {class} = ErrorOf<'{}'>;\nexport declare const {class}: ErrorClass<{class}>;",
            code.doc.replace('\n', " "),
            code.code,
            code.status,
            code.code
        );
    }
}

fn operations(surface: &Surface, out: &mut String) {
    let mut namespaces: Vec<Option<&str>> = Vec::new();
    for operation in &surface.operations {
        if !namespaces.contains(&operation.namespace()) {
            namespaces.push(operation.namespace());
        }
    }
    for namespace in namespaces {
        let title = namespace.unwrap_or("engine");
        let upper = title[..1].to_uppercase() + &title[1..];
        let _ = writeln!(out, "\n/** Methods of `{}`. */\nexport interface {upper}Operations {{", place(namespace));
        for operation in surface.operations.iter().filter(|operation| operation.namespace() == namespace) {
            if BY_HAND.contains(&operation.name.as_str()) {
                continue;
            }
            let mut tags = Vec::new();
            if !operation.errors.is_empty() {
                tags.push(format!("@throws {{TurnkeepError}} {}", operation.errors.join(", ")));
            }
            document(&operation.doc, &tags, "  ", out);
            let answer = spell(&operation.answer, false);
            let _ = writeln!(out, "  {}({}): Promise<{answer}>;", method(operation), parameters(operation));
        }
        *out += "}\n";
    }
}

fn place(namespace: Option<&str>) -> String {
    namespace.map_or("engine".to_owned(), |namespace| format!("engine.{namespace}"))
}

fn method(operation: &Operation) -> &str {
    operation.method()
}

fn parameters(operation: &Operation) -> String {
    let fields = &operation.parameters;
    if operation.is_positional() {
        let required = |from: usize| fields[from..].iter().any(|field| !field.optional);
        let parameters = fields.iter().enumerate().map(|(number, field)| {
            let ty = spell(&field.ty, true);
            match field.optional {
                // What stands before others cannot be left out.
                true if required(number + 1) => format!("{}: {ty} | undefined", field.name),
                true => format!("{}?: {ty}", field.name),
                false => format!("{}: {ty}", field.name),
            }
        });
        return parameters.collect::<Vec<_>>().join(", ");
    }
    if fields.is_empty() {
        return String::new();
    }
    let is_who = |field: &&Field| field.name == "workspaceId" || field.name == "userId";
    let who = fields.iter().filter(is_who).count() == 2;
    let rest: Vec<&Field> = fields.iter().filter(|field| !who || !is_who(field)).collect();
    let mut members = String::new();
    for field in &rest {
        member(field, true, &mut members, "    ");
    }
    let optional = if fields.iter().all(|field| field.optional) { "?" } else { "" };
    match (who, rest.is_empty()) {
        (true, true) => format!("params{optional}: Who"),
        (true, false) => format!("params{optional}: Who & {{\n{members}  }}"),
        (false, _) => format!("params{optional}: {{\n{members}  }}"),
    }
}

fn declare(ty: &Type, out: &mut String) {
    document(&ty.doc, &[], "", out);
    let called = name(&ty.name);
    match &ty.shape {
        Shape::Object { fields, open } => {
            // An interface has no index, and a literal may say more than what is read: both fit into one of the two.
            let either = *open && ty.input;
            let _ = writeln!(out, "export interface {called}{} {{", if either { "Fields" } else { "" });
            fields.iter().for_each(|field| member(field, ty.input, out, "  "));
            if *open && !either {
                *out += "  [key: string]: unknown;\n";
            }
            *out += "}\n";
            if either {
                let _ = writeln!(out, "\n/** `{called}Fields`, of an object that may hold more. */");
                let _ = writeln!(
                    out,
                    "export type {called} = {called}Fields | ({called}Fields & Record<string, unknown>);"
                );
            }
        }
        Shape::Words(words) if words.iter().all(|(_, doc)| doc.is_empty()) => {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("'{word}'")).collect();
            let _ = writeln!(out, "export type {called} = {};", words.join(" | "));
        }
        Shape::Words(words) => {
            let _ = writeln!(out, "export type {called} =");
            for (word, doc) in words {
                document(doc, &[], "  ", out);
                let _ = writeln!(out, "  | '{word}'");
            }
            *out = out.trim_end().to_owned() + ";\n";
        }
        Shape::Union(members) => {
            let _ = writeln!(out, "export type {called} =");
            for member in members {
                let _ = writeln!(out, "  | {}", spell(member, ty.input));
            }
            *out = out.trim_end().to_owned() + ";\n";
        }
        Shape::Alias(of) => {
            let _ = writeln!(out, "export type {called} = {};", spell(of, ty.input));
        }
    }
}

fn member(field: &Field, input: bool, out: &mut String, indent: &str) {
    let tags = field.default.iter().map(|default| format!("@default {}", default.replace('"', "'")));
    document(&field.doc, &tags.collect::<Vec<_>>(), indent, out);
    let optional = if field.optional { "?" } else { "" };
    let _ = writeln!(out, "{indent}{}{optional}: {};", field.name, spell(&field.ty, input));
}

/// `input`: whoever passes something in may pass what cannot be changed.
fn spell(ty: &Ty, input: bool) -> String {
    match ty {
        Ty::String => "string".to_owned(),
        Ty::Int | Ty::Float => "number".to_owned(),
        Ty::Bool => "boolean".to_owned(),
        Ty::True => "true".to_owned(),
        Ty::False => "false".to_owned(),
        Ty::Any => "unknown".to_owned(),
        Ty::Unit => "void".to_owned(),
        Ty::Moment => "Date | string".to_owned(),
        Ty::Bytes => "NodeJS.ArrayBufferView".to_owned(),
        Ty::Prefixed(prefix) => format!("`{prefix}${{string}}`"),
        Ty::Literal(word) => format!("'{word}'"),
        Ty::Named(named) => name(named).to_owned(),
        Ty::Map(of) => format!("Record<string, {}>", if **of == Ty::Any { "any".to_owned() } else { spell(of, input) }),
        Ty::Set(of) => format!("ReadonlySet<{0}> | readonly {0}[]", spell(of, input)),
        Ty::List(of) => {
            let of = spell(of, input);
            let of = if of.contains(' ') { format!("({of})") } else { of };
            if input { format!("readonly {of}[]") } else { format!("{of}[]") }
        }
        Ty::Nullable(of) => format!("{} | null", spell(of, input)),
        Ty::Maybe(of) => format!("{} | undefined", spell(of, input)),
        Ty::Object(fields) => {
            let members: Vec<String> = fields
                .iter()
                .map(|field| {
                    let optional = if field.optional { "?" } else { "" };
                    format!("{}{optional}: {}", field.name, spell(&field.ty, input))
                })
                .collect();
            format!("{{ {} }}", members.join("; "))
        }
    }
}

fn document(doc: &str, tags: &[String], indent: &str, out: &mut String) {
    let mut lines = wrap(&linked(doc, camel).replace("`None`", "null"), WIDTH - indent.len() - 3);
    lines.extend(tags.iter().cloned());
    match lines.as_slice() {
        [] => {}
        [line] if line.len() + indent.len() + 7 <= WIDTH => {
            let _ = writeln!(out, "{indent}/** {line} */");
        }
        lines => {
            let _ = writeln!(out, "{indent}/**");
            for line in lines {
                let _ = writeln!(out, "{}", format!("{indent} * {line}").trim_end());
            }
            let _ = writeln!(out, "{indent} */");
        }
    }
}

/// The names of the package for ES modules, which have to be written out.
pub fn module(surface: &Surface) -> String {
    let mut names: Vec<String> =
        ["Engine", "RunTail", "Turn", "TurnkeepError", "defineTool"].map(ToOwned::to_owned).to_vec();
    names.extend(surface.codes.iter().map(|code| error_class(&code.code)));
    names.extend(surface.functions.iter().filter(|function| !function.hidden).map(|function| function.name.clone()));
    let mut out = format!("// {GENERATED}\n\nimport turnkeep from './index.js';\n\nexport const {{\n");
    for name in names {
        let _ = writeln!(out, "  {name},");
    }
    out + "} = turnkeep;\n"
}

/// What the package runs: methods and functions that pass their parameters on.
pub fn javascript(surface: &Surface) -> String {
    let mut out = format!("'use strict';\n\n// {GENERATED}\n\n");
    out += "/** The methods that only ask the engine, by namespace. `call` asks it by name. */\nfunction operations(call) {\n  return {\n";
    let mut namespaces: Vec<Option<&str>> = Vec::new();
    for operation in &surface.operations {
        if !namespaces.contains(&operation.namespace()) {
            namespaces.push(operation.namespace());
        }
    }
    for namespace in namespaces {
        let _ = writeln!(out, "    {}: {{", namespace.unwrap_or("engine"));
        for operation in surface.operations.iter().filter(|operation| operation.namespace() == namespace) {
            let called = operation.name.as_str();
            if NOT_ASKED.contains(&called) {
                continue;
            }
            let method = operation.method();
            if operation.is_positional() {
                let names: Vec<&str> = operation.parameters.iter().map(|field| field.name.as_str()).collect();
                let names = names.join(", ");
                let _ = writeln!(out, "      {method}: ({names}) => call('{called}', {{ {names} }}),");
            } else if operation.parameters.is_empty() {
                let _ = writeln!(out, "      {method}: () => call('{called}', {{}}),");
            } else {
                let _ = writeln!(out, "      {method}: (params) => call('{called}', params),");
            }
        }
        out += "    },\n";
    }
    out += "  };\n}\n\n/** The pure functions. `call` does one by name, `list` makes one of a set, `options` checks an object. */\n";
    out += "function functions(call, list, options) {\n  return {\n";
    for function in surface.functions.iter().filter(|function| !function.hidden) {
        let called = &function.name;
        if !function.positional {
            let default = if function.parameters.iter().all(|field| field.optional) { " = {}" } else { "" };
            let _ = writeln!(out, "    {called}: (given{default}) => call('{called}', options(given)),");
            continue;
        }
        let names: Vec<&str> = function.parameters.iter().map(|field| field.name.as_str()).collect();
        let passed: Vec<String> = function
            .parameters
            .iter()
            .map(|field| match field.ty {
                Ty::Set(_) => format!("{0}: list({0})", field.name),
                _ => field.name.clone(),
            })
            .collect();
        let _ = writeln!(out, "    {called}: ({}) => call('{called}', {{ {} }}),", names.join(", "), passed.join(", "));
    }
    out += "  };\n}\n\n/** The class of each error code. */\nconst ERROR_CLASSES = {\n";
    for code in &surface.codes {
        let _ = writeln!(out, "  {}: '{}',", code.code, error_class(&code.code));
    }
    out += "};\n\nmodule.exports = { ERROR_CLASSES, functions, operations };\n";
    out
}
