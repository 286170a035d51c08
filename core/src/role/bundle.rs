//! Roles as one document that people can read and write: YAML, of which as much is taken as the document needs.
//!
//! It is read from the parser's events, within fixed bounds. Anchors and aliases, with which a short text can stand for an
//! endless one, are refused, and so are tags; nothing of what stands in a document is said in an error.

use std::collections::HashMap;
use std::fmt::Write as _;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use serde_json::Map;

use crate::error::{Error, ErrorCode, Result};
use crate::model::{AgentRole, Json, RoleFields};

use super::model::role_model_override;
use super::rules::NewRole;

/// How long a document may be, in bytes.
pub const MAX_BUNDLE_BYTES: usize = 1024 * 1024;
/// How many roles it may hold.
pub const MAX_BUNDLE_ROLES: usize = 1_000;

/// The form of documents that is written, and read.
const VERSION: &str = "1";
/// How deep lists and mappings lie in a document: the document, its roles, a role, its model.
const MAX_DEPTH: usize = 4;
/// How much of a name that nobody knows is repeated, in characters.
const SHOWN_NAME: usize = 40;
/// What is wrong where one of them stands.
const NOT_TAKEN: &str = "anchors, aliases and tags are not taken";
/// What a document is called in errors.
const BUNDLE: &str = "bundle";

const ROLE_MEMBERS: [&str; 8] =
    ["name", "emoji", "description", "instructions", "modelConfig", "enabled", "autoStart", "launchMessage"];

/// Reads a document, and checks each of its roles.
///
/// # Errors
/// `PAYLOAD_TOO_LARGE`; `INVALID_INPUT` with the path of what is wrong, such as `bundle.roles[2].name`.
pub fn read_bundle(text: &str) -> Result<Vec<RoleFields>> {
    if text.len() > MAX_BUNDLE_BYTES {
        return Err(too_large("is too long"));
    }
    let node = Reader { events: Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text)) }.document()?;
    let mut document = Members::of(node, BUNDLE.to_owned(), &["version", "roles"])?;
    match document.take("version") {
        Some(Node::Scalar { text, .. }) if text == VERSION => {}
        Some(_) => return Err(Error::invalid("bundle.version", format!("must be {VERSION}"))),
        None => return Err(Error::invalid("bundle.version", "is missing")),
    }
    let Some(Node::List(nodes)) = document.take("roles") else {
        return Err(Error::invalid("bundle.roles", "must be a list of roles"));
    };
    if nodes.len() > MAX_BUNDLE_ROLES {
        return Err(Error::invalid("bundle.roles", format!("must have at most {MAX_BUNDLE_ROLES} roles")));
    }
    let (mut roles, mut names) = (Vec::with_capacity(nodes.len()), HashMap::new());
    for (place, node) in nodes.into_iter().enumerate() {
        let path = format!("bundle.roles[{place}]");
        let fields = role(node, &path)?.check().map_err(|error| error.below(&path))?;
        if let Some(first) = names.insert(fields.name.clone(), place) {
            return Err(Error::invalid(format!("{path}.name"), format!("is that of bundle.roles[{first}], too")));
        }
        roles.push(fields);
    }
    Ok(roles)
}

/// Writes a document. What of a row's model nobody knows is left out.
///
/// # Errors
/// `PAYLOAD_TOO_LARGE` for one that [`read_bundle`] would not take.
pub fn write_bundle(roles: &[AgentRole]) -> Result<String> {
    if roles.len() > MAX_BUNDLE_ROLES {
        return Err(too_large("would hold too many roles: name some of them"));
    }
    let mut out = format!("version: {VERSION}\nroles:");
    out += if roles.is_empty() { " []\n" } else { "\n" };
    for role in roles {
        // Of every role the name comes first, and so has the dash.
        write_text(&mut out, "  - ", "name", Some(&role.name));
        write_text(&mut out, "    ", "emoji", role.emoji.as_deref());
        write_text(&mut out, "    ", "description", role.description.as_deref());
        write_text(&mut out, "    ", "instructions", Some(&role.instructions));
        if let Some(model) = role.model_config.as_ref().and_then(|config| role_model_override(None, config)) {
            out += "    modelConfig:\n";
            write_text(&mut out, "      ", "driver", model.driver.map(|driver| driver.as_str()));
            write_text(&mut out, "      ", "chatModel", model.chat_model.as_deref());
        }
        for (name, value) in [("enabled", role.enabled), ("autoStart", role.auto_start)] {
            let _ = writeln!(out, "    {name}: {value}");
        }
        write_text(&mut out, "    ", "launchMessage", role.launch_message.as_deref());
    }
    if out.len() > MAX_BUNDLE_BYTES { Err(too_large("would be too long: name some of the roles")) } else { Ok(out) }
}

