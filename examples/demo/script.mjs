// What the scripted provider answers in each part of the demo, told apart by the user's last message.

import { finish, reasoning, text, toolCall } from './provider.mjs';

const words = (sentence) => sentence.split(/(?<= )/).map(text);

const first = [
  [
    reasoning('The user wants the launch date. '),
    reasoning('I should search first.'),
    ...words('Let me look that up. '),
    toolCall(0, 'call_1', 'searchPages', { query: 'launch' }),
    ...finish('tool_calls', 310, 24),
  ],
  [toolCall(0, 'call_2', 'getPage', { pageId: 'page-1' }), ...finish('tool_calls', 355, 19)],
  [...words('The launch is on Thursday, and Mira owns it.'), ...finish('stop', 402, 14)],
];

const killed = [
  [
    ...words('First I search. '),
    toolCall(0, 'call_1', 'searchPages', { query: 'risk' }),
    ...finish('tool_calls', 320, 15),
  ],
  [
    ...words('Then I read the page. '),
    toolCall(0, 'call_2', 'getPage', { pageId: 'page-2' }),
    ...finish('tool_calls', 366, 18),
  ],
  { events: [...words('The main risk is')], then: 'hang' },
];

/** The step of a request is the number of answers that its own turn has in the history already. */
function stepOf(messages) {
  const begin = messages.findLastIndex((message) => message.role === 'user');
  return messages.slice(begin).filter((message) => message.role === 'assistant').length;
}

export const prompts = {
  first: 'When is the launch, and who owns it? Search the pages, then read the one you find.',
  killed:
    'What is the main risk? First call searchPages with the word risk, then call getPage, then explain at length.',
  after: 'Are you still there? Answer in one sentence, without tools.',
  both: 'Say hello in one sentence, without tools.',
};

export function script({ messages }) {
  const prompt = messages.findLast((message) => message.role === 'user').content;
  if (prompt === prompts.first) return first[stepOf(messages)];
  if (prompt === prompts.killed) return killed[stepOf(messages)];
  if (prompt === prompts.after) return [...words('Yes, and I remember both steps.'), ...finish('stop', 420, 8)];
  return [...words('Hello from the one turn that runs.'), ...finish('stop', 300, 8)];
}
