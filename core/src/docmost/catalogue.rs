//! What a model is told of each tool: its name, what it does, its parameters, and when it is told of it.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::model::Json;
use crate::tool::{Tier, ToolDefinition};

/// The largest number that every client reads as it is.
const LARGEST: i64 = 9_007_199_254_740_991;

/// What a parameter may be.
enum Kind {
    Text,
    /// At least one character.
    Filled,
    /// The quoted text of a comment.
    Quote,
    /// Text, or null.
    Nullable,
    Int(u32, u32),
    Bool,
    Any,
    /// A place, counted from 0.
    Index,
    Texts,
    /// Before, behind, or at the end.
    Position,
    /// Texts and what comes into their place.
    Edits,
}

impl Kind {
    fn schema(&self) -> Value {
        match self {
            Self::Text => json!({"type": "string"}),
            Self::Filled => json!({"type": "string", "minLength": 1}),
            Self::Quote => json!({"type": "string", "minLength": 1, "maxLength": 250}),
            Self::Nullable => json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
            Self::Int(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
            Self::Bool => json!({"type": "boolean"}),
            Self::Any => json!({}),
            Self::Index => json!({"type": "integer", "minimum": -LARGEST, "maximum": LARGEST}),
            Self::Texts => json!({"type": "array", "items": {"type": "string"}}),
            Self::Position => json!({"type": "string", "enum": ["before", "after", "append"]}),
            Self::Edits => {
                let properties = json!({
                    "find": {"type": "string"}, "replace": {"type": "string"}, "replaceAll": {"type": "boolean"},
                });
                let edit = json!({
                    "type": "object",
                    "properties": properties,
                    "required": ["find", "replace"],
                    "additionalProperties": false,
                });
                json!({"type": "array", "minItems": 1, "items": edit})
            }
        }
    }
}

/// A name with `?` at its end is one that may be left out.
type Parameter = (&'static str, Kind, &'static str);

struct Entry {
    name: &'static str,
    /// Told in this line until it is asked for; whole from the beginning where there is none.
    line: Option<&'static str>,
    description: &'static str,
    /// It changes nothing.
    reads: bool,
    /// It changes a part of a page, which cannot be done safely while somebody writes there.
    in_place: bool,
    parameters: &'static [Parameter],
}

const PAGE: Parameter = ("pageId", Kind::Text, "The page's id");
const PAGE_FILLED: Parameter = ("pageId", Kind::Filled, "The page's id");
const NODE: Parameter = ("nodeId", Kind::Text, "The block's id, or # and its place in getOutline, such as #3");
const NODE_FILLED: Parameter = ("nodeId", Kind::Filled, NODE.2);
const TABLE: Parameter =
    ("tableRef", Kind::Text, "# and its place in getOutline, such as #3, or the id of a block inside");
const SPACE: Parameter = ("spaceId", Kind::Text, "The space's id");

const fn reads(
    name: &'static str,
    line: Option<&'static str>,
    description: &'static str,
    parameters: &'static [Parameter],
) -> Entry {
    Entry { name, line, description, reads: true, in_place: false, parameters }
}

const fn writes(
    name: &'static str,
    line: Option<&'static str>,
    description: &'static str,
    parameters: &'static [Parameter],
) -> Entry {
    Entry { name, line, description, reads: false, in_place: false, parameters }
}

const fn edits(
    name: &'static str,
    line: &'static str,
    description: &'static str,
    parameters: &'static [Parameter],
) -> Entry {
    Entry { name, line: Some(line), description, reads: false, in_place: true, parameters }
}

const ENTRIES: &[Entry] = &[
    reads(
        "searchPages",
        None,
        "Finds pages of the wiki by their words. Only pages that the user may read are found. Gives the best ones with id, \
         title and the passage that fits; read a page with getPage before you rely on it.",
        &[
            ("query", Kind::Text, "What to look for: a few telling words"),
            ("limit?", Kind::Int(1, 20), "How many pages at most; 10 unless given"),
        ],
    ),
    reads("getPage", None, "Reads a page: its title, and its content as Markdown.", &[PAGE]),
    reads(
        "getOutline",
        None,
        "Lists the top-level blocks of a page, each with its place, kind, id and first words; of tables also the size and the \
         header. Much shorter than the page: use it to find the place that matters in a long one.",
        &[PAGE_FILLED],
    ),
    reads("listSpaces", None, "Lists the spaces of the wiki that the user can see.", &[]),
    reads(
        "listPages",
        None,
        "Lists pages, those first that were changed last. With tree, the whole tree of a space instead, which needs spaceId.",
        &[
            ("spaceId?", Kind::Text, "Only pages of this space"),
            ("limit?", Kind::Int(1, 100), "How many pages at most; 50 unless given. Not for trees"),
            ("tree?", Kind::Bool, "The space's pages as a tree"),
        ],
    ),
    writes(
        "createPage",
        None,
        "Creates a page in a space, at its top or below another page.",
        &[
            ("title", Kind::Text, "The title"),
            ("content", Kind::Text, "The content as Markdown, without the title"),
            SPACE,
            ("parentPageId?", Kind::Text, "The page below which it is put"),
        ],
    ),
    writes(
        "updatePageContent",
        None,
        "Replaces the whole content of a page, and its title if one is given. What was there before stays in the page's history.",
        &[PAGE, ("content", Kind::Text, "The new content as Markdown"), ("title?", Kind::Text, "A new title")],
    ),
    writes(
        "renamePage",
        Some("Changes a page's title"),
        "Changes the title of a page and nothing else.",
        &[PAGE, ("title", Kind::Text, "The new title")],
    ),
    writes(
        "movePage",
        Some("Moves a page below another one, or to the top of its space"),
        "Moves a page, with everything below it, below another page of its space, behind those that are there. Without \
         parentPageId it goes to the top of the space.",
        &[PAGE, ("parentPageId?", Kind::Nullable, "The page below which it is put; null for the top")],
    ),
    writes(
        "deletePage",
        Some("Puts a page into the trash"),
        "Puts a page into the trash, from which a person can restore it. Nothing is deleted for good.",
        &[PAGE],
    ),
    reads(
        "listComments",
        Some("Lists the comments on a page"),
        "Lists the comments on a page with their texts, authors, and whether they are resolved.",
        &[PAGE],
    ),
    writes(
        "createComment",
        Some("Comments on a passage of a page, or replies to a comment"),
        "Comments on a page. A new comment needs the passage that it is about (selection); a reply needs parentCommentId \
         instead. Replies cannot be replied to.",
        &[
            PAGE,
            ("content", Kind::Text, "What the comment says"),
            ("selection?", Kind::Quote, "The passage of the page, word for word"),
            ("parentCommentId?", Kind::Text, "The comment that is replied to"),
        ],
    ),
    writes(
        "resolveComment",
        Some("Marks a comment as resolved, or as open again"),
        "Marks a comment as resolved, or as open again.",
        &[("commentId", Kind::Text, "The comment's id"), ("resolved", Kind::Bool, "false opens it again")],
    ),
    reads("getWorkspace", Some("Tells about the workspace"), "Tells the name and the settings of the workspace.", &[]),
    reads(
        "listSidebarPages",
        Some("Lists the pages at one level of a space"),
        "Lists the pages right below a page, or at the top of a space, in their order.",
        &[SPACE, ("pageId?", Kind::Text, "The page whose children are listed")],
    ),
    reads(
        "getPageJson",
        Some("Reads a page as the editor's JSON"),
        "Reads a page as the JSON of its editor, with the ids of its blocks and everything that Markdown cannot say.",
        &[PAGE_FILLED],
    ),
    reads(
        "getNode",
        Some("Reads one block of a page as JSON"),
        "Reads one block of a page as JSON.",
        &[PAGE_FILLED, NODE_FILLED],
    ),
    reads(
        "getTable",
        Some("Reads a table of a page"),
        "Reads a table of a page: its cells as text, and the ids by which they can be named.",
        &[PAGE, TABLE],
    ),
    reads(
        "getComment",
        Some("Reads one comment"),
        "Reads one comment.",
        &[("commentId", Kind::Text, "The comment's id")],
    ),
    reads(
        "checkNewComments",
        Some("Finds comments in a space that are newer than a time"),
        "Finds comments that were written after a time, on the pages of a space, or on a page and those below it.",
        &[
            SPACE,
            ("since", Kind::Text, "The time, as 2026-01-31T12:00:00Z"),
            ("parentPageId?", Kind::Text, "Only this page and those below it"),
        ],
    ),
    reads(
        "listShares",
        Some("Lists the pages that are public"),
        "Lists the pages that are shared with everybody, with their public addresses.",
        &[],
    ),
    writes(
        "sharePage",
        Some("Makes a page public"),
        "Makes a page public: everybody who has its address can read it. Only when the user asks for that.",
        &[PAGE, ("searchIndexing?", Kind::Bool, "Whether search engines may list it")],
    ),
    writes(
        "unsharePage",
        Some("Makes a public page private again"),
        "Ends the public sharing of a page.",
        &[PAGE_FILLED],
    ),
    reads(
        "listPageHistory",
        Some("Lists the earlier versions of a page"),
        "Lists the earlier versions of a page, newest first, with who changed it and when.",
        &[PAGE_FILLED, ("cursor?", Kind::Text, "nextCursor of the answer before, for older ones")],
    ),
    reads(
        "getPageHistory",
        Some("Reads an earlier version of a page"),
        "Reads an earlier version of a page as JSON.",
        &[("historyId", Kind::Text, "The version's id, from listPageHistory")],
    ),
    reads(
        "diffPageVersions",
        Some("Compares two versions of a page"),
        "Compares two versions of a page line by line. Lines with - are gone, lines with + are new.",
        &[
            PAGE_FILLED,
            ("from?", Kind::Text, "The older version's id; the newest earlier one unless given"),
            ("to?", Kind::Text, "The newer version's id; the page as it is unless given"),
        ],
    ),
    reads(
        "exportPageMarkdown",
        Some("Exports a page as one Markdown document"),
        "Exports a page as one Markdown document, with its title as the first heading.",
        &[PAGE],
    ),
    writes(
        "importPageMarkdown",
        Some("Replaces a page by a Markdown document"),
        "Replaces the whole content of a page by a Markdown document. What was there before stays in the page's history.",
        &[PAGE_FILLED, ("markdown", Kind::Filled, "The document")],
    ),
    writes(
        "updatePageJson",
        Some("Replaces a page by the editor's JSON, or its title"),
        "Replaces the whole content of a page by the JSON of its editor, as getPageJson has it. Without content, only the title \
         is changed.",
        &[
            PAGE,
            ("content?", Kind::Any, "A node of type doc, or its JSON as text"),
            ("title?", Kind::Text, "A new title"),
        ],
    ),
    writes(
        "copyPageContent",
        Some("Replaces a page's content by another page's"),
        "Replaces the whole content of a page by that of another one. Titles stay.",
        &[
            ("sourcePageId", Kind::Filled, "The page that is copied from"),
            ("targetPageId", Kind::Filled, "The page whose content is replaced"),
        ],
    ),
    writes(
        "restorePageVersion",
        Some("Brings back an earlier version of a page"),
        "Replaces the content of a page by that of an earlier version. What is there now stays in the page's history.",
        &[("historyId", Kind::Filled, "The version's id, from listPageHistory")],
    ),
    edits(
        "editPageText",
        "Replaces words within a page",
        "Replaces texts within a page and leaves the rest as it is. Each edit finds a text within one block, written as the page \
         shows it, without marks of Markdown. A text that is there more than once is left unless replaceAll is set. Better than \
         updatePageContent for small changes.",
        &[PAGE, ("edits", Kind::Edits, "What is found, and what comes into its place")],
    ),
    edits(
        "patchNode",
        "Replaces one block of a page",
        "Replaces one block of a page by another one, as JSON of the editor.",
        &[PAGE, NODE, ("node", Kind::Any, "The new block, or its JSON as text")],
    ),
    edits(
        "insertNode",
        "Puts a block into a page",
        "Puts a block into a page: before or behind another one, which is named by its id or by words of it, or at the end. A row \
         of a table goes beside the row that the anchor is in.",
        &[
            PAGE,
            ("node", Kind::Any, "The new block, or its JSON as text"),
            ("position", Kind::Position, "Where, from the anchor; append needs none"),
            ("anchorNodeId?", Kind::Text, "The id of the block beside which it goes"),
            ("anchorText?", Kind::Text, "Words of the block beside which it goes"),
        ],
    ),
    edits("deleteNode", "Takes a block out of a page", "Takes one block out of a page.", &[PAGE_FILLED, NODE_FILLED]),
    edits(
        "tableInsertRow",
        "Puts a row into a table",
        "Puts a row into a table of a page.",
        &[
            PAGE,
            TABLE,
            ("cells", Kind::Texts, "The texts of its cells; those that are missing are empty"),
            ("index?", Kind::Index, "Its place, counted from 0; behind the others unless given"),
        ],
    ),
    edits(
        "tableDeleteRow",
        "Takes a row out of a table",
        "Takes a row out of a table of a page.",
        &[PAGE, TABLE, ("index", Kind::Index, "Its place, counted from 0")],
    ),
    edits(
        "tableUpdateCell",
        "Writes a cell of a table",
        "Replaces the text of a cell of a table.",
        &[
            PAGE,
            TABLE,
            ("row", Kind::Index, "The row, counted from 0"),
            ("col", Kind::Index, "The column, counted from 0"),
            ("text", Kind::Text, "What it says then"),
        ],
    ),
];

/// The names of all tools.
pub(crate) static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| ENTRIES.iter().map(|it| it.name).collect());

