// The package by its name, as CommonJS.

import turnkeep = require('turnkeep');

async function opened(): Promise<turnkeep.Engine> {
  return turnkeep.Engine.open({ store: 'sqlite::memory:' });
}
const message: turnkeep.ShownUIMessage<'ai-6'> = turnkeep.rowToUiMessage({ role: 'assistant' }, 'ai-6');
void [opened, message.parts];
