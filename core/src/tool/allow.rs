//! Which calls a turn may make although it has read content from outside.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::{Json, TaintSource, present};

use super::input::InputCheck;

/// The most rules of a turn.
const MOST_RULES: usize = 100;
/// The most origins of a rule.
const MOST_ORIGINS: usize = 100;

/// Calls that a tainted turn may make without being asked. All that the rule says has to fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllowRule {
    /// The tool's name; or the beginning of names, with `*` behind it (`*` alone: all tools).
    pub tool: String,
    /// A JSON Schema that the call's arguments have to fit, as they have been checked against the tool's own; all arguments
    /// unless given.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub arguments: Option<Json>,
    /// Where everything that the turn has read from outside may be from: `server:NAME`, `tool:NAME`, `provider:NAME`,
    /// `provider:sources`, `page`. Anything else that it has read, and the rule does not count. From anywhere unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Vec<String>>,
}

/// The rules of a turn, with their compiled schemas.
#[derive(Default)]
pub struct AllowRules(Vec<Rule>);

struct Rule {
    given: AllowRule,
    arguments: Option<InputCheck>,
}

impl fmt::Debug for AllowRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|rule| &rule.given)).finish()
    }
}

impl AllowRules {
    /// Checks and compiles.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming the field.
    pub fn new(given: &[AllowRule]) -> Result<Self> {
        if given.len() > MOST_RULES {
            return Err(Error::invalid("taintAllow", format!("must be at most {MOST_RULES}")));
        }
        given.iter().enumerate().map(|(index, rule)| Rule::new(rule, index)).collect::<Result<_>>().map(Self)
    }

    /// Whether one of them allows this call of a turn that has read this.
    pub fn allow(&self, name: &str, input: &Json, read: &[TaintSource]) -> bool {
        self.0.iter().any(|rule| rule.allows(name, input, read))
    }
}

impl Rule {
    fn new(given: &AllowRule, index: usize) -> Result<Self> {
        let field = |name: &str| format!("taintAllow[{index}].{name}");
        let name = given.tool.strip_suffix('*').unwrap_or(&given.tool);
        if given.tool.is_empty() || name.contains('*') {
            return Err(Error::invalid(field("tool"), "must be a name, or the beginning of one with * behind it"));
        }
        let arguments = given.arguments.as_ref().map(InputCheck::new).transpose();
        let arguments = arguments.map_err(|problem| Error::invalid(field("arguments"), problem))?;
        if let Some(origins) = &given.origin {
            if origins.is_empty() || origins.len() > MOST_ORIGINS {
                return Err(Error::invalid(field("origin"), format!("must have 1 to {MOST_ORIGINS} entries")));
            }
            if let Some(place) = origins.iter().position(|origin| !is_origin(origin)) {
                let problem = "must be page, or begin with server:, tool: or provider:";
                return Err(Error::invalid(field(&format!("origin[{place}]")), problem));
            }
        }
        Ok(Self { given: given.clone(), arguments })
    }

    fn allows(&self, name: &str, input: &Json, read: &[TaintSource]) -> bool {
        let fits_name = match self.given.tool.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == self.given.tool,
        };
        let fits_origin =
            self.given.origin.as_ref().is_none_or(|origins| read.iter().all(|source| origins.contains(&source.origin)));
        fits_name && fits_origin && self.arguments.as_ref().is_none_or(|check| check.fits(input))
    }
}

fn is_origin(origin: &str) -> bool {
    let has_name = |kind: &str| origin.strip_prefix(kind).is_some_and(|name| !name.is_empty());
    origin == "page" || ["server:", "tool:", "provider:"].into_iter().any(has_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(json: &str) -> Result<AllowRules> {
        AllowRules::new(&serde_json::from_str::<Vec<AllowRule>>(json).unwrap())
    }

    fn read(origins: &[&str]) -> Vec<TaintSource> {
        origins.iter().map(|origin| TaintSource { origin: (*origin).to_owned(), ..TaintSource::page() }).collect()
    }

    #[test]
    fn all_that_a_rule_says_has_to_fit() {
        let schema = r#"{"properties":{"page":{"const":1}},"required":["page"]}"#;
        let rules = rules(&format!(
            r#"[{{"tool":"write","arguments":{schema},"origin":["tool:search","server:Wiki"]}},{{"tool":"wiki_*"}}]"#
        ))
        .unwrap();
        let allow =
            |name: &str, input: &str, origins: &[&str]| rules.allow(name, &Json::parse(input).unwrap(), &read(origins));
        assert!(allow("write", r#"{"page":1}"#, &["tool:search"]));
        assert!(allow("write", r#"{"page":1,"text":"x"}"#, &["tool:search", "server:Wiki"]));
        assert!(!allow("write", r#"{"page":1}"#, &["tool:search", "server:Other"]));
        assert!(!allow("write", r#"{"page":2}"#, &["tool:search"]));
        assert!(!allow("write", "{}", &["tool:search"]));
        assert!(!allow("writes", r#"{"page":1}"#, &["tool:search"]));
        assert!(allow("wiki_edit", "{}", &["server:Other"]) && !allow("wiki", "{}", &["page"]));
    }

    #[test]
    fn wrong_rules_name_their_field() {
        for (json, field) in [
            (r#"[{"tool":""}]"#, "taintAllow[0].tool"),
            (r#"[{"tool":"a*b"}]"#, "taintAllow[0].tool"),
            (r#"[{"tool":"a"},{"tool":"**"}]"#, "taintAllow[1].tool"),
            (r#"[{"tool":"a","arguments":true}]"#, "taintAllow[0].arguments"),
            (r#"[{"tool":"a","arguments":{"type":"nonsense"}}]"#, "taintAllow[0].arguments"),
            (r#"[{"tool":"a","origin":[]}]"#, "taintAllow[0].origin"),
            (r#"[{"tool":"a","origin":["page","web"]}]"#, "taintAllow[0].origin[1]"),
            (r#"[{"tool":"a","origin":["server:"]}]"#, "taintAllow[0].origin[0]"),
        ] {
            assert_eq!(rules(json).unwrap_err().details()["field"], field, "{json}");
        }
        let many = format!("[{}]", vec![r#"{"tool":"a"}"#; 101].join(","));
        assert_eq!(rules(&many).unwrap_err().details()["field"], "taintAllow");
        assert!(serde_json::from_str::<AllowRule>(r#"{"tool":"a","origins":["page"]}"#).is_err());
    }
}
