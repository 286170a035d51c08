// Compiled, never run: the declarations must allow what the README shows and refuse what is wrong.

import { createServer } from 'node:http';

import * as turnkeep from '../../index.mjs';
import {
  type AssistantFlush,
  type AssistantPart,
  Engine,
  type HostedRun,
  type Run,
  type RunOutcome,
  type RunSignal,
  RunTail,
  type Step,
  type TailEnd,
  TurnkeepError,
  type UIMessageChunk,
  type Usage,
} from '../../index.mjs';

const engine: Engine = await Engine.open({
  store: 'sqlite:chats.db',
  providers: { default: { driver: 'openai-compatible', model: 'm', baseUrl: 'http://127.0.0.1/v1' } },
  tools: { weather: { inputSchema: { type: 'object' }, execute: ({ city }: { city: string }) => ({ city }) } },
});
const user = { workspaceId: 'w', userId: 'u' };

createServer(async (_, response) => {
  const turn = await engine.startTurn({ ...user, message: { role: 'user', parts: [{ type: 'text', text: 'hi' }] } });
  await turn.pipe(response);
  const ofTheWeb: Response = await turn.toResponse({ heartbeatMs: 1000 });
  void ofTheWeb;
});

const turn = await engine.startTurn({
  ...user,
  message: 'hi',
  tools: [{ name: 't', execute: async (_, { signal }) => signal.aborted }],
});
for await (const chunk of turn.chunks()) {
  const known: UIMessageChunk = chunk;
  if (known.type === 'text-delta') known.delta.toUpperCase();
}
for await (const bytes of turn.sse()) bytes.byteLength;
const outcome: RunOutcome = await turn.done();
outcome.usage?.inputTokens?.toFixed();
const stopped: boolean = await engine.runs.stop({ ...user, chatId: turn.chatId });
const markdown: string = await engine.chats.export({ ...user, chatId: turn.chatId, lang: 'ru' });
void [stopped, markdown];

createServer(async (_, response) => {
  const active: Run | null = await engine.runs.activeForChat({ ...user, chatId: turn.chatId });
  if (active) await engine.runs.tail({ ...user, runId: active.id }).pipe(response, { heartbeatMs: 1000 });
});
const tail: RunTail = engine.runs.tail(turn.runId, { ...user, after: '17+3' });
for await (const { cursor, chunk, resync } of tail) {
  const known: UIMessageChunk = chunk;
  void [cursor.length, known.type, resync === true];
}
for await (const bytes of engine.runs.tail({ ...user, runId: turn.runId, from: 'start' }).sse()) bytes.byteLength;
const end: TailEnd | null = tail.end;
tail.close();
const queued = await engine.startTurn({ ...user, message: 'hi', busy: 'enqueue', idempotencyKey: 'k' });
await engine.startTurn({ ...user, message: 'hi', busy: { supersede: queued.runId }, signal: AbortSignal.timeout(5) });
await engine.startTurn({ ...user, message: 'hi', offeredTools: ['weather'] });
engine.offerTools();
const offered: void = engine.offerTools([{ name: 't', execute: () => 1 }]);
engine.offerTools([{ name: 'ask', answerSchema: { type: 'string' } }]);
engine.offerTools({ here: { clientSide: true }, there: { approval: 'always', execute: () => 1 } });
// @ts-expect-error neither code nor anybody who answers
engine.offerTools([{ name: 't', approval: 'always' }]);
const listed: Run[] = await engine.runs.list({ ...user, chatId: queued.chatId, limit: 5 });
const swept: number = await engine.runs.sweep();
const additions: string[] = (await Engine.pendingMigrations('postgres://x')).flatMap((pending) => pending.additions);
const live: boolean = (await engine.health()).notifications.state === 'live';
const hosted: HostedRun = await engine.runs.begin({ ...user, message: 'hi', busy: { supersede: queued.runId } });
const number: number = await hosted.recordStep({ content: [{ type: 'text', text: 'x' }], usage: { inputTokens: 1 } });
hosted.signal.throwIfAborted();
await hosted.finish({ status: 'aborted', step: { text: 'x', toolErrors: [{ toolCallId: 'c', error: new Error() }] } });
await engine.runs.recordStep({ ...user, runId: hosted.runId, step: { text: 'x' } });
await engine.runs.finish({ ...user, runId: hosted.runId, status: 'failed', reason: 'budget', error: 'e' });
const why: RunSignal = await engine.runs.signal({ ...user, runId: hosted.runId });
void [offered, end, queued.repeated, listed, swept, live, additions, number, why];

