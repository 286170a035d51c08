//! Every function that the door knows, and arguments for it; `@` is where the input's text goes, as a JSON string, and
//! `#` where a value of any kind goes.
//!
//! Written by tools/surface from the description of the surface. Changes made here are overwritten.

/// The functions and their arguments.
#[rustfmt::skip]
pub const FUNCTIONS: &[(&str, &str)] = &[
    ("accumulateStepUsage", r##"{"acc":{"inputTokens":20,"outputTokens":20,"totalTokens":20,"reasoningTokens":20,"cachedInputTokens":20},"step":{"inputTokens":20,"outputTokens":20,"totalTokens":20,"reasoningTokens":20,"cachedInputTokens":20}}"##),
    ("assistantParts", r##"{"steps":[{"text":@,"toolCalls":[{"toolCallId":@,"toolName":@,"input":#}],"toolResults":[{"toolCallId":@,"toolName":@,"output":#}],"toolErrors":[{"toolCallId":@,"toolName":@,"errorText":@}],"usage":#}],"fallbackText":@}"##),
    ("buildChatJson", r##"{"title":@,"chatId":@,"rows":[{"id":@,"role":@,"content":@,"metadata":#,"status":@,"createdAt":@}],"exportedAt":@}"##),
    ("buildChatMarkdown", r##"{"title":@,"chatId":@,"rows":[{"id":@,"role":@,"content":@,"metadata":#,"status":@,"createdAt":@}],"lang":@,"labels":{"untitled":@,"aiAgent":@,"you":@,"ranTool":@,"stillGenerating":@,"tools":{"x":@}},"exportedAt":@}"##),
    ("buildSystemPrompt", r##"{"workspaceName":@,"adminPrompt":@,"roleInstructions":@,"openedPage":{"id":@,"title":@},"mcpInstructions":[{"serverName":@,"toolPrefix":@,"instructions":@}],"productName":@,"extraRules":[@],"extraSystem":@}"##),
    ("capToolName", r##"{"value":@}"##),
    ("chatStreamMetadata", r##"{"part":{"type":@,"totalUsage":{"inputTokens":20,"outputTokens":20,"totalTokens":20,"reasoningTokens":20,"outputTokenDetails":{"reasoningTokens":20}}},"chatId":@,"cumulativeUsage":{"inputTokens":20,"outputTokens":20,"totalTokens":20,"reasoningTokens":20,"cachedInputTokens":20}}"##),
    ("chatTitlePrompt", r##"{"text":@}"##),
    ("cleanChatTitle", r##"{"text":@}"##),
    ("cleanGeneratedTitle", r##"{"text":@}"##),
    ("compactToolOutput", r##"{"value":#}"##),
    ("describeProviderError", r##"{"err":#,"fallback":@}"##),
    ("disambiguateToolName", r##"{"name":@,"serverId":@,"taken":[@]}"##),
    ("flushAssistant", r##"{"steps":[{"text":@,"toolCalls":[{"toolCallId":@,"toolName":@,"input":#}],"toolResults":[{"toolCallId":@,"toolName":@,"output":#}],"toolErrors":[{"toolCallId":@,"toolName":@,"errorText":@}],"usage":#}],"inProgressText":@,"status":"streaming","extra":{"finishReason":@,"usage":{"inputTokens":20,"outputTokens":20,"totalTokens":20,"reasoningTokens":20,"outputTokenDetails":{"reasoningTokens":20}},"contextTokens":20,"maxContextTokens":20,"error":@}}"##),
    ("isDegenerateOutput", r##"{"text":@}"##),
    ("isFatalProviderError", r##"{"err":#}"##),
    ("isIpAllowed", r##"{"ip":@}"##),
    ("normalizeLang", r##"{"tag":@}"##),
    ("normalizeUsage", r##"{"usage":{"inputTokens":20,"outputTokens":20,"totalTokens":20,"reasoningTokens":20,"outputTokenDetails":{"reasoningTokens":20}}}"##),
    ("pageTitlePrompt", r##"{"content":@}"##),
    ("parseChatJson", r##"{"text":@}"##),
    ("planFinalizeAssistant", r##"{"assistantId":@}"##),
    ("prepareAgentStep", r##"{"stepNumber":5.0,"system":@,"maxSteps":20}"##),
    ("resolveAudioFormat", r##"{"mime":@}"##),
    ("roleModelOverride", r##"{"role":{"name":@,"modelConfig":#}}"##),
    ("rowToUiMessage", r##"{"row":{"id":@,"role":@,"content":@,"metadata":#,"status":@,"createdAt":@}}"##),
    ("safeErrorText", r##"{"failure":{"kind":"authentication","statusCode":20,"retryable":true,"message":@}}"##),
    ("sanitizeToolName", r##"{"value":@}"##),
    ("selectAccessibleHits", r##"{"hits":[{"pageId":@,"title":@,"content":@}],"accessiblePageIds":[@],"cap":5.0}"##),
    ("serializeSteps", r##"{"steps":[{"text":@,"toolCalls":[{"toolCallId":@,"toolName":@,"input":#}],"toolResults":[{"toolCallId":@,"toolName":@,"output":#}],"toolErrors":[{"toolCallId":@,"toolName":@,"errorText":@}],"usage":#}]}"##),
    ("splitText", r##"{"text":@,"options":{"chunkSize":20,"chunkOverlap":20}}"##),
    ("storableText", r##"{"text":@}"##),
    ("toView", r##"{"server":{"id":@,"name":@,"transport":@,"url":@,"enabled":true,"toolAllowlist":[@],"instructions":@,"headers":{"x":@},"headersEnc":@}}"##),
    ("toolNamePrefix", r##"{"serverName":@}"##),
    ("trimHistory", r##"{"messages":[{"role":@}],"options":{"budgetTokens":20,"contextTokens":20,"keepTurns":20}}"##),
    ("truncateDegenerateOutput", r##"{"text":@}"##),
    ("validateResolvedAddresses", r##"{"addresses":[{"address":@,"family":20}]}"##),
];
