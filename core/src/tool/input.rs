//! What a model wrote as a tool's input, made into what the tool is called with.

use std::time::{Duration, Instant};

use jsonschema::PatternOptions;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};

use crate::model::Json;

use super::UnknownMembers;

/// The largest schema of an input, in bytes.
pub(super) const MAX_SCHEMA_BYTES: usize = 256 * 1024;
/// How often a pattern may go back in one text. Patterns without look-around and back references never do.
const MAX_BACKTRACKS: usize = 20_000;
/// How long a check may take whose problems are told one by one: they take as much room as the check took time.
const TELLING: Duration = Duration::from_millis(250);
/// How many problems the model is told of at once.
const SHOWN_PROBLEMS: usize = 5;
/// How much of a problem the model is told: a message quotes the value.
const SHOWN_PROBLEM_BYTES: usize = 500;
/// How often members are taken out before the input is looked at again for the last time.
const MAX_STRIPS: usize = 16;
/// How deep references within a schema are followed for default values.
const MAX_DEFAULT_DEPTH: usize = 64;

/// The compiled schema of a tool's input.
pub(super) struct InputCheck {
    schema: Value,
    validator: jsonschema::Validator,
    has_defaults: bool,
}

impl InputCheck {
    /// Compiles a schema.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn new(schema: &Json) -> Result<Self, String> {
        if schema.get().len() > MAX_SCHEMA_BYTES {
            return Err(format!("must be at most {} KiB long", MAX_SCHEMA_BYTES / 1024));
        }
        let value = schema.read::<Value>().ok().filter(Value::is_object);
        let schema = value.ok_or_else(|| "must be a JSON Schema object".to_owned())?;
        let options =
            jsonschema::options().with_pattern_options(PatternOptions::fancy_regex().backtrack_limit(MAX_BACKTRACKS));
        let validator = options.build(&schema).map_err(|_| "is not a valid JSON Schema".to_owned())?;
        if Circles::new(&schema).found() {
            return Err("refers to itself without end".to_owned());
        }
        let has_defaults = mentions(&schema, "default");
        Ok(Self { schema, validator, has_defaults })
    }

    /// Whether a value fits as it is.
    pub(super) fn fits(&self, value: &Json) -> bool {
        value.read::<Value>().is_ok_and(|value| self.validator.is_valid(&value))
    }

    /// The same of what a model wrote.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn of_text(&self, arguments: &str, unknown: UnknownMembers) -> Result<Json, String> {
        self.cleaned(&read(arguments)?, unknown)
    }

    /// The input with its default values, and without members that are not allowed if those are to be taken out.
    ///
    /// # Errors
    /// What does not fit.
    pub(super) fn cleaned(&self, input: &Json, unknown: UnknownMembers) -> Result<Json, String> {
        let mut value: Value = input.read().map_err(|error| format!("not readable ({error})."))?;
        let mut changed = self.has_defaults && Defaults { root: &self.schema }.fill(&self.schema, &mut value, 0);
        for _ in 0..MAX_STRIPS {
            let begun = Instant::now();
            let fits = self.validator.is_valid(&value);
            if !fits && begun.elapsed() > TELLING {
                return Err("it does not fit the tool's schema.".to_owned());
            }
            if fits {
                return Ok(if changed {
                    Json::from_value(&value).unwrap_or_else(|_| input.clone())
                } else {
                    input.clone()
                });
            }
            if unknown == UnknownMembers::Refuse || !strip(&self.validator, &mut value) {
                break;
            }
            changed = true;
        }
        let problems: Vec<String> = self
            .validator
            .iter_errors(&value)
            .take(SHOWN_PROBLEMS)
            .map(|error| {
                let mut problem = error.to_string();
                problem.truncate(problem.floor_char_boundary(SHOWN_PROBLEM_BYTES));
                match error.instance_path().as_str() {
                    "" => problem,
                    path => format!("{path}: {problem}"),
                }
            })
            .collect();
        Err(problems.join("; "))
    }
}

/// The arguments as JSON. A model that has nothing to say sends nothing instead of an empty object.
pub(super) fn read(arguments: &str) -> Result<Json, String> {
    let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
    Json::parse(arguments).map_err(|error| format!("not valid JSON ({error})."))
}

/// Takes out what nothing but a ban on unknown members objects to; whether there was any.
fn strip(validator: &jsonschema::Validator, value: &mut Value) -> bool {
    let mut unknown = Vec::new();
    for error in validator.iter_errors(value) {
        unknown_members(&error, &mut unknown);
    }
    let mut stripped = false;
    for (path, names) in unknown {
        if let Some(Value::Object(members)) = value.pointer_mut(&path) {
            if names.is_empty() {
                stripped |= !members.is_empty();
                members.clear();
            }
            for name in names {
                stripped |= members.shift_remove(&name).is_some();
            }
        }
    }
    stripped
}

