// The same functions as a TypeScript server would write them, for comparison. They are kept straightforward on purpose:
// nothing is cached, nothing is tuned, and nothing is done that such a server would not do. Where ours does more (half a
// surrogate pair and U+0000 become U+FFFD, forged headings are defused, wrong shapes are refused), this does not.

const KEEP_WHOLE_BYTES = 4000;
const LONG_STRING = 600;
const STRING_PREVIEW = 500;
const ARRAY_LIMIT = 50;
const DEPTH_LIMIT = 8;

export function compactToolOutput(output) {
  if (output === null || output === undefined) return output;
  let text;
  try {
    text = JSON.stringify(output);
  } catch {
    return output;
  }
  if (text === undefined || Buffer.byteLength(text, 'utf8') <= KEEP_WHOLE_BYTES) return output;
  return compactValue(output, 0);
}

function compactValue(value, depth) {
  if (typeof value === 'string') {
    if (value.length <= LONG_STRING) return value;
    return `${value.slice(0, STRING_PREVIEW)}…[truncated ${value.length - STRING_PREVIEW} chars]`;
  }
  if (Array.isArray(value)) {
    const items = value.slice(0, ARRAY_LIMIT).map((item) => compactValue(item, depth + 1));
    if (value.length > ARRAY_LIMIT) items.push({ _truncated: true, omittedItems: value.length - ARRAY_LIMIT });
    return items;
  }
  if (typeof value === 'object' && value !== null) {
    if (depth >= DEPTH_LIMIT) return { _truncated: true, note: 'nested content omitted' };
    const out = {};
    for (const key of Object.keys(value)) out[key] = compactValue(value[key], depth + 1);
    return out;
  }
  return value;
}

export function assistantParts(steps, fallbackText) {
  const parts = [];
  let hasText = false;
  for (const step of steps ?? []) {
    if (step.text) {
      parts.push({ type: 'text', text: step.text });
      hasText = true;
    }
    const results = new Map();
    for (const result of step.toolResults ?? []) {
      if (result.toolCallId) results.set(result.toolCallId, result);
    }
    for (const call of step.toolCalls ?? []) {
      if (!call.toolName || !call.toolCallId) continue;
      const result = results.get(call.toolCallId);
      const head = { type: `tool-${call.toolName}`, toolCallId: call.toolCallId };
      if (result) {
        parts.push({ ...head, state: 'output-available', input: call.input, output: compactToolOutput(result.output) });
      } else {
        parts.push({ ...head, state: 'output-error', input: call.input, errorText: 'The tool call did not complete.' });
      }
    }
  }
  if (!hasText && fallbackText) parts.push({ type: 'text', text: fallbackText });
  return parts;
}

export function serializeSteps(steps) {
  const trace = [];
  for (const step of steps ?? []) {
    for (const call of step.toolCalls ?? []) trace.push({ toolName: call.toolName, input: call.input });
    for (const result of step.toolResults ?? []) {
      trace.push({ toolName: result.toolName, output: compactToolOutput(result.output) });
    }
  }
  return trace.length > 0 ? trace : null;
}

function normalizeUsage(usage) {
  if (!usage) return undefined;
  const { inputTokens, outputTokens, totalTokens } = usage;
  const reasoningTokens = usage.outputTokenDetails?.reasoningTokens ?? usage.reasoningTokens;
  const normal = { inputTokens, outputTokens, totalTokens, reasoningTokens };
  return Object.fromEntries(Object.entries(normal).filter(([, tokens]) => tokens !== undefined));
}

export function flushAssistant(steps, inProgressText, status, extra = {}) {
  const content = (steps ?? []).map((step) => step.text ?? '').join('') + inProgressText;
  const parts = assistantParts(steps, '');
  if (inProgressText) parts.push({ type: 'text', text: inProgressText });
  const metadata = { parts };
  const finishReason = extra.finishReason || (status === 'error' || status === 'aborted' ? status : undefined);
  if (finishReason) metadata.finishReason = finishReason;
  if (extra.usage !== undefined) metadata.usage = normalizeUsage(extra.usage) ?? extra.usage;
  if (extra.contextTokens) metadata.contextTokens = extra.contextTokens;
  if (extra.maxContextTokens) metadata.maxContextTokens = extra.maxContextTokens;
  if (extra.error) metadata.error = extra.error;
  return { content, toolCalls: serializeSteps(steps), metadata, status };
}

const TOOLS = {
  searchPages: 'Searched pages',
  getPage: 'Read page',
  createPage: 'Created page',
  updatePageContent: 'Updated page',
  renamePage: 'Renamed page',
  movePage: 'Moved page',
  deletePage: 'Deleted page (to trash)',
  createComment: 'Commented',
  resolveComment: 'Resolved comment',
};

