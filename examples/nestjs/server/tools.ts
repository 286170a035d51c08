// What the model may do in this host.

import type { OfferedTools } from 'turnkeep';

import type { Wiki } from './wiki.js';

const object = (properties: Record<string, object>, required = Object.keys(properties)) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});
const text = (description: string) => ({ type: 'string', minLength: 1, description });

export function toolsOf(wiki: Wiki) {
  return {
    searchPages: {
      description: 'Finds pages by words of their title or text.',
      inputSchema: object({ query: text('Words') }),
      readOnly: true,
      execute: ({ query }: { query: string }) => wiki.search(query).map(({ id, title }) => ({ id, title })),
    },
    getPage: {
      description: 'The text of a page.',
      inputSchema: object({ pageId: text('The id that searchPages gives') }),
      readOnly: true,
      execute: ({ pageId }: { pageId: string }) => wiki.page(pageId) ?? { error: 'There is no such page' },
    },
    // Changes something: a person allows it first, and may change what is done.
    renamePage: {
      description: 'Gives a page another title.',
      inputSchema: object({ pageId: text('The page'), title: text('The new title') }),
      approval: 'always',
      editableInput: true,
      execute: ({ pageId, title }: { pageId: string; title: string }) => wiki.rename(pageId, title),
    },
    // A question to the person, who may answer tomorrow.
    askUser: {
      description: 'Asks the user something that only they know.',
      inputSchema: object({ question: text('The question'), options: { type: 'array', items: { type: 'string' } } }, [
        'question',
      ]),
      answerSchema: object({ answer: text('What the user says') }),
    },
    // The page answers this one by itself.
    browserTime: {
      description: "The time and time zone of the user's browser.",
      inputSchema: object({}),
      clientSide: true,
    },
    // Tells how far it is while it runs.
    buildReport: {
      description: 'Builds a report from all pages; takes a while.',
      inputSchema: object({}),
      readOnly: true,
      timeoutMs: 60_000,
      async *execute(_: object, { signal }: { signal: AbortSignal }) {
        for (let percent = 0; percent < 100; percent += 10) {
          yield { percent };
          await pause(350, signal);
        }
        yield { percent: 100, pages: 3, words: 71 };
      },
    },
  } satisfies OfferedTools;
}

export const TOOL_NAMES = ['searchPages', 'getPage', 'renamePage', 'askUser', 'browserTime', 'buildReport'];

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