fn too_large(problem: &str) -> Error {
    let limits = format!("at most {MAX_BUNDLE_BYTES} bytes and {MAX_BUNDLE_ROLES} roles");
    Error::new(ErrorCode::PayloadTooLarge, format!("{BUNDLE}: {problem} ({limits})")).with_detail("field", BUNDLE)
}

// ---- reading --------------------------------------------------------------------------------------------------------

enum Node {
    Scalar { text: String, plain: bool },
    List(Vec<Node>),
    Mapping(Vec<(String, Node)>),
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
}

impl<'a> Reader<'a> {
    /// The only document of the text.
    fn document(mut self) -> Result<Node> {
        let mut found = None;
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing, _) => {}
                (Event::StreamEnd, _) => return found.ok_or_else(|| Error::invalid(BUNDLE, "is empty")),
                (_, line) if found.is_some() => return Err(wrong(line, "a second document begins")),
                (event, line) => found = Some(self.node(event, line, 1)?),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, usize)> {
        match self.events.next_event() {
            Some(Ok((event, span))) => Ok((event, span.start.line())),
            Some(Err(error)) => Err(wrong(error.marker().line(), "this is not YAML")),
            None => Err(Error::invalid(BUNDLE, "ends too early")),
        }
    }

    fn node(&mut self, event: Event<'a>, line: usize, depth: usize) -> Result<Node> {
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag) | Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                (*anchor, tag.is_some())
            }
            Event::Alias(_) => return Err(wrong(line, NOT_TAKEN)),
            _ => return Err(wrong(line, "a value is missing")),
        };
        if anchor != 0 || tag {
            return Err(wrong(line, NOT_TAKEN));
        }
        if depth > MAX_DEPTH && !matches!(event, Event::Scalar(..)) {
            return Err(wrong(line, "this is nested too deeply"));
        }
        match event {
            Event::Scalar(text, style, ..) => {
                Ok(Node::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain })
            }
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => return Ok(Node::List(items)),
                        (event, line) => items.push(self.node(event, line, depth + 1)?),
                    }
                }
            }
            _ => self.mapping(depth),
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Node> {
        let mut members: Vec<(String, Node)> = Vec::new();
        loop {
            let (event, line) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Node::Mapping(members));
            }
            let Node::Scalar { text: name, .. } = self.node(event, line, depth + 1)? else {
                return Err(wrong(line, "a field's name must be text"));
            };
            // There are few, whatever the text holds: no mapping has more than its fields.
            if members.len() > ROLE_MEMBERS.len() || members.iter().any(|(known, _)| *known == name) {
                return Err(wrong(line, "a field is given twice, or not known"));
            }
            let (event, line) = self.next()?;
            members.push((name, self.node(event, line, depth + 1)?));
        }
    }
}

fn wrong(line: usize, problem: &str) -> Error {
    Error::invalid(BUNDLE, format!("line {line}: {problem}"))
}

/// The members of a mapping, by their names.
struct Members {
    path: String,
    members: Vec<(String, Node)>,
}