// @ts-expect-error tools are named
await engine.startTurn({ ...user, message: 'hi', offeredTools: [{ name: 't', execute: () => 1 }] });
// @ts-expect-error what is offered has code
engine.offerTools(['weather']);
// @ts-expect-error a run is needed
engine.runs.tail({ ...user });
// @ts-expect-error a place is a cursor or a beginning
engine.runs.tail(turn.runId, { ...user, from: 'end' });
// @ts-expect-error the engine cannot begin a host's loop later
await engine.runs.begin({ ...user, busy: 'enqueue' });
// @ts-expect-error a run ends in one of three ways
await hosted.finish({ status: 'running' });
// @ts-expect-error tails come from an engine
new RunTail();

try {
  await engine.close({ graceMs: 0 });
} catch (error) {
  if (error instanceof TurnkeepError && error.code === 'STORE_UNAVAILABLE') error.details;
}

// @ts-expect-error the user is missing
await engine.startTurn({ message: 'hi' });
// @ts-expect-error a tool needs code
await engine.startTurn({ ...user, message: 'hi', tools: [{ name: 't' }] });
// @ts-expect-error neither a run nor a chat
await engine.runs.stop({ ...user });
// @ts-expect-error engines are opened, not constructed
new Engine();

// ---- pure functions

const steps: Step[] = [
  { text: 'a', toolCalls: [{ toolCallId: 'c', toolName: 't', input: { x: 1 } }], toolResults: [] },
  { toolErrors: [{ toolCallId: 'c', toolName: 't', errorText: 'no' }], usage: { inputTokens: 1 } },
];
const flush: AssistantFlush = turnkeep.flushAssistant(steps, '', 'completed', { finishReason: 'stop', usage: {} });
const [part] = flush.metadata.parts;
if (part?.type === 'text') part.text.trim();
else if (part && 'state' in part && part.state === 'output-error') part.errorText.trim();
const parts: AssistantPart[] = turnkeep.assistantParts(undefined, 'fallback');
turnkeep.serializeSteps(steps)?.length;
const small: unknown = turnkeep.compactToolOutput({ a: 1n });
const { role }: { role: 'user' | 'assistant' } = turnkeep.rowToUiMessage({ id: 'm', role: 'system', content: null });
const plan = turnkeep.planFinalizeAssistant(null);
if (plan.kind === 'update') plan.id.trim();
const sum: Usage | undefined = turnkeep.accumulateStepUsage(undefined, turnkeep.normalizeUsage(null));
turnkeep.chatStreamMetadata({ type: 'start' }, 'chat', sum)?.chatId?.trim();
const rows = [{ id: 'm', role: 'user', content: 'x', createdAt: new Date() }];
const document: string = turnkeep.buildChatJson({ title: null, chatId: 'c', rows, exportedAt: new Date() });
turnkeep.parseChatJson(document).rows[0]?.role.trim();
turnkeep.buildChatMarkdown({ title: 't', chatId: 'c', rows, lang: 'ru', labels: { tools: { t: 'T' } } }).trim();
const language: 'en' | 'ru' = turnkeep.normalizeLang('ru');
turnkeep.buildSystemPrompt({ openedPage: { id: 'p' }, extraRules: ['be kind'] }).trim();
const titles: (string | null)[] = [
  turnkeep.cleanChatTitle('t'),
  turnkeep.chatTitlePrompt('t').system,
  turnkeep.pageTitlePrompt('t').prompt,
  turnkeep.cleanGeneratedTitle('t'),
];
async function exported(engine: turnkeep.Engine, who: { workspaceId: string; userId: string }): Promise<string> {
  const chat = await engine.chats.import({ ...who, document: await Promise.resolve('{}') });
  const pieces: Buffer[] = [];
  for await (const piece of engine.chats.exportStream({ ...who, chatId: chat.id, format: 'json' })) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}