/// The members that an error is about, each with the place of its object; no names stand for all of them. Of several alternatives the first counts that
/// would fit without them.
fn unknown_members(error: &jsonschema::ValidationError<'_>, found: &mut Vec<(String, Vec<String>)>) -> bool {
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            found.push((error.instance_path().as_str().to_owned(), unexpected.clone()));
            true
        }
        // So it is reported where the schema names no members at all; the place is the object's then.
        ValidationErrorKind::FalseSchema if is_ban(error.schema_path().as_str()) => {
            found.push((error.instance_path().as_str().to_owned(), Vec::new()));
            true
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            for alternative in context {
                let mut of_it = Vec::new();
                if !alternative.is_empty() && alternative.iter().all(|error| unknown_members(error, &mut of_it)) {
                    found.append(&mut of_it);
                    return true;
                }
            }
            false
        }
        _ => false,
    }
}

fn is_ban(keyword: &str) -> bool {
    keyword.ends_with("/additionalProperties") || keyword.ends_with("/unevaluatedProperties")
}

struct Defaults<'s> {
    root: &'s Value,
}

impl Defaults<'_> {
    /// Gives members that are missing the values that the schema has for them; whether there were any.
    fn fill(&self, schema: &Value, value: &mut Value, depth: usize) -> bool {
        if depth > MAX_DEFAULT_DEPTH {
            return false;
        }
        let Value::Object(schema) = schema else { return false };
        let mut filled = false;
        if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|place| local(self.root, place)) {
            filled |= self.fill(target, value, depth + 1);
        }
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            filled |= self.fill(part, value, depth + 1);
        }
        match value {
            Value::Object(members) => {
                for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                    match (members.get_mut(name), property.get("default")) {
                        (Some(member), _) => filled |= self.fill(property, member, depth + 1),
                        (None, Some(default)) => {
                            members.insert(name.clone(), default.clone());
                            filled = true;
                        }
                        (None, None) => {}
                    }
                }
            }
            Value::Array(items) => {
                if let Some(schema) = schema.get("items") {
                    for item in items {
                        filled |= self.fill(schema, item, depth + 1);
                    }
                }
            }
            _ => {}
        }
        filled
    }
}

/// What a reference within the schema stands for.
fn local<'s>(root: &'s Value, place: &str) -> Option<&'s Value> {
    root.pointer(place.strip_prefix('#')?)
}

fn mentions(schema: &Value, keyword: &str) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(name, value)| name == keyword || mentions(value, keyword)),
        Value::Array(items) => items.iter().any(|item| mentions(item, keyword)),
        _ => false,
    }
}

/// Looks for schemas that apply themselves to the very value that they are applied to: such a check has no end.
struct Circles<'s> {
    root: &'s Value,
    done: std::collections::HashSet<*const Value>,
    open: std::collections::HashSet<*const Value>,
}

/// Keywords whose schemas apply to the same value.
const IN_PLACE: [&str; 7] = ["allOf", "anyOf", "oneOf", "not", "if", "then", "else"];

impl<'s> Circles<'s> {
    fn new(root: &'s Value) -> Self {
        Self { root, done: Default::default(), open: Default::default() }
    }

    fn found(mut self) -> bool {
        let mut schemas = Vec::new();
        everything(self.root, &mut schemas);
        schemas.into_iter().any(|schema| self.leads_back(schema))
    }

    fn leads_back(&mut self, schema: &'s Value) -> bool {
        let place: *const Value = schema;
        let Value::Object(members) = schema else { return false };
        if self.done.contains(&place) {
            return false;
        }
        if !self.open.insert(place) {
            return true;
        }
        let back = self.applied(members).into_iter().any(|next| self.leads_back(next));
        self.open.remove(&place);
        self.done.insert(place);
        back
    }

