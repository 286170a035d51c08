// A provider in the format of OpenAI's, on loopback, that answers from a script: by what the user's last message is about.

import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

type Event = { delta?: object; finish?: 'stop' | 'tool_calls'; pauseMs?: number };
interface Message {
  role: string;
  content?: unknown;
  tool_calls?: { function: { name: string } }[];
}

const PAUSE_MS = 28;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const pieces = (said: string) => said.split(/(?<=\s)/);
const say = (said: string): Event[] => pieces(said).map((content) => ({ delta: { content } }));
const think = (said: string): Event[] => pieces(said).map((content) => ({ delta: { reasoning_content: content } }));
const end: Event = { finish: 'stop' };

let calls = 0;
const call = (name: string, input: object): Event => {
  const id = `call_${Date.now().toString(36)}_${++calls}`;
  const tool = { index: 0, id, type: 'function', function: { name, arguments: JSON.stringify(input) } };
  return { delta: { tool_calls: [tool] } };
};
const calling = (name: string, input: object): Event[] => [call(name, input), { finish: 'tool_calls' }];

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: { text?: string }) => part.text ?? '').join(' ');
}

/** What each kind of question comes to, step by step; `results` are what its calls have come to. */
const SCRIPTS: { about: RegExp; title: string; steps: ((results: string[]) => Event[])[] }[] = [
  {
    about: /launch|thursday|plan/i,
    title: 'Launch: date and open points',
    steps: [
      () => [
        ...think('The user asks about the launch. The pages should know; first I look for the right one. '),
        ...say('Let me look that up.'),
        ...calling('searchPages', { query: 'launch' }),
      ],
      () => [...think('There is a launch plan. '), ...calling('getPage', { pageId: 'launch' })],
      () => [
        ...say(
          'The launch is on **Thursday, 4 December**, and Mira owns it. Three things are open:\n\n' +
            '| what | who | until |\n|---|---|---|\n| Release notes | Jon | Monday |\n| Price page | Mira | Tuesday |\n' +
            '| Rehearsal of the roll-back | nobody yet | Wednesday |\n\n' +
            'The last one is the one that I would worry about: it is on the page *Risks* as well. ' +
            'A rehearsal takes an hour:\n\n```sh\n./deploy --to staging --version next\n./deploy --to staging --version previous\n```\n\n' +
            '1. Take a copy of the largest workspace.\n2. Go forward, then back.\n3. Write down how long each takes.\n',
        ),
        end,
      ],
    ],
  },
  {
    about: /rename|title/i,
    title: 'A better title for “Risks”',
    steps: [
      () => [
        ...say('I would rename the page *Risks*. Please have a look first.'),
        ...calling('renamePage', { pageId: 'risks', title: 'Risks of the launch' }),
      ],
      ([result]) =>
        result?.includes('"title"')
          ? [...say(`Done: the page is called “${/"title":\s*"([^"]*)"/.exec(result)?.[1]}” now.`), end]
          : [...say('All right, the page keeps its title.'), end],
    ],
  },
  {
    about: /ask me|question|survey/i,
    title: 'A day for the rehearsal',
    steps: [
      () => [
        ...say('One thing only you know:'),
        ...calling('askUser', {
          question: 'Which day suits you for the rehearsal?',
          options: ['Monday', 'Tuesday', 'Wednesday'],
        }),
      ],
      ([result]) => [...say(`Noted: **${/"answer":\s*"([^"]*)"/.exec(result ?? '')?.[1] ?? 'no day'}** it is.`), end],
    ],
  },
  {
    about: /time|clock/i,
    title: 'What time it is',
    steps: [
      () => calling('browserTime', {}),
      ([result]) => [...say(`Your browser says that it is ${result ?? 'some time'}.`), end],
    ],
  },
  {
    about: /report/i,
    title: 'Report on all pages',
    steps: [
      () => [...say('I build the report; that takes a few seconds.'), ...calling('buildReport', {})],
      () => [...say('The report covers 3 pages and 71 words.'), end],
    ],
  },
  {
    about: /long|story|essay/i,
    title: 'A long story',
    steps: [
      () => [
        ...say(
          Array.from(
            { length: 24 },
            (_, place) =>
              `${place + 1}. Every finished step is on disk before the next one begins, so whoever comes back finds this ` +
              'answer where it was, and whoever leaves stops nothing.\n',
          ).join(''),
        ),
        ...calling('searchPages', { query: 'risk' }),
      ],
      () => [...say('And that was the long answer.'), end],
    ],
  },
];

