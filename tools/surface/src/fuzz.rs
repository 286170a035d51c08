//! Arguments for every function that the fuzzer fills in.

use std::fmt::Write as _;

use crate::GENERATED;
use crate::surface::{Field, Shape, Surface, Ty};

/// How deep types are followed that hold others.
const DEPTH: u32 = 4;

pub fn templates(surface: &Surface) -> String {
    let mut out = format!(
        "//! Every function that the door knows, and arguments for it; `@` is where the input's text goes, as a JSON string, and\n//! `#` where a value of any kind goes.\n//!\n//! {GENERATED}\n\n/// The functions and their arguments.\n#[rustfmt::skip]\npub const FUNCTIONS: &[(&str, &str)] = &[\n"
    );
    // By name: which of them an input is for depends on their order.
    let mut functions: Vec<_> = surface.functions.iter().collect();
    functions.sort_by_key(|function| function.name.clone());
    for function in functions {
        let arguments = object(surface, &function.parameters, DEPTH);
        let _ = writeln!(out, "    (\"{}\", r##\"{arguments}\"##),", function.name);
    }
    out + "];\n"
}

fn object(surface: &Surface, fields: &[Field], depth: u32) -> String {
    let members: Vec<String> =
        fields.iter().map(|field| format!("\"{}\":{}", field.name, value(surface, &field.ty, depth))).collect();
    format!("{{{}}}", members.join(","))
}

fn value(surface: &Surface, ty: &Ty, depth: u32) -> String {
    match ty {
        Ty::String | Ty::Moment | Ty::Bytes => "@".to_owned(),
        Ty::Prefixed(prefix) => format!("\"{prefix}x\""),
        Ty::Int => "20".to_owned(),
        Ty::Float => "5.0".to_owned(),
        Ty::Bool | Ty::True => "true".to_owned(),
        Ty::False => "false".to_owned(),
        Ty::Any => "#".to_owned(),
        Ty::Unit => "null".to_owned(),
        Ty::Literal(word) => format!("\"{word}\""),
        Ty::Nullable(of) | Ty::Maybe(of) => value(surface, of, depth),
        Ty::List(of) | Ty::Set(of) => format!("[{}]", value(surface, of, depth)),
        Ty::Map(of) => format!("{{\"x\":{}}}", value(surface, of, depth)),
        Ty::Object(fields) => object(surface, fields, depth),
        Ty::Named(_) if depth == 0 => "null".to_owned(),
        Ty::Named(name) => match surface.find(name).map(|ty| &ty.shape) {
            Some(Shape::Object { fields, .. }) => object(surface, fields, depth - 1),
            Some(Shape::Words(words)) => words.first().map_or("null".to_owned(), |(word, _)| format!("\"{word}\"")),
            Some(Shape::Union(members)) => {
                members.first().map_or("null".to_owned(), |ty| value(surface, ty, depth - 1))
            }
            Some(Shape::Alias(of)) => value(surface, of, depth - 1),
            None => "null".to_owned(),
        },
    }
}
