//! Reads the surface out of the sources.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::{fs, io};

use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Expr, ExprLit, Fields, GenericArgument, Ident, ImplItem, Item, Lit, LitInt, LitStr, Meta, PathArguments,
    Stmt, Token, Type as SynType, braced, bracketed, parenthesized,
};

use crate::surface::{Code, Field, Operation, Shape, Surface, Ty, Type, camel};

/// What hosts call the core's types, where that is something else.
const PUBLIC: &[(&str, &str)] = &[
    ("After", "TailCursor"),
    ("Change", "SettingsPatch"),
    ("GivenPart", "MessagePart"),
    ("HostedCall", "RunStepCall"),
    ("HostedContent", "RunStepContent"),
    ("HostedContentKind", "RunStepContentType"),
    ("HostedError", "RunStepError"),
    ("HostedFile", "RunStepFile"),
    ("HostedRequest", "RunRequest"),
    ("HostedResult", "RunStepResult"),
    ("HostedRun", "BegunRun"),
    ("HostedStep", "RunStep"),
    ("Labels", "ExportLabels"),
    ("LoopMessage", "RunStepMessage"),
    ("LoopMessagePart", "RunStepMessagePart"),
    ("LoopMessagePartKind", "RunStepMessagePartType"),
    ("OpenPage", "PageRef"),
    ("Rotation", "SecretRotation"),
    ("Shown", "WorkspaceSettings"),
    ("StreamMetadata", "StreamMetadata"),
    ("Tested", "SettingsTest"),
    ("UiChunk", "UIMessageChunk"),
    ("UiMessage", "ShownMessage"),
    ("UserMessage", "MessageInput"),
];
/// The members of the core's types that say less than hosts may know.
const MEMBERS: &[(&str, &str, &str)] = &[
    ("ProviderConfig", "driver", "DriverName"),
    ("CallOptions", "provider_options", "ProviderOptions"),
    ("StoreHealth", "kind", "StoreKind"),
    ("GivenMessage", "role", "MessageRole"),
    ("UIMessageChunk", "provider_metadata", "ProviderMetadata"),
    ("CallDetails", "provider_metadata", "ProviderMetadata"),
    ("UIMessageChunk", "Part", "PartChunk"),
    ("UIMessageChunk", "preliminary", "True"),
    ("UIMessageChunk", "reason", "RunReason"),
    ("RunOutcome", "status", "EndStatus"),
    ("TailEnd", "status", "EndStatus"),
    ("StreamMetadata", "status", "EndedMessageStatus"),
    ("runs.finish", "status", "EndStatus"),
    ("runs.tail", "from", "TailStart"),
    ("chats.export", "format", "DocumentFormat"),
    ("AgentRole", "model_config", "RoleModelConfig"),
    ("roles.create", "model_config", "RoleModelConfig"),
    ("roles.update", "model_config", "RoleModelConfig"),
    ("transcribe", "audio", "Bytes"),
    ("RunStepMessage", "content", "RunStepMessageContent"),
    ("ErrorText", "failure", ""),
];
/// What is described nowhere else, because it is one word.
const SMALL: &[(&str, &str, &[&str])] = &[
    ("EndStatus", "How a run may end.", &["succeeded", "failed", "aborted"]),
    ("EndedMessageStatus", "How a message may end.", &["completed", "error", "aborted"]),
    ("StoreKind", "Which database a store is.", &["sqlite", "postgres"]),
    (
        "TailStart",
        "Where a tail begins: with finished steps in compact form, or chunk by chunk.",
        &["snapshot", "start"],
    ),
    ("DocumentFormat", "Which document a chat is exported as.", &["markdown", "json"]),
];
/// Types that no operation names, and hosts meet all the same.
const ROOTS: &[&str] = &[
    "EngineOptions",
    "TurnRequest",
    "ToolDefinition",
    "RunRequest",
    "RunStep",
    "RunOutcome",
    "UIMessageChunk",
    "TailItem",
    "TailEnd",
    "PendingMigration",
];