impl Members {
    fn of(node: Node, path: String, known: &[&str]) -> Result<Self> {
        let Node::Mapping(members) = node else {
            return Err(Error::invalid(path, format!("must be a mapping of {}", known.join(", "))));
        };
        if let Some((name, _)) = members.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            let name: String = name.chars().filter(|character| !character.is_control()).take(SHOWN_NAME).collect();
            return Err(Error::invalid(format!("{path}.{name}"), "is not a known field"));
        }
        Ok(Self { path, members })
    }

    fn take(&mut self, name: &str) -> Option<Node> {
        let place = self.members.iter().position(|(known, _)| known == name)?;
        Some(self.members.swap_remove(place).1)
    }

    /// A text; null and what is missing are none.
    fn text(&mut self, name: &str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(node) if is_null(&node) => Ok(None),
            Some(Node::Scalar { text, .. }) => Ok(Some(text)),
            Some(_) => Err(Error::invalid(format!("{}.{name}", self.path), "must be text")),
        }
    }

    fn needed_text(&mut self, name: &str) -> Result<String> {
        self.text(name)?.ok_or_else(|| Error::invalid(format!("{}.{name}", self.path), "is missing"))
    }

    fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        match self.take(name) {
            None => Ok(None),
            Some(node) if is_null(&node) => Ok(None),
            Some(Node::Scalar { text, plain: true }) if matches!(text.as_str(), "true" | "True" | "TRUE") => {
                Ok(Some(true))
            }
            Some(Node::Scalar { text, plain: true }) if matches!(text.as_str(), "false" | "False" | "FALSE") => {
                Ok(Some(false))
            }
            Some(_) => Err(Error::invalid(format!("{}.{name}", self.path), "must be true or false")),
        }
    }
}

