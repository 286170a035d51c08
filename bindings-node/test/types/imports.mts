// The package by its name, as a module.

import * as turnkeep from 'turnkeep';
import { Engine, flushAssistant, type ShownUIMessage } from 'turnkeep';

const engine: Engine = await Engine.open({ store: 'sqlite::memory:' });
const message: ShownUIMessage<'ai-7'> = turnkeep.rowToUiMessage({ role: 'assistant' }, 'ai-7');
void [engine, flushAssistant([], '', 'completed').metadata.parts, message.parts];
