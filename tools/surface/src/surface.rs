//! The surface as data: what every language's generator goes through.

/// A type as it crosses a border.
#[derive(Clone, Debug, PartialEq)]
pub enum Ty {
    String,
    Int,
    Float,
    Bool,
    /// Any JSON.
    Any,
    /// Nothing at all.
    Unit,
    List(Box<Ty>),
    /// A list whose order says nothing, for which languages have a type.
    Set(Box<Ty>),
    Map(Box<Ty>),
    Nullable(Box<Ty>),
    /// An answer that may be nothing, which is `undefined` in JavaScript.
    Maybe(Box<Ty>),
    /// A type of the surface.
    Named(String),
    /// A string that begins so.
    Prefixed(&'static str),
    /// A time.
    Moment,
    /// Bytes, which cross in base64.
    Bytes,
    Literal(String),
    True,
    False,
    /// An object with members of its own.
    Object(Vec<Field>),
}

/// A member of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// As it is called in JSON.
    pub name: String,
    /// As Rust and Python call it.
    pub snake: String,
    pub doc: String,
    pub ty: Ty,
    pub optional: bool,
    /// In JSON, where there is one to be named.
    pub default: Option<String>,
}

/// What a type is.
#[derive(Clone, Debug)]
pub enum Shape {
    /// `open`: others are kept, too.
    Object {
        fields: Vec<Field>,
        open: bool,
    },
    /// One of these words, with what each means.
    Words(Vec<(String, String)>),
    Union(Vec<Ty>),
    Alias(Ty),
}

/// A named type.
#[derive(Clone, Debug)]
pub struct Type {
    pub name: String,
    pub doc: String,
    pub shape: Shape,
    /// It goes into the engine, and does not come out of it.
    pub input: bool,
}

/// An operation of the engine, or a pure function.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Such as `runs.get`, or `flushAssistant`.
    pub name: String,
    pub doc: String,
    pub parameters: Vec<Field>,
    pub answer: Ty,
    /// Codes, without those that every operation may have.
    pub errors: Vec<String>,
    /// It begins something, and is refused while an engine drains.
    pub begins: bool,
    /// Parameters stand in their order; otherwise they are named.
    pub positional: bool,
    pub hidden: bool,
}

/// An error code.
#[derive(Clone, Debug)]
pub struct Code {
    pub code: String,
    pub number: i32,
    pub status: u16,
    pub doc: String,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Surface {
    pub types: Vec<Type>,
    pub operations: Vec<Operation>,
    pub functions: Vec<Operation>,
    pub codes: Vec<Code>,
}

impl Surface {
    pub fn find(&self, name: &str) -> Option<&Type> {
        self.types.iter().find(|ty| ty.name == name)
    }
}

/// Operations whose parameters stand in their order where the language has no objects for them.
const IN_ORDER: &[&str] = &["settings.get", "settings.test", "settings.update"];

impl Operation {
    /// Whether parameters stand in their order.
    pub fn is_positional(&self) -> bool {
        self.positional || IN_ORDER.contains(&self.name.as_str())
    }

    /// `runs` of `runs.get`; nothing for what the engine itself does.
    pub fn namespace(&self) -> Option<&str> {
        self.name.split_once('.').map(|(namespace, _)| namespace)
    }

    /// `get` of `runs.get`.
    pub fn method(&self) -> &str {
        self.name.split_once('.').map_or(&self.name, |(_, method)| method)
    }
}

/// `latest_for_chat` of `latestForChat`.
pub fn snake(name: &str) -> String {
    let mut out = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(character.to_ascii_lowercase());
    }
    out
}

/// `latestForChat` of `latest_for_chat`.
pub fn camel(name: &str) -> String {
    let mut out = String::new();
    let mut upper = false;
    for character in name.chars() {
        match character {
            '_' => upper = true,
            other if upper => {
                out.extend(other.to_uppercase());
                upper = false;
            }
            other => out.push(other),
        }
    }
    out
}

/// `RunAlreadyActiveError` of `A_RUN_ALREADY_ACTIVE`.
pub fn error_class(code: &str) -> String {
    let code = code.strip_prefix("A_").unwrap_or(code);
    let code = code.strip_suffix("_ERROR").unwrap_or(code);
    let word = |word: &str| word[..1].to_owned() + &word[1..].to_lowercase();
    code.split('_').map(word).collect::<String>() + "Error"
}

/// The text with the names that Rust links to as `spell` has them.
pub fn linked(text: &str, spell: impl Fn(&str) -> String) -> String {
    let mut pieces = text.split("`@");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once('`').unwrap_or((piece, ""));
        out.push('`');
        out.push_str(&spell(name));
        out.push('`');
        out.push_str(rest);
    }
    out
}

/// Text in lines of at most `width` characters; paragraphs are kept apart.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, paragraph) in text.split("\n\n").enumerate() {
        if number > 0 {
            lines.push(String::new());
        }
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        if !line.is_empty() {
            lines.push(line);
        }
    }
    lines
}