    fn applied(&self, members: &'s Map<String, Value>) -> Vec<&'s Value> {
        let references =
            ["$ref", "$dynamicRef", "$recursiveRef"].into_iter().filter_map(|name| members.get(name)?.as_str());
        let mut applied: Vec<&Value> = references.filter_map(|place| local(self.root, place)).collect();
        for name in IN_PLACE {
            match members.get(name) {
                Some(Value::Array(list)) => applied.extend(list),
                Some(one) => applied.push(one),
                None => {}
            }
        }
        applied.extend(members.get("dependentSchemas").and_then(Value::as_object).into_iter().flat_map(Map::values));
        applied
    }
}

fn everything<'s>(schema: &'s Value, found: &mut Vec<&'s Value>) {
    match schema {
        Value::Object(members) => {
            found.push(schema);
            members.values().for_each(|value| everything(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| everything(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: &str) -> InputCheck {
        InputCheck::new(&Json::parse(schema).unwrap()).unwrap()
    }

    fn cleaned(schema: &str, input: &str, unknown: UnknownMembers) -> Result<String, String> {
        check(schema).cleaned(&Json::parse(input).unwrap(), unknown).map(|json| json.get().to_owned())
    }

    const CLOSED: &str = r##"{"type":"object","properties":{"a":{"type":"number"},"deep":{"type":"array","items":{"$ref":"#/$defs/D"}}},
        "additionalProperties":false,"$defs":{"D":{"type":"object","properties":{"b":{}},"additionalProperties":false}}}"##;

    #[test]
    fn members_that_nobody_knows_are_taken_out_unless_they_are_to_be_refused() {
        let input = r#"{"a":1.0,"x":2,"deep":[{"b":1},{"b":1,"y/~":3}]}"#;
        let kept = cleaned(CLOSED, input, UnknownMembers::Strip).unwrap();
        assert_eq!(kept, r#"{"a":1.0,"deep":[{"b":1},{"b":1}]}"#);
        let refused = cleaned(CLOSED, input, UnknownMembers::Refuse).unwrap_err();
        assert!(refused.contains("'x' was unexpected"), "{refused}");
        // What fits is handed on as it was spelled.
        assert_eq!(cleaned(CLOSED, r#"{"a":1.0}"#, UnknownMembers::Strip).unwrap(), r#"{"a":1.0}"#);
    }

    #[test]
    fn of_alternatives_the_one_counts_that_fits_but_for_such_members() {
        let schema = r#"{"anyOf":[
            {"type":"object","properties":{"kind":{"const":"a"}},"required":["kind"],"additionalProperties":false},
            {"type":"object","properties":{"kind":{"const":"b"},"n":{"type":"number"}},"required":["kind"],"additionalProperties":false}]}"#;
        let kept = cleaned(schema, r#"{"kind":"b","n":1,"x":2}"#, UnknownMembers::Strip).unwrap();
        assert_eq!(kept, r#"{"kind":"b","n":1}"#);
        assert!(cleaned(schema, r#"{"kind":"c","x":2}"#, UnknownMembers::Strip).is_err());
    }

    #[test]
    fn defaults_take_the_place_of_what_is_missing() {
        let schema = r##"{"type":"object","required":["unit","list"],"properties":{
            "unit":{"type":"string","default":"C"},
            "list":{"type":"array","default":[],"items":{"$ref":"#/$defs/item"}}},
            "$defs":{"item":{"type":"object","properties":{"n":{"default":0}}}}}"##;
        assert_eq!(cleaned(schema, "{}", UnknownMembers::Strip).unwrap(), r#"{"unit":"C","list":[]}"#);
        let given = cleaned(schema, r#"{"unit":"F","list":[{},{"n":2}]}"#, UnknownMembers::Strip).unwrap();
        assert_eq!(given, r#"{"unit":"F","list":[{"n":0},{"n":2}]}"#);
    }

    #[test]
    fn a_schema_whose_check_would_have_no_end_is_refused() {
        for schema in [
            r##"{"$ref":"#"}"##,
            r##"{"allOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"}]},"b":{"not":{"$ref":"#/$defs/a"}}}}"##,
            r##"{"properties":{"a":{"$ref":"#/properties/a"}}}"##,
        ] {
            let problem = InputCheck::new(&Json::parse(schema).unwrap()).err().unwrap();
            assert!(problem.contains("without end") || problem.contains("not a valid"), "{schema}: {problem}");
        }
        // A tree refers to itself, too, but one level deeper each time.
        check(r##"{"type":"object","properties":{"children":{"type":"array","items":{"$ref":"#"}}}}"##);
    }

    #[test]
    fn a_pattern_cannot_keep_anybody_busy() {
        // Look-around makes the engine go back and forth; its steps are counted, and the input does not fit then.
        let schema = r#"{"type":"object","properties":{"a":{"pattern":"^(?=(a+)+$)(a|a)*b\\1$"}}}"#;
        let input = format!(r#"{{"a":"{}!"}}"#, "a".repeat(5_000));
        assert!(cleaned(schema, &input, UnknownMembers::Strip).is_err());
    }
}