function fenced(value) {
  const body = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  const longest = Math.max(0, ...(body.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(Math.max(3, longest + 1));
  return `${fence}json\n${body}\n${fence}`;
}

function renderPart(part) {
  if (part.type === 'text') return part.text.trim() ? [part.text.trim()] : [];
  const dynamic = part.type === 'dynamic-tool';
  if (!dynamic && !part.type?.startsWith('tool-')) return [];
  const name = dynamic ? (part.toolName ?? '') : part.type.slice('tool-'.length);
  const failed = part.state === 'output-error' || part.state === 'output-denied';
  const state = failed ? 'error' : part.state === 'output-available' ? 'done' : 'running';
  const blocks = [`**Tool: ${TOOLS[name] ?? `Ran tool ${name}`}** (\`${name}\`) — ${state}`];
  if (part.input !== undefined) blocks.push('Input:', fenced(part.input));
  if (part.output !== undefined) blocks.push('Output:', fenced(part.output));
  if (part.errorText) blocks.push(`**Error:** ${part.errorText}`);
  return blocks;
}

const totalOf = (usage) => usage.totalTokens ?? (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0);

export function buildChatMarkdown({ title, chatId, rows, exportedAt }) {
  const tokens = rows.reduce((sum, row) => sum + (row.metadata?.usage ? totalOf(row.metadata.usage) : 0), 0);
  const facts = [`- Chat ID: \`${chatId}\``, `- Exported: ${exportedAt}`, `- Messages: ${rows.length}`];
  if (tokens > 0) facts.push(`- Total tokens: ${tokens}`);
  const blocks = [`# ${title?.trim() || 'Untitled chat'}`, facts.join('\n')];
  rows.forEach((row, index) => {
    blocks.push('---', `## ${index + 1}. ${row.role === 'assistant' ? 'AI agent' : 'You'}`);
    if (row.createdAt) blocks.push(`<!-- ${row.createdAt} -->`);
    const { parts, error, usage } = row.metadata ?? {};
    const shown = Array.isArray(parts) && parts.length > 0 ? parts : [{ type: 'text', text: row.content ?? '' }];
    for (const part of shown) blocks.push(...renderPart(part));
    if (row.status === 'streaming') {
      blocks.push('_⏳ This answer is still being written; the export holds what there was of it._');
    }
    if (error) blocks.push(`**⚠️ Error:** ${error}`);
    if (usage) {
      const reasoning = usage.reasoningTokens > 0 ? `, reasoning: ${usage.reasoningTokens}` : '';
      const [input, output] = [usage.inputTokens ?? '?', usage.outputTokens ?? '?'];
      blocks.push(`_Tokens — in: ${input}, out: ${output}${reasoning}, total: ${totalOf(usage)}_`);
    }
  });
  return blocks.join('\n\n');
}

/** `words` are the texts that stand around the layers: `{safety, personaOpen, persona, mcpOpen, mcpIntro}`. */
export function buildSystemPrompt(
  words,
  { workspaceName, adminPrompt, roleInstructions, openedPage, mcpInstructions },
) {
  const filled = (text) => (typeof text === 'string' && text.trim() ? text.trim() : undefined);
  const persona = filled(roleInstructions) ?? filled(adminPrompt) ?? words.persona;
  let context = workspaceName ? `\n\nWorkspace: ${quoted(workspaceName)}.` : '';
  if (filled(openedPage?.id)) {
    const title = quoted(filled(openedPage.title) ?? 'Untitled');
    context += `\nThe person has the page "${title}" open (pageId: ${quoted(filled(openedPage.id))}).`;
  }
  const guidance = (mcpInstructions ?? []).filter((server) => filled(server.instructions));
  const block = guidance.flatMap((server) => [
    `Server "${quoted(server.serverName)}" (tools: ${quoted(server.toolPrefix)}_*):`,
    contained(filled(server.instructions)),
  ]);
  const mcp = block.length > 0 ? [words.mcpOpen, words.mcpIntro, ...block, '</mcp_tooling>'].join('\n') : '';
  return [words.safety, words.personaOpen, contained(persona), '</role_persona>', context, mcp, words.safety]
    .filter((section) => section !== '')
    .join('\n');
}

const quoted = (text) =>
  text
    .replaceAll('"', "'")
    .replaceAll('<', '‹')
    .replaceAll('>', '›')
    .replace(/[\n\r\u2028\u2029]/g, ' ');
const contained = (text) => text.replace(/<(?=[</\s]*(?:role_persona|mcp_tooling|quoted_text))/gi, '&lt;');