struct Source {
    path: PathBuf,
    file: syn::File,
}

struct Sources {
    core: Vec<Source>,
    shapes: Vec<Item>,
    consts: HashMap<String, Expr>,
}

pub fn read(root: &Path) -> io::Result<Surface> {
    let mut core = Vec::new();
    collect(&root.join("core/src"), &mut core)?;
    let shapes = parse(&root.join("tools/surface/src/shapes.rs"))?.items;
    let mut consts = HashMap::new();
    for source in &core {
        for item in &source.file.items {
            if let Item::Const(item) = item {
                consts.insert(item.ident.to_string(), (*item.expr).clone());
            }
        }
    }
    let sources = Sources { core, shapes, consts };
    let mut surface = Surface { codes: sources.codes(), ..Surface::default() };
    surface.operations = sources.operations();
    surface.functions = sources.functions();
    sources.types(&mut surface);
    Ok(surface)
}

fn parse(path: &Path) -> io::Result<syn::File> {
    syn::parse_file(&fs::read_to_string(path)?)
        .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
}

fn collect(folder: &Path, into: &mut Vec<Source>) -> io::Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if !path.ends_with("simulation") {
                collect(&path, into)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(Source { file: parse(&path)?, path });
        }
    }
    Ok(())
}

/// The documentation, and the codes under its heading "Errors".
fn docs(attributes: &[Attribute]) -> (String, Vec<String>) {
    let mut lines: Vec<String> = Vec::new();
    for attribute in attributes {
        if let Meta::NameValue(meta) = &attribute.meta
            && meta.path.is_ident("doc")
            && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &meta.value
        {
            lines.push(text.value().trim().to_owned());
        }
    }
    let text = lines.join("\n");
    let (text, errors) = text.split_once("# Errors").unwrap_or((&text, ""));
    let codes = errors.split('`').filter(|word| word.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
    let codes = codes.filter(|word| word.len() > 3).map(ToOwned::to_owned).collect();
    (unlinked(text.trim()), codes)
}

/// Links within Rust's documentation are names to others.
fn unlinked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("[`") {
        let Some(end) = rest[start..].find("`]") else { break };
        out.push_str(&rest[..start]);
        let name = &rest[start + 2..start + end];
        // Marked, because each language spells it in its own way.
        out.push_str("`@");
        out.push_str(name.rsplit("::").next().unwrap_or(name));
        out.push('`');
        rest = &rest[start + end + 2..];
        if rest.starts_with('(') {
            rest = rest.find(')').map_or(rest, |end| &rest[end + 1..]);
        }
    }
    out + rest
}

fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        matches!(&attribute.meta, Meta::List(list) if list.path.is_ident("doc") && list.tokens.to_string() == "hidden")
    })
}

/// What serde is told: words, and `name = "value"`.
#[derive(Default)]
struct Serde {
    words: BTreeSet<String>,
    values: HashMap<String, String>,
}

fn serde(attributes: &[Attribute]) -> Serde {
    let mut serde = Serde::default();
    for attribute in attributes {
        if let Meta::List(list) = &attribute.meta
            && list.path.is_ident("serde")
        {
            let parsed = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(list.tokens.clone());
            for meta in parsed.into_iter().flatten() {
                match meta {
                    Meta::NameValue(pair) => {
                        if let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value {
                            let name = pair.path.get_ident().map(ToString::to_string).unwrap_or_default();
                            serde.values.insert(name, text.value());
                        }
                    }
                    Meta::Path(path) => {
                        serde.words.extend(path.get_ident().map(ToString::to_string));
                    }
                    Meta::List(_) => {}
                }
            }
        }
    }
    serde
}

fn derives(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| {
        matches!(&attribute.meta, Meta::List(list) if list.path.is_ident("derive")
            && list.tokens.to_string().split(',').any(|derived| derived.trim() == name))
    })
}

