// The provider of the quick start, for programs in other roots: says where it is, and stays until it is stopped.

import { finish, startProvider, text, toolCall } from '../../examples/demo/provider.mjs';

const { baseUrl } = await startProvider(({ messages }) =>
  messages.at(-1).role === 'tool'
    ? [text('It is '), text('clear.'), ...finish('stop', 1, 1)]
    : [toolCall(0, 'c1', 'weather', {}), ...finish('tool_calls', 1, 1)],
);
console.log(baseUrl);
