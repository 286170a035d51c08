"""The recorded vectors, for the runners of Python and of C.

`../shared/vectors` is read in place (or below the folder that `TURNKEEP_SHARED` names). What is left out on purpose is
in `vectors.json`, with the reasons, for every language. A language brings a function that calls the pure functions.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FOLDER = Path(os.environ.get("TURNKEEP_SHARED") or HERE.parent.parent / "shared") / "vectors"
# How many differences of a file are shown.
SHOWN = 6
LISTS: dict[str, Any] = json.loads((HERE / "vectors.json").read_text(encoding="utf-8"))


class DoesNotApplyError(Exception):
    """The case needs what the language, or JSON, does not have."""


class RefusedError(Exception):
    """The function has answered with INVALID_INPUT."""


class Undefined:
    """JavaScript's undefined."""


UNDEFINED = Undefined()


@dataclass
class JsError:
    """An Error with its own enumerable members."""

    name: str
    message: str
    own: dict[str, Any]


@dataclass
class JsDate:
    """A Date by its ISO text."""

    text: str


@dataclass
class RawJson:
    """JSON that the case gives as text."""

    text: str


# A function's name in the contract and its parameters by name; the result, in which None is undefined too.
Call = Callable[[str, dict[str, Any]], Any]


def files() -> list[str]:
    return list(RUNNERS)


def unknown_files() -> list[str]:
    """Files that are neither run nor listed as not applying."""
    known = {*RUNNERS, *LISTS["doesNotApply"]}
    return sorted(path.stem for path in FOLDER.glob("*.json") if path.stem not in known)


@dataclass
class Report:
    file: str
    cases: int = 0
    passed: int = 0
    intended: int = 0
    left_out: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = f"{self.passed} of {self.cases} pass, {self.intended} intended, {self.left_out} do not apply"
        return f"{self.file}: {counts}"

    def problem(self) -> str | None:
        if self.wrong:
            shown = self.wrong[:SHOWN]
            return f"{self}; {len(self.wrong)} differ, such as:\n" + "\n".join(shown)
        return None if self.passed else f"{self}; no case applies"


def run_file(file: str, language: str, call: Call, exact: Callable[[Any], str | None] | None = None) -> Report:
    """Runs a file. `exact` gives the very text of a result where the language has it: then bytes are compared."""
    records = json.loads((FOLDER / f"{file}.json").read_text(encoding="utf-8"))
    report = Report(file, len(records))
    runner = RUNNERS[file]
    context: dict[str, Any] = {}
    for record in records:
        if is_intended(file, record["name"], language):
            report.intended += 1
            continue
        try:
            expected, ours = outcome(runner, record, call, context)
        except DoesNotApplyError:
            report.left_out += 1
            continue
        expected = settle(expected, ours, file in STORED)
        text = exact(ours) if exact else None
        same = js_text(expected) == text if text is not None else equal(expected, ours)
        if same:
            report.passed += 1
        else:
            report.wrong.append(f"  {record['name']}\n{difference(ours, expected, text)}")
    return report


def is_intended(file: str, name: str, language: str) -> bool:
    entry = LISTS["intended"].get(file, {}).get(name)
    return entry is not None and (isinstance(entry, str) or language in entry["languages"])


def outcome(runner: Runner, record: dict[str, Any], call: Call, context: dict[str, Any]) -> tuple[Any, Any]:
    """What is expected, and what came out."""
    if "throws" in record:
        expected: Any = RefusedError
    elif isinstance(record.get("outputJson"), str):
        expected = json.loads(record["outputJson"])
    else:
        expected = plain(untag(record["output"]))
    try:
        expected, ours = runner(untag(record["input"]), expected, call, context)
    except RefusedError as refusal:
        # A function that is not there refuses everything.
        as_expected = expected is RefusedError and not str(refusal).startswith("function:")
        ours = RefusedError if as_expected else f"refused: {refusal}"
    return expected, ours


def difference(ours: Any, theirs: Any, text: str | None) -> str:
    """Both from a little before the first difference on."""
    texts = [shown(ours) if text is None else text, shown(theirs)]
    start = max(len(os.path.commonprefix(texts)) - 60, 0)
    parts = [text[start : start + 240] for text in texts]
    return f"     ours: {parts[0]!r}\n   theirs: {parts[1]!r}"


def shown(value: Any) -> str:
    return js_text(value) if isinstance(value, (dict, list, str, int, float)) else repr(value)


