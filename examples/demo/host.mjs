// The host's side of the demo: an engine, a user, two tools.

import { Engine } from '../../bindings-node/index.mjs';

export const user = { workspaceId: 'demo-workspace', userId: 'demo-user' };

const pages = {
  'page-1': { title: 'Launch plan', body: 'Launch is on Thursday. Owner: Mira.' },
  'page-2': { title: 'Risks', body: 'The importer is slow. Owner: Jon.' },
};

export const tools = {
  searchPages: {
    description: 'Finds pages by a word in their title. Returns ids and titles.',
    inputSchema: {
      type: 'object',
      properties: { query: { type: 'string' } },
      required: ['query'],
      additionalProperties: false,
    },
    readOnly: true,
    execute: ({ query }) =>
      Object.entries(pages)
        .filter(([, page]) => page.title.toLowerCase().includes(query.toLowerCase()))
        .map(([id, { title }]) => ({ id, title })),
  },
  getPage: {
    description: 'Reads one page by its id.',
    inputSchema: {
      type: 'object',
      properties: { pageId: { type: 'string' } },
      required: ['pageId'],
      additionalProperties: false,
    },
    readOnly: true,
    async execute({ pageId }) {
      if (!pages[pageId]) throw new Error(`there is no page ${pageId}`);
      return pages[pageId];
    },
  },
};

/** Opens the demo's engine. */
export function open({ database, provider }) {
  return Engine.open({
    store: `sqlite:${database}`,
    providers: { default: { driver: 'openai-compatible', ...provider } },
    prompt: { workspaceName: 'Demo' },
    tools,
  });
}