turnkeep.prepareAgentStep(19, 'system')?.system.trim();
turnkeep.describeProviderError(new Error('x'), 'fallback').trim();
const fatal: boolean = turnkeep.isFatalProviderError({ statusCode: 401 });
turnkeep.roleModelOverride({ name: 'R', modelConfig: { driver: 'openai' } })?.driver?.trim();
const format = turnkeep.resolveAudioFormat('audio/webm');
if (format.ok) format.format.trim();
turnkeep.isIpAllowed('127.0.0.1').reason?.trim();
turnkeep.validateResolvedAddresses([{ address: '127.0.0.1', family: 4 }]).ok;
turnkeep.selectAccessibleHits([{ pageId: 'p' }], new Set(['p']), 5)[0]?.snippet.trim();
turnkeep.selectAccessibleHits([], ['p'], 5);
const names: string[] = [
  turnkeep.sanitizeToolName('n'),
  turnkeep.toolNamePrefix('n'),
  turnkeep.capToolName('n'),
  turnkeep.disambiguateToolName('n', 's', ['n']),
  ...turnkeep.splitText('t', { chunkSize: 10 }),
];
const degenerate: boolean = turnkeep.isDegenerateOutput(turnkeep.truncateDegenerateOutput('t'));
turnkeep.trimHistory([{ role: 'user' }], { budgetTokens: 5 }).messages[0]?.role.trim();
turnkeep.toView({ id: 'i', name: 'n', transport: 'http', url: 'u', headers: { a: 'b' }, createdAt: 5 });
void [exported, parts, small, role, language, titles, fatal, names, degenerate];

// @ts-expect-error a status of runs, not of messages
turnkeep.flushAssistant(steps, '', 'succeeded');
// @ts-expect-error calls have ids
turnkeep.flushAssistant([{ toolCalls: [{ toolName: 't' }] }], '', 'completed');
// @ts-expect-error a budget is needed
turnkeep.trimHistory([], {});
// @ts-expect-error one argument, an object
turnkeep.buildChatMarkdown('title', 'c', rows);

// What frameworks and clients hand in.
declare const reply: import('../../index.mjs').FastifyReply;
declare const http2Response: import('node:http2').Http2ServerResponse;
declare const outgoing: import('node:http').OutgoingHttpHeaders;
await turn.pipe(reply, { headers: outgoing });
await turn.pipe(http2Response, { headers: new Headers() });
await turn.pipe(reply, { headers: [['x-mine', 1]] });
const ofRows = (await engine.chats.messages({ ...user, chatId: turn.chatId })).map(turnkeep.rowToUiMessage);
declare const ofClient: {
  id: string;
  role: 'system' | 'user' | 'assistant';
  parts: ({ type: 'text'; text: string; state?: 'streaming' | 'done' } | { type: 'step-start' })[];
};
await engine.startTurn({ ...user, message: ofClient });
const told: UIMessageChunk['type'][] = ['source-url', 'source-document', 'file'];
try {
  await using other = await Engine.open({ store: 'sqlite::memory:' });
  void other;
} catch (error) {
  if (error instanceof TurnkeepError && error.code === 'A_RUN_ALREADY_ACTIVE') {
    const inTheWay: string = error.details.activeRunId;
    void [ofRows, told, inTheWay];
  }
}

/** Every chunk that is sent, and nothing else: a kind that is missing here makes `never` an error. */
function tellable(chunk: turnkeep.UIMessageChunk): string {
  switch (chunk.type) {
    case 'start':
      return chunk.messageId;
    case 'text-start':
    case 'text-end':
    case 'reasoning-start':
    case 'reasoning-end':
      return chunk.id;
    case 'text-delta':
    case 'reasoning-delta':
      return chunk.delta;
    case 'tool-input-start':
    case 'tool-input-available':
      return chunk.toolName;
    case 'tool-input-delta':
      return chunk.inputTextDelta;
    case 'tool-input-error':
    case 'tool-output-error':
    case 'error':
      return chunk.errorText;
    case 'tool-output-available':
      return 'preliminary' in chunk ? 'so far' : chunk.toolCallId;
    case 'start-step':
    case 'finish-step':
      return chunk.type;
    case 'message-metadata':
      return chunk.messageMetadata.status ?? '';
    case 'finish':
      return chunk.finishReason;
    case 'abort':
      return chunk.reason;
    case 'source-url':
    case 'file':
      return chunk.url;
    case 'source-document':
      return chunk.title;
    case 'tool-approval-request':
      return chunk.approvalId;
    case 'tool-output-denied':
      return chunk.toolCallId;
    // Only to clients of version 7.
    case 'custom':
      return chunk.kind;
    case 'reasoning-file':
      return chunk.url;
    case 'steering-message':
      return chunk.id;
    case 'reset-step':
      return chunk.type;
    case 'tool-approval-response':
      return chunk.approved ? chunk.approvalId : (chunk.reason ?? '');
    case 'data-steering':
    case 'data-withdrawn':
    case 'data-model':
      return chunk.id;
    case 'data-custom':
    case 'data-reasoning-file':
      return chunk.type;
    default: {
      const none: never = chunk;
      return none;
    }
  }
}
void tellable;