# ---- values ---------------------------------------------------------------------------------------------------------


def untag(value: Any) -> Any:
    """The value behind the tags."""
    if isinstance(value, list):
        return [untag(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(tag, inner)] = value.items()
        match tag:
            case "$undef":
                return UNDEFINED
            case "$num":
                return {"-0": -0.0, "NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}[inner]
            case "$utf16":
                units = b"".join(unit.to_bytes(2, "little") for unit in inner)
                return units.decode("utf-16-le", "surrogatepass")
            case "$date":
                # An invalid one has no other JSON than null.
                return None if inner is None else JsDate(inner)
            case "$set":
                return {untag(item) for item in inner}
            case "$error":
                return JsError(inner["name"], inner["message"], untag(inner["own"]))
            case "$special":
                raise DoesNotApplyError(inner)
            case "$entries":
                # A key with half a surrogate pair is tagged itself.
                return {untag(key): untag(item) for key, item in inner}
    return {key: untag(item) for key, item in value.items()}


def plain(value: Any) -> Any:
    """Without what is undefined: members vanish, the rest is None."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if item is not UNDEFINED}
    if isinstance(value, JsError):
        return JsError(value.name, value.message, plain(value.own))
    return None if value is UNDEFINED else value


def equal(expected: Any, ours: Any) -> bool:
    """Key order counts; an integer is equal to the same number with a point."""
    if isinstance(expected, dict):
        return (
            isinstance(ours, dict)
            and list(expected) == list(ours)
            and all(equal(item, ours[key]) for key, item in expected.items())
        )
    if isinstance(expected, list):
        return isinstance(ours, list) and len(expected) == len(ours) and all(map(equal, expected, ours))
    if isinstance(ours, float) and math.isnan(ours):
        # A value that came back as it was; JSON has null for it.
        return expected is None
    if isinstance(expected, bool) or isinstance(ours, bool) or expected is None or ours is None:
        return expected is ours
    if isinstance(expected, (int, float)) and isinstance(ours, (int, float)):
        # As doubles: the original rounded integers above 2^53, which stay as they are with us.
        return float(expected) == float(ours)
    return bool(expected == ours)


def settle(expected: Any, ours: Any, stored: bool) -> Any:
    """`expected` with those of the allowed forms of each text that ours has."""
    if isinstance(expected, dict) and isinstance(ours, dict):
        settled = {}
        for key, item in expected.items():
            name = key if key in ours else settle(key, storable(key), stored)
            settled[name] = settle(item, ours.get(name), stored)
        return settled
    if isinstance(expected, list) and isinstance(ours, list):
        longer = [*ours, *[None] * len(expected)]
        return [settle(item, mine, stored) for item, mine in zip(expected, longer, strict=False)]
    if isinstance(expected, str):
        forms = [storable(expected), storable(CUT.sub("", expected))]
        if not stored:
            forms.append(expected)
        return ours if ours in forms else forms[0]
    if isinstance(expected, (int, float)) and isinstance(ours, int) and abs(ours) > 2**53:
        return ours if equal(expected, ours) else expected
    return expected


# Half a surrogate pair where a text was cut; ours drops it.
CUT = re.compile("^[\udc00-\udfff]|[\ud800-\udbff](?=…\\[truncated |…?$)")
UNSTORABLE = re.compile("[\ud800-\udfff\x00]")


def storable(text: str) -> str:
    return UNSTORABLE.sub("\ufffd", text)


def js_text(value: Any) -> str:
    """The text that JSON.stringify gives."""
    if isinstance(value, RawJson):
        return value.text
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
        return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)
    if isinstance(value, float):
        return js_number(value)
    if isinstance(value, JsDate):
        return js_text(value.text)
    if isinstance(value, JsError):
        return js_text({"name": value.name, "message": value.message, **value.own})
    if isinstance(value, (list, set)):
        return "[" + ",".join(map(js_text, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{js_text(key)}:{js_text(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


def js_number(number: float) -> str:
    if not math.isfinite(number):
        return "null"
    if number == int(number) and abs(number) < 1e21:
        return str(int(number))
    if 1e-6 <= abs(number) < 1e21:
        return format(Decimal(repr(number)), "f")
    return re.sub(r"e([+-])0+", r"e\1", repr(number))


# ---- files ----------------------------------------------------------------------------------------------------------

# The input, what is expected, the call, and what is kept from case to case; gives both outcomes.
Runner = Callable[[Any, Any, Call, dict[str, Any]], tuple[Any, Any]]

# What these give goes into a database, which refuses U+0000.
STORED = {"flushAssistant", "assistantParts", "serializeSteps"}


def direct(function: str, **names: str) -> Runner:
    """The members of the input are the parameters; `names` has those that are called otherwise."""

    def run(given: Any, expected: Any, call: Call, _: dict[str, Any]) -> tuple[Any, Any]:
        return expected, call(function, {names.get(name, name): plain(value) for name, value in given.items()})

    return run


def compact(given: Any, expected: Any, call: Call, _: dict[str, Any]) -> tuple[Any, Any]:
    value = given["output"] if "output" in given else RawJson(given["outputFromJson"])
    if value is UNDEFINED:
        raise DoesNotApplyError
    return expected, call("compactToolOutput", {"value": plain(value)})


def markdown(given: Any, expected: Any, call: Call, _: dict[str, Any]) -> tuple[Any, Any]:
    chat = plain({name: value for name, value in given.items() if name != "clock"})
    return expected, call("buildChatMarkdown", {**chat, "exportedAt": given["clock"]})


def stream_metadata(given: Any, expected: Any, call: Call, _: dict[str, Any]) -> tuple[Any, Any]:
    chat = given["chatId"]
    if "finishStepUsages" not in given:
        usage = plain(given["cumulativeStepUsage"])
        part = plain(given["part"])
        return expected, call("chatStreamMetadata", {"part": part, "chatId": chat, "cumulativeUsage": usage})
    total, ours = None, []
    for usage in plain(given["finishStepUsages"]):
        total = call("accumulateStepUsage", {"acc": total, "step": call("normalizeUsage", {"usage": usage})})
        part = {"type": "finish-step", "usage": usage}
        ours.append(call("chatStreamMetadata", {"part": part, "chatId": chat, "cumulativeUsage": total}))
    return expected, ours


def chat_title(given: Any, expected: Any, call: Call, _: dict[str, Any]) -> tuple[Any, Any]:
    if given["modelText"] is None:
        raise DoesNotApplyError
    # No title is stored for the empty text.
    return expected["storedTitle"], call("cleanChatTitle", {"text": given["modelText"]})


def resolved_addresses(given: Any, expected: Any, call: Call, _labels: dict[str, Any]) -> tuple[Any, Any]:
    # The recording names the address, for a log; ours gives the reason, which names none.
    if "blockedHost" in expected:
        reason = call("isIpAllowed", {"ip": expected["blockedHost"]})["reason"]
        expected = {"ok": expected["ok"], "reason": reason}
    return expected, call("validateResolvedAddresses", {"addresses": given["addrs"]})


def provider_error(given: Any, expected: Any, call: Call, labels: dict[str, Any]) -> tuple[Any, Any]:
    if not labels:
        for label, status in {"auth": 401, "billing": 402, "rate": 429}.items():
            line = call("describeProviderError", {"err": {"statusCode": status, "message": "m"}})
            text, found, _rest = line.partition(f" — {status}: m")
            assert text, line
            assert found, line
            labels[f"«LABEL {label}»"] = text
    for token, text in labels.items():
        expected = expected.replace(token, text) if isinstance(expected, str) else expected
    return expected, call("describeProviderError", plain(given))


def naming(given: Any, expected: Any, call: Call, _: dict[str, Any]) -> tuple[Any, Any]:
    helpers = {
        "sanitizeName": "sanitizeToolName",
        "namespacePrefix": "toolNamePrefix",
        "capName": "capToolName",
        "disambiguate": "disambiguateToolName",
    }
    function = helpers.get(given["helper"])
    if function is None:
        raise DoesNotApplyError
    return expected, call(function, {name: value for name, value in given.items() if name != "helper"})


def prepare(given: Any, expected: Any, call: Call, context: dict[str, Any]) -> tuple[Any, Any]:
    if not context:
        system = call("prepareAgentStep", {"stepNumber": 19, "system": "s"})["system"]
        assert system.startswith("s\n\n")
        assert system.strip() != "s"
        context["instruction"] = system.removeprefix("s\n\n")
    if expected is not None:
        expected["system"] = expected["system"].replace("«FINAL_STEP_INSTRUCTION»", context["instruction"])
    return expected, call("prepareAgentStep", given)


def split(given: Any, expected: Any, call: Call, _: dict[str, Any]) -> tuple[Any, Any]:
    if "text" not in given:
        raise DoesNotApplyError
    return expected, call("splitText", given)


def prompt_texts(call: Call, texts: dict[str, Any]) -> dict[str, Any]:
    """Our own prose for each token."""
    if texts:
        return texts
    lines = call("buildSystemPrompt", {"roleInstructions": "R"}).split("\n")
    place = lines.index("R")
    texts["«PERSONA_OPEN»"] = lines[place - 1]
    texts["«SAFETY»"] = "\n".join(lines[: place - 1])
    bare = call("buildSystemPrompt", {})
    around = [f"{texts['«SAFETY»']}\n{texts['«PERSONA_OPEN»']}\n", f"\n</role_persona>\n{texts['«SAFETY»']}"]
    assert bare.startswith(around[0])
    assert bare.endswith(around[1])
    texts["«DEFAULT_PERSONA»"] = bare[len(around[0]) : -len(around[1])]
    server = {"serverName": "S", "toolPrefix": "p", "instructions": "I"}
    block = call("buildSystemPrompt", {"mcpInstructions": [server]})
    opening = re.search(r"^(<mcp_tooling note=.*>)\n(.*)\nServer \"S\"", block, re.MULTILINE)
    assert opening
    texts["«MCP_OPEN»"], texts["«MCP_INTRO»"] = opening.groups()
    page = call("buildSystemPrompt", {"openedPage": {"id": "PAGE-ID", "title": "PAGE-TITLE"}})
    [texts["page"]] = [line for line in page.split("\n") if "PAGE-TITLE" in line]
    assert '"PAGE-TITLE"' in texts["page"]
    assert "(pageId: PAGE-ID)" in texts["page"]
    return texts


def with_our_prose(expected: str, texts: dict[str, Any]) -> str:
    def page(found: re.Match[str]) -> str:
        line: str = texts["page"].replace("PAGE-TITLE", found[1]).replace("PAGE-ID", found[2])
        return line

    expected = re.sub("«OPEN_PAGE title=(.*) id=(.*)»", page, expected)
    for token, text in texts.items():
        expected = expected.replace(token, text) if token.startswith("«") else expected
    return expected


def system_prompt(given: Any, expected: Any, call: Call, context: dict[str, Any]) -> tuple[Any, Any]:
    layers = plain({name: value for name, value in given.items() if name != "workspace"})
    layers["workspaceName"] = (plain(given["workspace"]) or {}).get("name")
    return with_our_prose(expected, prompt_texts(call, context)), call("buildSystemPrompt", layers)


def tooling_block(given: Any, expected: Any, call: Call, context: dict[str, Any]) -> tuple[Any, Any]:
    sections = ["«SAFETY»", "«PERSONA_OPEN»", "«DEFAULT_PERSONA»", "</role_persona>", expected, "«SAFETY»"]
    prompt = "\n".join(section for section in sections if section)
    return with_our_prose(prompt, prompt_texts(call, context)), call("buildSystemPrompt", plain(given))


RUNNERS: dict[str, Runner] = {
    "accumulateStepUsage": direct("accumulateStepUsage"),
    "assistantParts": direct("assistantParts"),
    "buildChatMarkdown": markdown,
    "buildMcpToolingBlock": tooling_block,
    "buildSystemPrompt": system_prompt,
    "chatStreamMetadata": stream_metadata,
    "chatTitleClean": chat_title,
    "compactToolOutput": compact,
    "describeProviderError": provider_error,
    "flushAssistant": direct("flushAssistant", capturedSteps="steps"),
    "isFatalProviderError": direct("isFatalProviderError"),
    "isIpAllowed": direct("isIpAllowed"),
    "mcpNaming": naming,
    "normalizeLang": direct("normalizeLang", lang="tag"),
    "normalizeStreamUsage": direct("normalizeUsage"),
    "planFinalizeAssistant": direct("planFinalizeAssistant"),
    "prepareAgentStep": prepare,
    "recursiveSplit": split,
    "resolveAudioFormat": direct("resolveAudioFormat", mimetype="mime"),
    "resolveCurrentPageResult": direct("resolveCurrentPageResult"),
    "roleModelOverride": direct("roleModelOverride"),
    "rowToUiMessage": direct("rowToUiMessage"),
    "selectAccessibleHits": direct("selectAccessibleHits", accessibleSet="accessiblePageIds"),
    "serializeSteps": direct("serializeSteps"),
    "validateResolvedAddresses": resolved_addresses,
}
