// Steps, rows and layers of the kinds that chats are made of, the same at every run.

const KIB = 1024;

export const SIZES = {
  '1 KB': KIB,
  '10 KB': 10 * KIB,
  '100 KB': 100 * KIB,
  '300 KB': 300 * KIB,
  '1 MB': KIB * KIB,
  '10 MB': 10 * KIB * KIB,
};

const LINES = [
  '## Opening hours\n\n',
  'The office in Porto is open from Monday to Friday, 9 to 17 h; on holidays ask the "front desk".\n',
  '- Bring the **signed** form and a copy of it\n- See [the handbook](https://example.org/handbook?page=12)\n',
  'Приём посетителей проходит по вторникам, вход со двора.\n',
  '| day | from | to |\n|---|---|---|\n| Mon | 09:00 | 17:00 |\n\n',
  'Run `make demo` first, then read what it says about `C:\\temp`.\n',
];

/** The text of a page, of this many UTF-16 units. */
export function page(units, seed = 0) {
  let text = '';
  for (let i = seed; text.length < units; i++) text += LINES[i % LINES.length];
  return text.slice(0, units);
}

const id = (n) => `019b2c4e-7a10-7c3d-9f00-${n.toString(16).padStart(12, '0')}`;

function hit(n) {
  return {
    id: id(n),
    title: `Page ${n}: opening hours`,
    snippet: page(150, n),
    score: Math.round(1e6 / (n + 1)) / 1e6,
  };
}

/** Search results whose JSON comes as near to this many bytes as whole results allow, from below or from above. */
function hits(bytes, seed, above) {
  const found = [];
  for (let n = seed; ; n++) {
    found.push(hit(n));
    if (Buffer.byteLength(JSON.stringify(found)) > bytes) break;
  }
  if (!above) found.pop();
  return found;
}

function step(n, toolName, input, output, text) {
  const toolCallId = `call_${n}`;
  return {
    text,
    toolCalls: [{ toolCallId, toolName, input }],
    toolResults: [{ toolCallId, toolName, output }],
    usage: { inputTokens: 1000 + n, outputTokens: 50, totalTokens: 1050 + n },
  };
}

/** Each makes the step number `n` of a turn of this many bytes. */
const SHAPES = {
  'page texts': (n, bytes) =>
    step(
      n,
      'getPage',
      { pageId: id(n) },
      { title: `Page ${n}`, markdown: page(Math.min(bytes, 200 * KIB) - 200, n) },
      'Reading it. ',
    ),
  'hits, just below 4000': (n, bytes) =>
    step(n, 'searchPages', { query: `hours ${n}` }, hits(Math.min(bytes - 200, 4000), n, false), 'Looking. '),
  'hits, just above 4000': (n, bytes) =>
    step(n, 'searchPages', { query: `hours ${n}` }, hits(Math.min(bytes - 200, 4000), n, true), 'Looking. '),
  'page texts, below 4000': (n, bytes) =>
    step(
      n,
      'getPage',
      { pageId: id(n) },
      { title: `Page ${n}`, markdown: page(Math.min(bytes - 200, 2500), n) },
      'Reading it. ',
    ),
  'large inputs': (n, bytes) =>
    step(
      n,
      'updatePageContent',
      { pageId: id(n), content: page(Math.min(bytes, 200 * KIB) - 200, n) },
      { pageId: id(n), updated: true },
      'Writing it. ',
    ),
  'small steps': (n) =>
    step(
      n,
      'getNode',
      { pageId: `p${n}`, nodeId: `#${n}` },
      { type: 'paragraph', text: 'Open.' },
      `Block ${n} comes next. `,
    ),
};

/** Turns of every shape and size: `{shape, size, bytes, steps}`. Those that do not come in a size are left out. */
export function* turns(sizes = SIZES) {
  for (const [shape, make] of Object.entries(SHAPES)) {
    for (const [size, wanted] of Object.entries(sizes)) {
      const steps = [];
      let bytes = 0;
      while (bytes < wanted * 0.95) {
        const next = make(steps.length, wanted - bytes);
        steps.push(next);
        bytes += Buffer.byteLength(JSON.stringify(next));
      }
      if (bytes < wanted * 2) yield { shape, size, bytes, steps };
    }
  }
}

/** A chat of this many messages with about this many bytes of metadata, as a store has it. */
export function* rows(count, bytes) {
  const budget = (bytes / count) * 2;
  for (let n = 0; n < count; n++) {
    const createdAt = new Date(Date.UTC(2026, 0, 1) + n * 60_000).toISOString();
    if (n % 2 === 0) {
      const content = `Please look at page ${n} and tell me when the office is open.`;
      yield {
        role: 'user',
        content,
        metadata: { parts: [{ type: 'text', text: content }] },
        status: 'completed',
        createdAt,
      };
      continue;
    }
    const parts = [{ type: 'text', text: 'I will look it up.' }];
    let used = 0;
    for (let call = 0; used < budget - 2700; call++) {
      const made = part(n + call, call);
      used += Buffer.byteLength(JSON.stringify(made));
      parts.push({ ...made, toolCallId: `call_${n}_${call}`, state: 'output-available' });
    }
    parts.push({ type: 'text', text: `Here is what I found.\n\n${page(1000, n)}` });
    const usage = { inputTokens: 4000 + n, outputTokens: 300, totalTokens: 4300 + n };
    yield {
      role: 'assistant',
      content: parts.at(-1).text,
      metadata: { parts, finishReason: 'stop', usage },
      status: 'completed',
      createdAt,
    };
  }
}

function part(seed, kind) {
  switch ((seed + kind) % 4) {
    case 0:
      return {
        type: 'tool-getPage',
        input: { pageId: id(seed) },
        output: { title: `Page ${seed}`, markdown: page(2200, seed) },
      };
    case 1:
      return { type: 'tool-searchPages', input: { query: `hours ${seed}`, limit: 8 }, output: hits(3000, seed, false) };
    case 2:
      return {
        type: 'tool-createPage',
        input: { title: `Page ${seed}`, content: page(2500, seed), spaceId: id(1) },
        output: { id: id(seed), title: `Page ${seed}` },
      };
    default:
      return {
        type: 'tool-getOutline',
        input: { pageId: id(seed) },
        output: {
          pageId: id(seed),
          outline: Array.from({ length: 20 }, (_, index) => ({
            index,
            type: 'heading',
            level: 2,
            firstText: `Section ${index}`,
          })),
        },
      };
  }
}

export const LAYERS = {
  small: { workspaceName: 'Acme', roleInstructions: 'Be brief.' },
  'with roles and servers': {
    workspaceName: 'Acme',
    roleInstructions: page(4000).replaceAll('`', "'"),
    openedPage: { id: id(7), title: 'Opening "hours"' },
    mcpInstructions: Array.from({ length: 5 }, (_, n) => ({
      serverName: `Server ${n}`,
      toolPrefix: `s${n}`,
      instructions: page(1500, n),
    })),
    productName: 'Wiki',
  },
};
