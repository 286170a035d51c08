// The runs of a chat, each drawn: when it waited, when it ran, and what its answer was made of.

import { useEffect, useState } from 'react';

import { type ChatLine, type Run, ask, quietly } from './api.js';
import type { Message } from './chats.js';

interface Piece {
  kind: 'reasoning' | 'text' | 'tool' | 'joined' | 'step';
  size: number;
  title: string;
}

/** The parts of an answer as pieces of a bar; lengths of texts stand for their share. */
function piecesOf(message: Message | undefined): Piece[] {
  return (message?.parts ?? []).flatMap((part): Piece[] => {
    if (part.type === 'text' || part.type === 'reasoning') {
      return [{ kind: part.type, size: 20 + Math.sqrt(part.text.length) * 8, title: part.text.slice(0, 200) }];
    }
    if (part.type === 'step-start') return [{ kind: 'step', size: 2, title: 'A step' }];
    if ((part.type as string) === 'steering-message') return [{ kind: 'joined', size: 40, title: 'A message joined' }];
    if (part.type.startsWith('tool-')) return [{ kind: 'tool', size: 60, title: part.type.slice('tool-'.length) }];
    return [];
  });
}

const seconds = (from: string, to: string) => `${((Date.parse(to) - Date.parse(from)) / 1000).toFixed(1)} s`;

function RunCard({ run, message }: { run: Run; message: Message | undefined }) {
  const pieces = piecesOf(message);
  const total = pieces.reduce((sum, { size }) => sum + size, 0) || 1;
  let left = 0;
  const until = run.finishedAt ?? run.updatedAt;
  return (
    <article className={`run ${run.status}`}>
      <header>
        <strong>{run.status}</strong>
        {run.reason && <em>{run.reason}</em>}
        <span>{new Date(run.createdAt).toLocaleString('en-GB')}</span>
        <span>
          {run.stepCount} {run.stepCount === 1 ? 'step' : 'steps'}
        </span>
        {run.startedAt && <span>waited {seconds(run.createdAt, run.startedAt)}</span>}
        {run.startedAt && <span>ran {seconds(run.startedAt, until)}</span>}
        <span>begun by {run.trigger}</span>
      </header>
      {pieces.length > 0 && (
        <svg viewBox={`0 0 1000 40`} preserveAspectRatio="none" role="img" aria-label="What the answer was made of">
          {pieces.map(({ kind, size, title }, place) => {
            const x = (left / total) * 1000;
            left += size;
            return (
              <rect
                key={place}
                className={`kind-${kind}`}
                x={x}
                y={kind === 'step' ? 0 : 6}
                width={Math.max(1, (size / total) * 1000 - 2)}
                height={kind === 'step' ? 40 : 28}
                rx={3}
              >
                <title>{title}</title>
              </rect>
            );
          })}
        </svg>
      )}
      <p className="names">
        {pieces
          .filter(({ kind }) => kind === 'tool')
          .map(({ title }, place) => (
            <code key={place}>{title}</code>
          ))}
      </p>
      {run.waitingFor?.map(({ callId, toolName, kind }) => (
        <p key={callId}>
          It waits: {kind} of <code>{toolName}</code>. <a href={`#/chat/${run.chatId}`}>Answer</a>
        </p>
      ))}
      {run.error && <p className="problem">{run.error}</p>}
      <small>{run.id}</small>
    </article>
  );
}

export function RunsView({ chats, chosen }: { chats: ChatLine[]; chosen: string | undefined }) {
  const chatId = chosen || chats[0]?.id;
  const [shown, setShown] = useState<{ runs: Run[]; messages: Message[] }>();
  useEffect(() => {
    if (!chatId) return;
    let current = true;
    let timer: ReturnType<typeof setTimeout>;
    const load = async () => {
      const id = encodeURIComponent(chatId);
      const [runs, { messages }] = await Promise.all([
        ask<Run[]>(`chats/${id}/runs`),
        ask<{ messages: Message[] }>(`chats/${id}?inProgress=include`),
      ]);
      if (!current) return;
      setShown({ runs, messages });
      // Runs that go on are looked at again.
      if (runs.some(({ status }) => status === 'pending' || status === 'running'))
        timer = setTimeout(() => quietly(load()), 1_000);
    };
    quietly(load());
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [chatId]);
  return (
    <section className="page">
      <header className="bar">
        <h1>Runs</h1>
        <select value={chatId} onChange={({ target }) => (location.hash = `#/runs/${target.value}`)} aria-label="Chat">
          {chats.map(({ id, title }) => (
            <option key={id} value={id}>
              {title ?? 'Untitled'}
            </option>
          ))}
        </select>
      </header>
      <div className="scroll">
        <p className="legend">
          <i className="kind-reasoning" /> thought <i className="kind-text" /> text <i className="kind-tool" /> tool{' '}
          <i className="kind-joined" /> joined
        </p>
        {shown?.runs.map((run) => (
          <RunCard key={run.id} run={run} message={shown.messages.find(({ id }) => id === run.assistantMessageId)} />
        ))}
        {shown?.runs.length === 0 && <p>No run yet.</p>}
      </div>
    </section>
  );
}