/** Chats are named after their first message: by a request without tools, for a line. */
function titleFor(asked: string): Event[] {
  return [...say(SCRIPTS.find(({ about }) => about.test(asked))?.title ?? 'What a script knows'), end];
}

function answerTo(messages: Message[]): Event[] {
  // What has joined the run stands between its steps: the first message behind an ended answer is what began it.
  const isNote = ({ role, content }: Message) => role === 'assistant' && textOf(content).startsWith('[');
  const said = messages.filter((message) => message.role !== 'system' && !isNote(message));
  const last = said.findLastIndex(({ role, tool_calls }) => role === 'assistant' && !tool_calls);
  const turn = said.slice(last + 1);
  const asked = turn.filter(({ role }) => role === 'user').map(({ content }) => textOf(content));
  const steps = turn.filter(({ role }) => role === 'assistant').length;
  const results = turn.filter(({ role }) => role === 'tool').map(({ content }) => textOf(content));
  const script = SCRIPTS.find(({ about }) => about.test(asked[0] ?? ''));
  const joined =
    turn.at(-1)?.role === 'user' && steps > 0 ? say(`You said meanwhile: “${asked.at(-1)}”. I mind that. `) : [];
  const step = script?.steps[steps];
  if (step) return [...joined, ...step(results)];
  if (joined.length > 0 || script) return [...joined, ...say('That is all.'), end];
  return [
    ...say(
      'I am a script, and know a few things: the **launch** plan, how to **rename** a page (you will be asked), ' +
        'to **ask** me to **ask me** something, the **time** in your browser, a **report** with progress, a **long** answer ' +
        'to stop, to leave and to talk into, and what it looks like when I **fail**.',
    ),
    end,
  ];
}

async function complete(body: string, response: ServerResponse): Promise<void> {
  const { messages, model, tools } = JSON.parse(body) as { messages: Message[]; model: string; tools?: unknown[] };
  const asked = textOf(messages.findLast(({ role }) => role === 'user')?.content);
  if (/\bfail/i.test(asked) && tools) {
    response.writeHead(401, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { message: 'Incorrect API key provided', code: 'invalid_api_key' } }));
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (payload: object) =>
    response.write(
      `data: ${JSON.stringify({ id: 'scripted', object: 'chat.completion.chunk', model, ...payload })}\n\n`,
    );
  let tokens = 0;
  for (const { delta = {}, finish = null } of tools ? answerTo(messages) : titleFor(asked)) {
    if (response.destroyed) return;
    send({ choices: [{ index: 0, delta, finish_reason: finish }] });
    tokens += 2;
    await pause(PAUSE_MS);
  }
  const prompt = Math.ceil(body.length / 4);
  send({ choices: [], usage: { prompt_tokens: prompt, completion_tokens: tokens, total_tokens: prompt + tokens } });
  response.end('data: [DONE]\n\n');
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const read: Buffer[] = [];
  for await (const piece of request) read.push(piece as Buffer);
  if (request.url?.endsWith('/audio/transcriptions')) {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ text: 'When is the launch, and what is open?' }));
    return;
  }
  await complete(Buffer.concat(read).toString(), response);
}

/** Starts it, and says where it is. It keeps no process alive. */
export async function startScripted(): Promise<string> {
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}
