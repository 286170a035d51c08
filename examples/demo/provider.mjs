// A provider that speaks real HTTP on loopback and answers from a script, in the format of OpenAI's chat completions.

import { createServer } from 'node:http';

const event = (payload) => `data: ${JSON.stringify(payload)}\n\n`;
const choice = (delta, finish_reason = null) =>
  event({
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1_700_000_000,
    model: 'scripted',
    choices: [{ index: 0, delta, finish_reason }],
  });

/** A piece of the answer, of the reasoning, a whole tool call, and the end. */
export const text = (content) => choice({ content });
export const reasoning = (content) => choice({ reasoning_content: content });
export const toolCall = (index, id, name, input) =>
  choice({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: JSON.stringify(input) } }] });
export const finish = (reason, input, output) => [
  choice({}, reason),
  event({
    id: 'chatcmpl-1',
    choices: [],
    usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
  }),
  'data: [DONE]\n\n',
];

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Starts the provider. `script(request, number)` gives the answer to each request: an array of events, or
 * `{status, headers, body}`, or `{events, then: 'hang' | 'reset'}`, whose events may come from an async generator.
 * `paceMs` is the pause after each event.
 */
export async function startProvider(script, { paceMs = 0 } = {}) {
  const requests = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    requests.push(JSON.parse(body));
    const answer = await script(requests.at(-1), requests.length - 1);
    const { status = 200, headers, events = Array.isArray(answer) ? answer : [], then } = answer;
    response.writeHead(status, { 'content-type': 'text/event-stream', ...headers });
    if (answer.body !== undefined) return response.end(answer.body);
    response.flushHeaders();
    for await (const piece of events) {
      // Waited for, so that a reset after it does not take it back.
      await new Promise((resolve) => response.write(piece, resolve));
      if (paceMs) await pause(paceMs);
    }
    if (then === 'reset') return response.socket.resetAndDestroy();
    if (then !== 'hang') response.end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    baseUrl: `http://127.0.0.1:${server.address().port}/v1`,
    requests,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