impl Entry {
    fn schema(&self) -> Value {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for (name, kind, description) in self.parameters {
            let (name, is_optional) = name.strip_suffix('?').map_or((*name, false), |name| (name, true));
            let mut schema = kind.schema();
            if let Some(schema) = schema.as_object_mut() {
                schema.insert("description".to_owned(), json!(description));
            }
            properties.insert(name.to_owned(), schema);
            if !is_optional {
                required.push(name);
            }
        }
        let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
        if let (Some(schema), false) = (schema.as_object_mut(), required.is_empty()) {
            schema.insert("required".to_owned(), json!(required));
        }
        schema
    }

    fn definition(&self) -> ToolDefinition {
        ToolDefinition {
            description: self.description.to_owned(),
            input_schema: Json::from_value(&self.schema()).unwrap_or_else(|_| Json::null()),
            read_only: self.reads,
            // What is read of a wiki was written by others.
            untrusted: self.reads,
            tier: if self.line.is_some() { Tier::Deferred } else { Tier::Core },
            catalog_line: self.line.map(str::to_owned),
            ..ToolDefinition::new(self.name)
        }
    }
}

/// Whether a tool changes a part of a page.
pub(crate) fn edits_in_place(name: &str) -> bool {
    ENTRIES.iter().any(|entry| entry.in_place && entry.name == name)
}

