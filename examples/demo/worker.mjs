// A process of its own: takes `{database, provider, chatId?, message}` as its argument, runs one turn and prints the
// ids, every chunk and the outcome as lines of JSON. It is there to be killed, and to come back after it.

import { open, user } from './host.mjs';

const { database, provider, chatId, message } = JSON.parse(process.argv[2]);
const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const engine = await open({ database, provider });
if (chatId) {
  // What this process finds, before it writes anything of its own.
  print({
    found: {
      run: await engine.runs.latestForChat({ ...user, chatId }),
      messages: await engine.chats.messages({ ...user, chatId }),
    },
  });
}
const turn = await engine.startTurn({ ...user, chatId, message });
print({ chatId: turn.chatId, runId: turn.runId });
for await (const chunk of turn.chunks()) print({ chunk });
print({ outcome: await turn.done() });
await engine.close();