// Rows as interfaces, which have no index, and as literals, which may say more.
interface Row {
  role: string;
  content: string;
}
declare const row: Row;
turnkeep.rowToUiMessage(row);
turnkeep.rowToUiMessage({ role: 'user', content: 'x', ofTheHost: 5 });

try {
  // Errors have a class each, and are told apart by it or by their code.
} catch (error) {
  if (error instanceof turnkeep.RunAlreadyActiveError) error.details.activeRunId.trim();
  if (error instanceof turnkeep.TurnkeepError && error.code === 'INVALID_INPUT') error.details.field.trim();
}

const actor = { userId: 'u', isAdmin: true };
const poet = await engine.roles.create({
  workspaceId: 'w',
  actor,
  name: 'Poet',
  instructions: 'Rhyme.',
  modelConfig: { driver: 'gemini', chatModel: 'm' },
});
const roleModel: string | undefined = poet.modelConfig?.chatModel;
await engine.roles.update({ workspaceId: 'w', actor, roleId: poet.id, emoji: null, modelConfig: null });
for (const shown of await engine.roles.list({ workspaceId: 'w', actor })) {
  if ('instructions' in shown) shown.instructions.toUpperCase();
  // @ts-expect-error Members are not shown it.
  else shown.instructions;
}
const bundle: string = await engine.roles.exportBundle({ workspaceId: 'w', actor, roleIds: [poet.id] });
const [imported] = await engine.roles.importBundle({ workspaceId: 'w', actor, bundle, existing: 'skip' });
void [roleModel, imported?.outcome === 'created'];
// @ts-expect-error Nobody acts.
await engine.roles.delete({ workspaceId: 'w', roleId: poet.id });

const { token } = await engine.provenance.sign({
  workspaceId: 'w',
  userId: 'u',
  chatId: 'c',
  audience: 'pages',
  ttlMs: 1e5,
});
const ofRun: string | null = (await engine.provenance.verify({ token, audience: 'pages' })).runId;
const source: 'user' | 'agent' = turnkeep.resolveEditSource(null, 'agent');
void [ofRun, turnkeep.cutsSnapshot('user', source, true)];

await engine.settings.update('w', { features: { chat: false, dictation: null } }, actor);
const isOn: boolean = (await engine.settings.get({ workspaceId: 'w', actor })).features.autonomousRuns;
const given = { driver: 'openai', model: 'e', apiKey: 'k' } as const;
const tried = await engine.settings.test({ workspaceId: 'w', capability: 'embeddings', actor, provider: given });
void [isOn, tried.ok, await engine.embed({ workspaceId: 'w', texts: ['t'], provider: given })];
// @ts-expect-error No such feature.
await engine.settings.update('w', { features: { chats: false } });

engine.checkPages(({ userId, page }) => (userId === 'u' ? { id: page.id, title: 'T' } : null));
engine.checkPages(async ({ page }, { signal }) => (signal.aborted ? null : { id: page.id }));
const ofPage: string | undefined = turnkeep.resolveCurrentPageResult({ id: 'p' }).page?.title;
void ofPage;
// @ts-expect-error A check says which page, or that there is none.
engine.checkPages(() => 'p');
engine.docmostTokens(async ({ userId, refused }) => (refused ? `new-${userId}` : userId));
// @ts-expect-error A token is a text.
engine.docmostTokens(() => ({ token: 't' }));
const page: turnkeep.PageToIndex = { id: 'p', spaceId: 's', title: 'T', content: { type: 'doc', content: [] } };
const indexed = await engine.search.index({ workspaceId: 'w', page });
const { failed } = await engine.search.reindex({ workspaceId: 'w', pages: [page], force: true });
const { mode, hits } = await engine.search.query({ workspaceId: 'w', userId: 'u', query: 'x', spaceIds: ['s'] });
void [indexed.model?.trim(), failed[0]?.code, mode === 'text', hits[0]?.score.toFixed(2)];
// @ts-expect-error Somebody asks.
await engine.search.query({ workspaceId: 'w', query: 'x', pageIds: [] });