fn cased(name: &str, rule: Option<&str>) -> String {
    let words = || {
        let mut words: Vec<String> = Vec::new();
        for character in name.chars() {
            if character.is_ascii_uppercase() || words.is_empty() {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.push(character.to_ascii_lowercase());
            }
        }
        words
    };
    match rule {
        Some("kebab-case") => words().join("-"),
        Some("snake_case") => words().join("_"),
        Some("lowercase") => name.to_lowercase(),
        Some("camelCase") if name.starts_with(|c: char| c.is_ascii_uppercase()) => camel(&words().join("_")),
        Some("camelCase") => camel(name),
        _ => name.to_owned(),
    }
}

fn public(name: &str) -> String {
    PUBLIC.iter().find(|(core, _)| *core == name).map_or(name, |(_, public)| public).to_owned()
}

/// The type that hosts meet; `shapes`: names are public already.
fn ty(given: &SynType, shapes: bool) -> Ty {
    match given {
        SynType::Reference(reference) => ty(&reference.elem, shapes),
        SynType::Tuple(tuple) if tuple.elems.is_empty() => Ty::Unit,
        SynType::Path(path) => {
            let Some(last) = path.path.segments.last() else { return Ty::Any };
            let of: Vec<&SynType> = match &last.arguments {
                PathArguments::AngleBracketed(list) => list
                    .args
                    .iter()
                    .filter_map(|argument| match argument {
                        GenericArgument::Type(ty) => Some(ty),
                        _ => None,
                    })
                    .collect(),
                _ => Vec::new(),
            };
            let first = |wrap: fn(Box<Ty>) -> Ty| of.first().map_or(Ty::Any, |of| wrap(Box::new(ty(of, shapes))));
            let name = last.ident.to_string();
            match name.as_str() {
                "Box" | "Arc" | "Cow" => of.first().map_or(Ty::String, |of| ty(of, shapes)),
                "Option" => first(Ty::Nullable),
                "Maybe" => first(Ty::Maybe),
                "Vec" => first(Ty::List),
                "Set" => first(Ty::Set),
                "BTreeMap" | "HashMap" => of.get(1).map_or(Ty::Any, |of| Ty::Map(Box::new(ty(of, shapes)))),
                "String" | "str" | "SecretString" | "PathBuf" | "OwnedText" | "Text" | "Timestamp" | "ChatId"
                | "RunId" | "MessageId" | "AgentRoleId" | "McpServerId" | "ChatRef" | "Cursor" => Ty::String,
                "bool" => Ty::Bool,
                "u8" | "u16" | "u32" | "u64" | "usize" | "i32" | "i64" => Ty::Int,
                "f32" | "f64" | "Number" => Ty::Float,
                "Json" | "RawValue" | "Raw" | "Value" => Ty::Any,
                "Moment" => Ty::Moment,
                "Bytes" => Ty::Bytes,
                "True" => Ty::True,
                "False" => Ty::False,
                "ToolPartType" => Ty::Prefixed("tool-"),
                "DataPartType" => Ty::Prefixed("data-"),
                "ProviderMetadata" | "ProviderOptions" => Ty::Map(Box::new(Ty::Any)),
                _ if shapes => Ty::Named(name),
                _ => Ty::Named(public(&name)),
            }
        }
        _ => Ty::Any,
    }
}

impl Sources {
    fn macros(&self, name: &str) -> impl Iterator<Item = &syn::Macro> {
        self.core.iter().flat_map(|source| &source.file.items).filter_map(move |item| match item {
            Item::Macro(item) if item.ident.is_none() && item.mac.path.is_ident(name) => Some(&item.mac),
            _ => None,
        })
    }

