// Node's part in the comparison of languages; see README.md.

import { Engine } from '../../bindings-node/index.mjs';

const [database, baseUrl] = process.argv.slice(2);
const engine = await Engine.open({
  store: `sqlite:${database}`,
  providers: { default: { driver: 'openai-compatible', model: 'test-model', baseUrl } },
  tools: {
    weather: {
      description: 'Tells the weather',
      inputSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
      execute: ({ city }) => ({ city, tempC: 21.5, note: 'Grüße 😀' }),
    },
    broken: {
      execute() {
        throw new Error('it broke');
      },
    },
    nothing: { readOnly: true, execute: () => undefined },
    long: { execute: async () => 'x'.repeat(5000) },
  },
});
const turn = await engine.startTurn({ workspaceId: 'w1', userId: 'u1', message: 'Grüße 😀' });
for await (const chunk of turn.chunks()) console.log(JSON.stringify(chunk));
await turn.done();
await engine.close();