/// The tools of these names, or all of them, in the catalogue's order.
pub fn definitions(names: Option<&[String]>) -> Vec<ToolDefinition> {
    let is_wanted = |entry: &&Entry| names.is_none_or(|names| names.iter().any(|name| name == entry.name));
    ENTRIES.iter().filter(is_wanted).map(Entry::definition).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tool::ToolSet;

    #[test]
    fn all_tools_are_fit_to_be_offered() {
        struct Nothing;
        #[async_trait::async_trait]
        impl crate::tool::ToolHandler for Nothing {
            async fn call(&self, _: crate::tool::ToolInvocation) -> Result<Json, String> {
                Ok(Json::null())
            }
        }
        let handler: std::sync::Arc<dyn crate::tool::ToolHandler> = std::sync::Arc::new(Nothing);
        let tool = |definition| crate::tool::Tool { definition, handler: std::sync::Arc::clone(&handler) };
        let tools: Vec<_> = definitions(None).into_iter().map(tool).collect();
        assert_eq!(tools.len(), NAMES.len());
        let set = ToolSet::new(tools, Duration::MAX).unwrap();
        assert!(set.has("loadTools"));
        let unique: std::collections::BTreeSet<_> = NAMES.iter().collect();
        assert_eq!(unique.len(), NAMES.len());
    }

    #[test]
    fn some_tools_can_be_chosen() {
        let names = |chosen: &[&str]| {
            let chosen: Vec<String> = chosen.iter().map(|name| (*name).to_owned()).collect();
            definitions(Some(&chosen)).into_iter().map(|tool| tool.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&["getPage", "searchPages"]), ["searchPages", "getPage"]);
    }
}