    fn codes(&self) -> Vec<Code> {
        struct Entry(Code);
        impl Parse for Entry {
            fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
                let doc = docs(&input.call(Attribute::parse_outer)?).0;
                input.parse::<Ident>()?;
                input.parse::<Token![=]>()?;
                let code = input.parse::<LitStr>()?.value();
                input.parse::<Token![,]>()?;
                let number = input.parse::<LitInt>()?.base10_parse()?;
                input.parse::<Token![,]>()?;
                let status = input.parse::<LitInt>()?.base10_parse()?;
                Ok(Self(Code { code, number, status, doc }))
            }
        }
        let parse = Punctuated::<Entry, Token![;]>::parse_terminated;
        self.macros("codes").flat_map(|found| parsed(parse, found)).map(|entry| entry.0).collect()
    }

    fn words(&self) -> Vec<Type> {
        struct Entry(Type);
        impl Parse for Entry {
            fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
                let doc = docs(&input.call(Attribute::parse_outer)?).0;
                let name = input.parse::<Ident>()?.to_string();
                let content;
                braced!(content in input);
                let mut words = Vec::new();
                while !content.is_empty() {
                    let doc = docs(&content.call(Attribute::parse_outer)?).0;
                    content.parse::<Ident>()?;
                    content.parse::<Token![=]>()?;
                    words.push((content.parse::<LitStr>()?.value(), doc));
                    content.parse::<Option<Token![,]>>()?;
                }
                Ok(Self(Type { name, doc, shape: Shape::Words(words), input: false }))
            }
        }
        let parse = |input: ParseStream<'_>| {
            let mut entries = Vec::new();
            while !input.is_empty() {
                entries.push(input.parse::<Entry>()?);
            }
            Ok(entries)
        };
        self.macros("words").flat_map(|found| parsed(parse, found)).map(|entry| entry.0).collect()
    }

    fn functions(&self) -> Vec<Operation> {
        struct Parameter(Field);
        impl Parse for Parameter {
            fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
                let doc = docs(&input.call(Attribute::parse_outer)?).0;
                let snake = input.parse::<Ident>()?.to_string();
                input.parse::<Token![:]>()?;
                let (ty, optional) = match ty(&input.parse::<SynType>()?, true) {
                    Ty::Nullable(ty) => (Ty::Nullable(ty), true),
                    ty => (ty, false),
                };
                Ok(Self(Field { name: camel(&snake), snake, doc, ty, optional, default: None }))
            }
        }
        struct Entry(Operation);
        impl Parse for Entry {
            fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
                let attributes = input.call(Attribute::parse_outer)?;
                let name = input.parse::<LitStr>()?.value();
                let positional = input.peek(syn::token::Paren);
                let content;
                if positional {
                    parenthesized!(content in input);
                } else {
                    braced!(content in input);
                }
                let parameters = Punctuated::<Parameter, Token![,]>::parse_terminated(&content)?;
                input.parse::<Token![->]>()?;
                let answer;
                bracketed!(answer in input);
                let answer = ty(&answer.parse::<SynType>()?, true);
                input.parse::<Token![=]>()?;
                input.parse::<syn::Path>()?;
                Ok(Self(Operation {
                    name,
                    doc: docs(&attributes).0,
                    parameters: parameters.into_iter().map(|parameter| parameter.0).collect(),
                    answer,
                    errors: Vec::new(),
                    begins: false,
                    positional,
                    hidden: is_hidden(&attributes),
                }))
            }
        }
        let parse = Punctuated::<Entry, Token![;]>::parse_terminated;
        self.macros("functions").flat_map(|found| parsed(parse, found)).map(|entry| entry.0).collect()
    }

    fn operations(&self) -> Vec<Operation> {
        let parse = Punctuated::<syn::Path, Token![,]>::parse_terminated;
        let paths = self.macros("operations").flat_map(|found| parsed(parse, found));
        let mut operations: Vec<Operation> = paths
            .map(|path| {
                let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
                let [module, name] = segments.as_slice() else { panic!("operations are named as module::Type") };
                self.operation(module, name, None)
            })
            .collect();
        // It has no answer of its own, and so is not in the list.
        operations.push(self.operation("runs", "TailLog", Some("runs.tail")));
        operations
    }

    fn operation(&self, module: &str, name: &str, called: Option<&str>) -> Operation {
        let source = self.core.iter().find(|source| source.path.ends_with(format!("surface/{module}.rs")));
        let source = source.unwrap_or_else(|| panic!("there is no surface/{module}.rs"));
        let described = source.file.items.iter().find_map(|item| match item {
            Item::Struct(item) if item.ident == name => Some(item),
            _ => None,
        });
        let described = described.unwrap_or_else(|| panic!("{module}::{name} is not a struct"));
        let (doc, errors) = docs(&described.attrs);
        let mut operation = Operation {
            name: called.unwrap_or_default().to_owned(),
            doc,
            parameters: Vec::new(),
            answer: Ty::Unit,
            errors,
            begins: false,
            positional: false,
            hidden: false,
        };
        for item in &source.file.items {
            let Item::Impl(item) = item else { continue };
            let is_of = matches!(&*item.self_ty, SynType::Path(path) if path.path.is_ident(name));
            let is_operation = item.trait_.as_ref().is_some_and(|(_, path, _)| path.is_ident("Operation"));
            if !is_of || !is_operation {
                continue;
            }
            for item in &item.items {
                match item {
                    ImplItem::Const(item) if item.ident == "NAME" => operation.name = string(&item.expr),
                    ImplItem::Const(item) if item.ident == "BEGINS" => operation.begins = true,
                    ImplItem::Type(item) if item.ident == "Answer" => operation.answer = ty(&item.ty, false),
                    _ => {}
                }
            }
        }
        operation.parameters = match &described.fields {
            Fields::Unnamed(fields) => match fields.unnamed.first().map(|field| ty(&field.ty, false)) {
                Some(Ty::Named(of)) => match self.described(&of).map(|found| found.shape) {
                    Some(Shape::Object { fields, .. }) => fields,
                    _ => panic!("{of} is not an object"),
                },
                _ => Vec::new(),
            },
            fields => self.fields(&operation.name, fields, &serde(&described.attrs), None, false, true),
        };
        operation
    }

    /// All types that hosts meet.
    fn types(&self, surface: &mut Surface) {
        let mut found: BTreeMap<String, Type> = BTreeMap::new();
        let mut wanted: Vec<String> = ROOTS.iter().map(|name| (*name).to_owned()).collect();
        for operation in surface.operations.iter().chain(&surface.functions) {
            named(&operation.answer, &mut wanted);
            operation.parameters.iter().for_each(|field| named(&field.ty, &mut wanted));
        }
        while let Some(name) = wanted.pop() {
            if found.contains_key(&name) {
                continue;
            }
            let ty = self.described(&name).unwrap_or_else(|| panic!("nothing describes the type {name}"));
            match &ty.shape {
                Shape::Object { fields, .. } => fields.iter().for_each(|field| named(&field.ty, &mut wanted)),
                Shape::Union(members) => members.iter().for_each(|ty| named(ty, &mut wanted)),
                Shape::Alias(ty) => named(ty, &mut wanted),
                Shape::Words(_) => {}
            }
            found.insert(name, ty);
        }
        surface.types = found.into_values().collect();
    }

    fn described(&self, name: &str) -> Option<Type> {
        if let Some((name, doc, words)) = SMALL.iter().find(|(small, ..)| *small == name) {
            let words = words.iter().map(|word| ((*word).to_owned(), String::new())).collect();
            let (name, doc) = ((*name).to_owned(), (*doc).to_owned());
            return Some(Type { name, doc, shape: Shape::Words(words), input: false });
        }
        let shape = self.shapes.iter().find_map(|item| self.described_by(item, name, true));
        if shape.is_some() {
            return shape;
        }
        if let Some(words) = self.words().into_iter().find(|ty| ty.name == name) {
            return Some(words);
        }
        let core = PUBLIC.iter().find(|(_, public)| *public == name).map_or(name, |(core, _)| core);
        let mut items = self.core.iter().flat_map(|source| &source.file.items);
        let mut ty = items.find_map(|item| self.described_by(item, core, false))?;
        name.clone_into(&mut ty.name);
        Some(ty)
    }

    fn described_by(&self, item: &Item, name: &str, shapes: bool) -> Option<Type> {
        match item {
            Item::Struct(item) if item.ident == name => {
                let (doc, _) = docs(&item.attrs);
                if shapes && doc == "See the core." {
                    return None;
                }
                let serde = serde(&item.attrs);
                // What refuses members that it does not know is given by hosts, also where it is stored. Shapes refuse
                // them for the sake of tests.
                let strict = !shapes && serde.words.contains("deny_unknown_fields");
                let input = !derives(&item.attrs, "Serialize") || strict;
                if !input || derives(&item.attrs, "Deserialize") {
                    let defaults = self.defaults(name).filter(|_| serde.words.contains("default"));
                    let fields = self.fields(&public(name), &item.fields, &serde, defaults, shapes, input);
                    let open = item.fields.iter().any(|field| {
                        crate::read::serde(&field.attrs).words.contains("flatten")
                            && matches!(ty(&field.ty, shapes), Ty::Map(_))
                    });
                    return Some(Type { name: name.to_owned(), doc, shape: Shape::Object { fields, open }, input });
                }
                None
            }
            Item::Enum(item) if item.ident == name => {
                let (doc, _) = docs(&item.attrs);
                let input = !derives(&item.attrs, "Serialize");
                Some(Type { name: name.to_owned(), doc, shape: self.variants(item, shapes, input), input })
            }
            Item::Type(item) if item.ident == name => {
                let (doc, _) = docs(&item.attrs);
                Some(Type { name: name.to_owned(), doc, shape: Shape::Alias(ty(&item.ty, shapes)), input: true })
            }
            _ => None,
        }
    }

    fn variants(&self, item: &syn::ItemEnum, shapes: bool, input: bool) -> Shape {
        let told = serde(&item.attrs);
        let owner = public(&item.ident.to_string());
        let rule = told.values.get("rename_all").map(String::as_str);
        let name = |variant: &syn::Variant| {
            let own = serde(&variant.attrs).values.get("rename").cloned();
            own.unwrap_or_else(|| cased(&variant.ident.to_string(), rule))
        };
        let only_words = item.variants.iter().all(|variant| matches!(variant.fields, Fields::Unit));
        if only_words && !told.values.contains_key("tag") {
            let variants = item.variants.iter().filter(|variant| {
                let name = name(variant);
                !MEMBERS.iter().any(|(of, member, ty)| *of == owner && *member == name && ty.is_empty())
            });
            return Shape::Words(variants.map(|variant| (name(variant), docs(&variant.attrs).0)).collect());
        }
        let mut inner = Serde::default();
        if let Some(rule) = told.values.get("rename_all_fields") {
            inner.values.insert("rename_all".to_owned(), rule.clone());
        }
        let members = item.variants.iter().map(|variant| {
            let replaced = MEMBERS.iter().find(|(of, member, _)| *of == owner && variant.ident == member);
            if let Some((_, _, ty)) = replaced {
                return Ty::Named((*ty).to_owned());
            }
            let name = name(variant);
            match (&variant.fields, told.values.get("tag")) {
                (fields, Some(tag)) => {
                    let mut all = vec![Field {
                        name: tag.clone(),
                        snake: tag.clone(),
                        doc: docs(&variant.attrs).0,
                        ty: Ty::Literal(name),
                        optional: false,
                        default: None,
                    }];
                    all.extend(self.fields(&owner, fields, &inner, None, shapes, input));
                    Ty::Object(all)
                }
                (Fields::Unit, None) => Ty::Literal(name),
                (Fields::Unnamed(fields), None) => {
                    let ty = fields.unnamed.first().map_or(Ty::Unit, |field| ty(&field.ty, shapes));
                    if told.words.contains("untagged") {
                        return ty;
                    }
                    let field = Field {
                        snake: name.clone(),
                        name,
                        doc: docs(&variant.attrs).0,
                        ty,
                        optional: false,
                        default: None,
                    };
                    Ty::Object(vec![field])
                }
                (fields, None) => Ty::Object(self.fields(&owner, fields, &inner, None, shapes, input)),
            }
        });
        Shape::Union(members.collect())
    }

    fn fields(
        &self,
        owner: &str,
        fields: &Fields,
        told: &Serde,
        defaults: Option<HashMap<String, Expr>>,
        shapes: bool,
        input: bool,
    ) -> Vec<Field> {
        let rule = told.values.get("rename_all").map(String::as_str);
        let mut all = Vec::new();
        for field in fields {
            let own = serde(&field.attrs);
            if own.words.contains("skip") {
                continue;
            }
            let rust = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
            let rust = rust.trim_start_matches("r#").to_owned();
            let mut of = ty(&field.ty, shapes);
            if own.words.contains("flatten") {
                if let Ty::Named(name) = &of
                    && let Some(Type { shape: Shape::Object { fields, .. }, .. }) = self.described(name)
                {
                    all.extend(fields);
                }
                continue;
            }
            let name = own.values.get("rename").cloned().unwrap_or_else(|| cased(&rust, rule));
            let skipped = own.values.get("skip_serializing_if").map(String::as_str);
            let mut optional = skipped.is_some();
            let mut default = None;
            let has_default = |own: &Serde| own.words.contains("default") || own.values.contains_key("default");
            if let Ty::Nullable(inner) = &of
                && (optional || input)
            {
                of = (**inner).clone();
                optional = true;
            } else if input && (has_default(&own) || told.words.contains("default")) {
                optional = true;
                default = match (own.values.get("default"), defaults.as_ref().and_then(|all| all.get(&rust))) {
                    (Some(function), _) => self.function(function).and_then(|expr| self.value(&expr)),
                    (None, Some(expr)) => self.value(expr),
                    (None, None) => self.default_of(&of),
                };
            }
            if let Some((_, _, ty)) = MEMBERS.iter().find(|(of, member, _)| *of == owner && *member == rust) {
                let named: SynType = syn::parse_str(ty).unwrap_or_else(|_| panic!("{ty} is no type"));
                of = match of {
                    Ty::Nullable(_) => Ty::Nullable(Box::new(crate::read::ty(&named, true))),
                    _ => crate::read::ty(&named, true),
                };
            }
            if skipped == Some("std::ops::Not::not") {
                of = Ty::True;
            }
            let doc = docs(&field.attrs).0;
            let doc = if doc.is_empty() { known(&name) } else { doc };
            all.push(Field { name, snake: rust, doc, ty: of, optional, default });
        }
        all
    }

    /// The fields of `impl Default for name`.
    fn defaults(&self, name: &str) -> Option<HashMap<String, Expr>> {
        let mut items = self.core.iter().flat_map(|source| &source.file.items);
        items.find_map(|item| {
            let Item::Impl(item) = item else { return None };
            let (_, path, _) = item.trait_.as_ref()?;
            let is_of = matches!(&*item.self_ty, SynType::Path(of) if of.path.is_ident(name));
            if !is_of || !path.is_ident("Default") {
                return None;
            }
            let ImplItem::Fn(function) = item.items.first()? else { return None };
            let Stmt::Expr(Expr::Struct(given), None) = function.block.stmts.last()? else { return None };
            Some(
                given
                    .fields
                    .iter()
                    .filter_map(|field| match &field.member {
                        syn::Member::Named(name) => Some((name.to_string(), field.expr.clone())),
                        syn::Member::Unnamed(_) => None,
                    })
                    .collect(),
            )
        })
    }

    /// What a function without parameters answers.
    fn function(&self, name: &str) -> Option<Expr> {
        let mut items = self.core.iter().flat_map(|source| &source.file.items);
        items.find_map(|item| match item {
            Item::Fn(item) if item.sig.ident == name => match item.block.stmts.last()? {
                Stmt::Expr(expr, None) => Some(expr.clone()),
                _ => None,
            },
            _ => None,
        })
    }

    /// The default of a type: of words the one that is marked.
    fn default_of(&self, of: &Ty) -> Option<String> {
        match of {
            Ty::Bool => Some("false".to_owned()),
            Ty::Named(name) => {
                let core = PUBLIC.iter().find(|(_, public)| public == name).map_or(name.as_str(), |(core, _)| core);
                let mut items = self.core.iter().flat_map(|source| &source.file.items);
                items.find_map(|item| {
                    let Item::Enum(item) = item else { return None };
                    if item.ident != core {
                        return None;
                    }
                    let marked = |variant: &&syn::Variant| {
                        variant.attrs.iter().any(|attribute| attribute.path().is_ident("default"))
                    };
                    let variant = item.variants.iter().find(marked)?;
                    let told = serde(&item.attrs);
                    let rule = told.values.get("rename_all").map(String::as_str);
                    let own = serde(&variant.attrs).values.get("rename").cloned();
                    Some(format!("\"{}\"", own.unwrap_or_else(|| cased(&variant.ident.to_string(), rule))))
                })
            }
            _ => None,
        }
    }

    /// An expression as JSON, where it is a plain one.
    fn value(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Lit(ExprLit { lit: Lit::Bool(value), .. }) => Some(value.value.to_string()),
            Expr::Path(path) => {
                let segments: Vec<String> =
                    path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
                match segments.as_slice() {
                    [name] if name != "None" => self.value(self.consts.get(name)?),
                    [of, variant] => {
                        let word = self.words().into_iter().find(|ty| ty.name == *of);
                        let word = word.and_then(|ty| match ty.shape {
                            Shape::Words(words) => {
                                let snake = cased(variant, Some("snake_case"));
                                words.into_iter().map(|(word, _)| word).find(|word| *word == snake)
                            }
                            _ => None,
                        });
                        Some(format!("\"{}\"", word.unwrap_or_else(|| cased(variant, Some("camelCase")))))
                    }
                    _ => None,
                }
            }
            _ => self.number(expr).map(|number| number.to_string()),
        }
    }

    fn number(&self, expr: &Expr) -> Option<u64> {
        match expr {
            Expr::Lit(ExprLit { lit: Lit::Int(value), .. }) => value.base10_parse().ok(),
            Expr::Binary(binary) if matches!(binary.op, syn::BinOp::Mul(_)) => {
                Some(self.number(&binary.left)? * self.number(&binary.right)?)
            }
            Expr::Path(path) => self.number(self.consts.get(&path.path.segments.last()?.ident.to_string())?),
            _ => None,
        }
    }
}

/// What is the same wherever it stands.
fn known(name: &str) -> String {
    match name {
        "workspaceId" => "The workspace.",
        "userId" => "The user who asks.",
        _ => "",
    }
    .to_owned()
}

fn named(ty: &Ty, into: &mut Vec<String>) {
    match ty {
        Ty::Named(name) => into.push(name.clone()),
        Ty::List(of) | Ty::Set(of) | Ty::Map(of) | Ty::Nullable(of) | Ty::Maybe(of) => named(of, into),
        Ty::Object(fields) => fields.iter().for_each(|field| named(&field.ty, into)),
        _ => {}
    }
}

fn string(expr: &Expr) -> String {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.value(),
        _ => panic!("a name has to be a literal"),
    }
}

fn parsed<T: IntoIterator>(parser: impl Parser<Output = T>, found: &syn::Macro) -> T {
    parser.parse2(found.tokens.clone()).unwrap_or_else(|error| panic!("{error}"))
}
