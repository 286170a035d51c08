// One turn with a tool, printed as it comes: node examples/turn.mjs chats.db http://127.0.0.1:8080/v1 my-model

import { Engine } from '../bindings-node/index.mjs'; // In a program of your own: from 'turnkeep'.

const [database, baseUrl, model] = process.argv.slice(2);
const engine = await Engine.open({
  store: `sqlite:${database}`,
  providers: { default: { driver: 'openai-compatible', model, baseUrl } },
  tools: {
    weather: {
      description: 'Tells the weather in a city',
      inputSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
      readOnly: true,
      execute: ({ city }) => ({ city, sky: 'clear', tempC: 21 }),
    },
  },
});

const turn = await engine.startTurn({ workspaceId: 'w1', userId: 'u1', message: 'How is the weather in Oslo?' });
for await (const chunk of turn.chunks()) {
  if (chunk.type === 'text-delta') process.stdout.write(chunk.delta);
  if (chunk.type === 'tool-output-available') console.log(`[weather: ${JSON.stringify(chunk.output)}]`);
}
const { status, stepCount } = await turn.done();
console.log(`\n${status} after ${stepCount} steps`);
await engine.close();
