// What a message is made of.

import { memo, useState } from 'react';
import Markdown from 'react-markdown';
import remarkGfm from 'remark-gfm';

import { type Waiting, ask } from './api.js';
import type { Message } from './chats.js';

type Part = Message['parts'][number];

const LABELS: Record<string, string> = {
  searchPages: 'Searched pages',
  getPage: 'Read a page',
  renamePage: 'Rename a page',
  askUser: 'A question',
  browserTime: 'Asked your browser',
  buildReport: 'Build a report',
};

export const Text = memo(function Text({ text }: { text: string }) {
  return (
    <div className="markdown">
      <Markdown remarkPlugins={[remarkGfm]}>{text}</Markdown>
    </div>
  );
});

function Reasoning({ text, live }: { text: string; live: boolean }) {
  if (text === '') return null;
  return (
    <details className="reasoning" open={live}>
      <summary>{live ? 'Thinking…' : 'Thought'}</summary>
      <p>{text}</p>
    </details>
  );
}

interface ToolPart {
  type: string;
  toolName?: string;
  toolCallId: string;
  state: string;
  input?: unknown;
  output?: unknown;
  preliminary?: boolean;
  errorText?: string;
  approval?: { approved?: boolean; reason?: string };
}

const STATES: Record<string, [string, string]> = {
  'input-streaming': ['…', 'busy'],
  'input-available': ['runs', 'busy'],
  'approval-requested': ['waits for you', 'waits'],
  'approval-responded': ['allowed', 'busy'],
  'output-available': ['done', 'done'],
  'output-error': ['failed', 'failed'],
  'output-denied': ['not allowed', 'failed'],
};

const isProgress = (value: unknown): value is { percent: number } =>
  typeof (value as { percent?: unknown } | null)?.percent === 'number';

interface ToolProps {
  part: ToolPart;
  waiting: Waiting | undefined;
  isEnded: boolean;
  onAnswer(callId: string, answer: object): Promise<void>;
}

function Tool({ part, waiting, isEnded, onAnswer }: ToolProps) {
  const name = part.toolName ?? part.type.slice('tool-'.length);
  const [label, kind] = part.preliminary ? ['runs', 'busy'] : (STATES[part.state] ?? [part.state, 'busy']);
  const asks = waiting !== undefined && waiting.kind !== 'client_tool';
  // What was under way when the run ended is not any more.
  const [shown, look] = asks
    ? ['waits for you', 'waits']
    : kind === 'busy' && isEnded
      ? ['not made', 'failed']
      : [label, kind];
  return (
    <div className={`tool ${look}`}>
      <details>
        <summary>
          <span className="dot" />
          {LABELS[name] ?? name}
          <em>{shown}</em>
        </summary>
        <pre>{JSON.stringify(part.input, null, 2)}</pre>
        {part.output !== undefined && <pre>{JSON.stringify(part.output, null, 2)}</pre>}
        {part.errorText && <p className="problem">{part.errorText}</p>}
        {part.approval?.reason && <p>{part.approval.reason}</p>}
      </details>
      {isProgress(part.output) && part.output.percent < 100 && !isEnded && (
        <progress max={100} value={part.output.percent} aria-label="Progress" />
      )}
      {asks && waiting.kind === 'approval' && <Approval waiting={waiting} onAnswer={onAnswer} />}
      {asks && waiting.kind === 'question' && <Question waiting={waiting} onAnswer={onAnswer} />}
    </div>
  );
}

type Answering = Pick<ToolProps, 'onAnswer'> & { waiting: Waiting };

function Approval({ waiting, onAnswer }: Answering) {
  const [input, setInput] = useState(waiting.input);
  const [sent, setSent] = useState(false);
  const answer = async (approved: boolean) => {
    setSent(true);
    const edited = approved && JSON.stringify(input) !== JSON.stringify(waiting.input);
    await onAnswer(waiting.callId, {
      approved,
      ...(edited && { input }),
      ...(!approved && { reason: 'The user said no.' }),
    });
  };
  return (
    <div className="asks">
      {waiting.taintedBy && <p className="problem">The answer has read text from outside before it asked for this.</p>}
      {Object.entries(input).map(([field, value]) => (
        <label key={field}>
          {field}
          <input
            value={String(value)}
            disabled={!waiting.editable || sent}
            onChange={({ target }) => setInput({ ...input, [field]: target.value })}
          />
        </label>
      ))}
      <div className="row">
        <button className="primary" disabled={sent} onClick={() => answer(true)}>
          Allow
        </button>
        <button disabled={sent} onClick={() => answer(false)}>
          Do not
        </button>
      </div>
    </div>
  );
}

function Question({ waiting, onAnswer }: Answering) {
  const { question, options = [] } = waiting.input as { question: string; options?: string[] };
  const [text, setText] = useState('');
  const [sent, setSent] = useState(false);
  const answer = (said: string) => {
    setSent(true);
    void onAnswer(waiting.callId, { output: { answer: said } });
  };
  return (
    <form
      className="asks"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim()) answer(text.trim());
      }}
    >
      <p>{question}</p>
      <div className="row">
        {options.map((option) => (
          <button key={option} type="button" disabled={sent} onClick={() => answer(option)}>
            {option}
          </button>
        ))}
      </div>
      <div className="row">
        <input
          placeholder="Something else"
          value={text}
          disabled={sent}
          onChange={({ target }) => setText(target.value)}
        />
        <button className="primary" disabled={sent || !text.trim()}>
          Answer
        </button>
      </div>
    </form>
  );
}

const textOf = (parts: readonly unknown[]) => parts.map((part) => (part as { text?: string }).text ?? '').join('');

export function PartView({ part, live, ...tool }: { part: Part; live: boolean } & Omit<ToolProps, 'part'>) {
  if (part.type === 'text') return <Text text={part.text} />;
  if (part.type === 'reasoning') return <Reasoning text={part.text} live={live && part.state !== 'done'} />;
  if (part.type === 'dynamic-tool' || part.type.startsWith('tool-')) {
    const found = part as unknown as ToolPart;
    const waiting = tool.waiting?.callId === found.toolCallId ? tool.waiting : undefined;
    return <Tool {...tool} part={found} waiting={waiting} />;
  }
  // A message that joined the answer while it was under way.
  if ((part.type as string) === 'steering-message') {
    return <p className="joined">{textOf((part as unknown as { parts: unknown[] }).parts)}</p>;
  }
  if (part.type === 'file' && part.mediaType.startsWith('image/'))
    return <img src={part.url} alt={part.filename ?? ''} />;
  if (part.type === 'source-url') {
    return (
      <a className="source" href={part.url} target="_blank" rel="noreferrer">
        {part.title ?? part.url}
      </a>
    );
  }
  return null;
}

/** The page's own tools: it answers them by itself. */
export function clientTool(name: string): unknown {
  if (name !== 'browserTime') return undefined;
  return `${new Date().toLocaleString('en-GB')} (${Intl.DateTimeFormat().resolvedOptions().timeZone})`;
}

export async function waitingOf(chatId: string): Promise<{ runId: string; calls: Waiting[] } | null> {
  const { items } = await ask<{ items: { id: string; waitingFor?: Waiting[] }[] }>(
    `waiting?chatId=${encodeURIComponent(chatId)}`,
  );
  const [run] = items;
  return run ? { runId: run.id, calls: run.waitingFor ?? [] } : null;
}