fn is_null(node: &Node) -> bool {
    matches!(node, Node::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
}

fn role(node: Node, path: &str) -> Result<NewRole> {
    let mut members = Members::of(node, path.to_owned(), &ROLE_MEMBERS)?;
    Ok(NewRole {
        name: members.needed_text("name")?,
        emoji: members.text("emoji")?,
        description: members.text("description")?,
        instructions: members.needed_text("instructions")?,
        model_config: match members.take("modelConfig") {
            None => None,
            Some(node) if is_null(&node) => None,
            Some(node) => Some(model_config(node, format!("{path}.modelConfig"))?),
        },
        enabled: members.flag("enabled")?,
        auto_start: members.flag("autoStart")?,
        launch_message: members.text("launchMessage")?,
    })
}

fn model_config(node: Node, path: String) -> Result<Json> {
    const MEMBERS: [&str; 2] = ["driver", "chatModel"];
    let mut members = Members::of(node, path, &MEMBERS)?;
    let mut config = Map::new();
    for name in MEMBERS {
        if let Some(text) = members.text(name)? {
            config.insert(name.to_owned(), text.into());
        }
    }
    Json::from_value(&config).map_err(|_| Error::internal("a role's model could not be encoded"))
}

// ---- writing --------------------------------------------------------------------------------------------------------

/// Writes a member whose value is text, unless there is none.
fn write_text(out: &mut String, before: &str, name: &str, text: Option<&str>) {
    let Some(text) = text else { return };
    if is_block(text) {
        let _ = writeln!(out, "{before}{name}: |-");
        // Deeper than the member's name, which a dash before it does not move.
        let indent = " ".repeat(before.len() + 2);
        for line in text.split('\n') {
            let _ = if line.is_empty() { writeln!(out) } else { writeln!(out, "{indent}{line}") };
        }
        return;
    }
    let _ = write!(out, "{before}{name}: \"");
    for character in text.chars() {
        let _ = match character {
            '"' => out.write_str("\\\""),
            '\\' => out.write_str("\\\\"),
            '\n' => out.write_str("\\n"),
            '\t' => out.write_str("\\t"),
            shown if is_plain(shown) => out.write_char(shown),
            other => write!(out, "\\u{:04X}", u32::from(other)),
        };
    }
    *out += "\"\n";
}

/// Whether a text comes back from a literal block as it was: several lines, none of which is blank but for white space, the
/// first with a sign in its first place, so that the block is as deep as it is written.
fn is_block(text: &str) -> bool {
    let mut lines = text.split('\n');
    let first_begins = lines.next().is_some_and(|line| line.starts_with(|first: char| !matches!(first, ' ' | '\t')));
    first_begins
        && text.contains('\n')
        && !text.ends_with('\n')
        && text.split('\n').all(|line| line.is_empty() || !line.trim().is_empty())
        && text.chars().all(|character| matches!(character, '\n' | '\t') || is_plain(character))
}

/// Whether a character may stand in a document as it is.
fn is_plain(character: char) -> bool {
    matches!(character, ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Timestamp;
    use crate::id::AgentRoleId;

    fn stored(name: &str, instructions: &str) -> AgentRole {
        AgentRole {
            id: AgentRoleId::generate(),
            name: name.to_owned(),
            emoji: None,
            description: None,
            instructions: instructions.to_owned(),
            model_config: None,
            enabled: true,
            auto_start: true,
            launch_message: None,
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(0),
        }
    }

    fn refused(text: &str) -> (String, String) {
        let error = read_bundle(text).unwrap_err();
        (error.details()["field"].as_str().unwrap().to_owned(), error.message().to_owned())
    }

    #[test]
    fn a_document_is_pleasant_to_read_and_comes_back() {
        let role = AgentRole {
            emoji: Some("🖋️".into()),
            model_config: Json::parse(r#"{"driver":"gemini","chatModel":"m \"1\"","extra":5}"#).ok(),
            enabled: false,
            launch_message: Some("null".into()),
            ..stored("Poet: #1", "You are a poet.\n\n  - Rhyme.\n# No prose")
        };
        let text = write_bundle(&[role.clone(), stored("2", "true")]).unwrap();
        let expected = r#"version: 1
roles:
  - name: "Poet: #1"
    emoji: "🖋️"
    instructions: |-
      You are a poet.

        - Rhyme.
      # No prose
    modelConfig:
      driver: "gemini"
      chatModel: "m \"1\""
    enabled: false
    autoStart: true
    launchMessage: "null"
  - name: "2"
    instructions: "true"
    enabled: true
    autoStart: true
"#;
        assert_eq!(text, expected);
        let roles = read_bundle(&text).unwrap();
        assert_eq!(roles[0].instructions, role.instructions);
        assert_eq!(roles[0].launch_message.as_deref(), Some("null"));
        assert_eq!(roles[0].model_config.as_ref().unwrap().get(), r#"{"driver":"gemini","chatModel":"m \"1\""}"#);
        assert_eq!((roles[0].enabled, roles[0].auto_start), (false, true));
        assert_eq!((roles[1].name.as_str(), roles[1].instructions.as_str()), ("2", "true"));
        assert_eq!(read_bundle(&write_bundle(&[]).unwrap()).unwrap(), []);
    }

    #[test]
    fn what_people_write_is_taken_for_what_it_says() {
        let text = "\u{feff}# Ours\nversion: 1\nroles:\n- {name: No, instructions: 'It''s', emoji: ~, enabled: False}\n\
            - name: 5\n  instructions: >\n    one\n    line\n  autoStart:\n  modelConfig: {chatModel: gpt}\n";
        let roles = read_bundle(text).unwrap();
        assert_eq!((roles[0].name.as_str(), roles[0].instructions.as_str(), roles[0].enabled), ("No", "It's", false));
        assert_eq!(
            (roles[1].name.as_str(), roles[1].instructions.as_str(), roles[1].auto_start),
            ("5", "one line", true)
        );
        assert_eq!(roles[1].model_config.as_ref().unwrap().get(), r#"{"chatModel":"gpt"}"#);
    }

    #[test]
    fn what_is_wrong_is_named_and_not_repeated() {
        let roles = |roles: &str| format!("version: 1\nroles:\n{roles}");
        for (text, field) in [
            (String::new(), "bundle"),
            ("just text".to_owned(), "bundle"),
            ("roles: []".to_owned(), "bundle.version"),
            ("version: 2\nroles: []".to_owned(), "bundle.version"),
            ("version: 1".to_owned(), "bundle.roles"),
            ("version: 1\nroles: {}".to_owned(), "bundle.roles"),
            ("version: 1\nroles: []\nmore: secret".to_owned(), "bundle.more"),
            ("version: 1\nroles: []\n---\nversion: 1".to_owned(), "bundle"),
            ("version: 1\nversion: 1\nroles: []".to_owned(), "bundle"),
            ("version: 1\nroles: [secret".to_owned(), "bundle"),
            (roles("- secret"), "bundle.roles[0]"),
            (roles("- name: a"), "bundle.roles[0].instructions"),
            (roles("- {name: a, instructions: secret}\n- {name: ' ', instructions: secret}"), "bundle.roles[1].name"),
            (roles("- {name: a, instructions: secret}\n- {name: 'a ', instructions: b}"), "bundle.roles[1].name"),
            (roles("- {name: a, instructions: [secret]}"), "bundle.roles[0].instructions"),
            (roles("- {name: a, instructions: b, enabled: yes}"), "bundle.roles[0].enabled"),
            (roles("- {name: a, instructions: b, enabled: 'true'}"), "bundle.roles[0].enabled"),
            (roles("- {name: a, instructions: b, prompt: secret}"), "bundle.roles[0].prompt"),
            (roles("- {name: a, instructions: b, modelConfig: secret}"), "bundle.roles[0].modelConfig"),
            (roles("- {name: a, instructions: b, modelConfig: {driver: x}}"), "bundle.roles[0].modelConfig.driver"),
            (roles("- {name: a, instructions: b, modelConfig: {key: x}}"), "bundle.roles[0].modelConfig.key"),
            (roles("- {name: a, instructions: b, modelConfig: {driver: [x]}}"), "bundle"),
            (roles("- {name: &a a, instructions: *a}"), "bundle"),
            (roles("- {name: a, instructions: !!binary aGk=}"), "bundle"),
            (roles("- {name: a, <<: {instructions: secret}}"), "bundle.roles[0].<<"),
            (roles("- {? [a] : b}"), "bundle"),
        ] {
            let (named, message) = refused(&text);
            assert_eq!(named, field, "{text}");
            assert!(!message.contains("secret"), "{message}");
        }
        assert_eq!(refused("version: 1\nroles:\n  - {name: a,\n").1, "bundle: line 4: this is not YAML");
    }

    #[test]
    fn no_document_takes_more_than_it_is_worth() {
        let laughs = "a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: [*b,*b,*b]\n";
        let many = "- {name: a, instructions: b}\n".repeat(MAX_BUNDLE_ROLES + 1);
        for (text, code) in [
            (laughs.to_owned(), ErrorCode::InvalidInput),
            ("[".repeat(500_000), ErrorCode::InvalidInput),
            ("{a: ".repeat(200_000), ErrorCode::InvalidInput),
            ("- ".repeat(400_000), ErrorCode::InvalidInput),
            ("? ".repeat(400_000), ErrorCode::InvalidInput),
            ("a: b\n".repeat(200_000), ErrorCode::InvalidInput),
            ((0..90_000).map(|n| format!("a{n}: b\n")).collect(), ErrorCode::InvalidInput),
            (format!("version: 1\nroles:\n{many}"), ErrorCode::InvalidInput),
            (" ".repeat(MAX_BUNDLE_BYTES + 1), ErrorCode::PayloadTooLarge),
        ] {
            assert_eq!(read_bundle(&text).unwrap_err().code(), code);
        }
        let large: Vec<AgentRole> = (0..60).map(|n| stored(&n.to_string(), &"x".repeat(20_000))).collect();
        assert_eq!(write_bundle(&large).unwrap_err().code(), ErrorCode::PayloadTooLarge);
        assert_eq!(read_bundle(&write_bundle(&large[..50]).unwrap()).unwrap().len(), 50);
    }

    proptest! {
        #[test]
        fn every_text_comes_back(lines in prop::collection::vec("[ \t]{0,2}(\\PC{0,12}|[-:#\"'\\\\|>%&*!{}\\[\\],?~@` ]{0,6}|[\u{0}-\u{ff}\u{2028}\u{feff}\u{fffe}\r]{0,4})[ \t]{0,1}", 1..6)) {
            let text = lines.join("\n");
            let role = AgentRole { description: Some(format!("x{text}x")), ..stored("n", &format!("x{text}")) };
            let written = write_bundle(&[role]).unwrap();
            let expected = NewRole {
                name: "n".into(),
                description: Some(format!("x{text}x")),
                instructions: format!("x{text}"),
                ..NewRole::default()
            };
            prop_assert_eq!(read_bundle(&written).unwrap(), vec![expected.check().unwrap()], "{}", written);
        }

        #[test]
        fn no_text_is_a_danger(text in "(version: 1\nroles:\n)?([-?:{}\\[\\],&*!|>'\"%@`#~ \n\t]|name: a|instructions: b|\\PC){0,40}") {
            let _ = read_bundle(&text);
        }
    }
}
