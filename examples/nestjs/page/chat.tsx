import { type Chat, useChat } from '@ai-sdk/react';
import { useCallback, useEffect, useRef, useState } from 'react';
import { describeChatError } from 'turnkeep/client';

import { API, type ChatLine, type Role, type Waiting, ask, quietly } from './api.js';
import { type Message, forgetChat, onConnection, openChat, tabs, transport } from './chats.js';
import { Composer } from './composer.js';
import { PartView, clientTool, waitingOf } from './parts.js';

interface Props {
  id: string;
  line: ChatLine | undefined;
  roles: Role[];
  onChange(): void;
}

/** Opens a chat, and opens it again when another tab has written in it. */
export function ChatView(props: Props) {
  const { id } = props;
  const [opened, setOpened] = useState<{ chat: Chat<Message>; resume: boolean; round: number }>();
  const [problem, setProblem] = useState<string>();
  const open = useCallback(async () => {
    try {
      const { chat, resume } = await openChat(id);
      setOpened((before) => ({ chat, resume, round: (before?.round ?? 0) + 1 }));
    } catch (error) {
      setProblem(describeChatError(error).message);
    }
  }, [id]);
  useEffect(() => {
    void open();
    const heard = ({ data }: MessageEvent<string>) => {
      if (data !== id) return;
      forgetChat(id);
      void open();
    };
    tabs.addEventListener('message', heard);
    return () => tabs.removeEventListener('message', heard);
  }, [id, open]);
  const reopen = () => {
    forgetChat(id);
    void open();
  };
  if (problem) return <p className="problem centred">{problem}</p>;
  if (!opened) return null;
  return <Conversation key={opened.round} {...props} {...opened} onReopen={reopen} />;
}

const lastOf = (messages: Message[]) => messages.at(-1);
const newRole = (chat: Chat<Message>) => chat.messages.length === 0;

function Conversation({
  id,
  line,
  roles,
  chat,
  resume,
  onChange,
  onReopen,
}: Props & { chat: Chat<Message>; resume: boolean; onReopen(): void }) {
  const { messages, status, error, sendMessage, regenerate, resumeStream, clearError } = useChat<Message>({
    chat,
    resume,
  });
  const [roleId, setRoleId] = useState<string>();
  const [editing, setEditing] = useState<{ id: string; text: string }>();
  const [waiting, setWaiting] = useState<{ runId: string; calls: Waiting[] } | null>(null);
  const [queue, setQueue] = useState<{ messageId: string; text: string }[]>([]);
  const [lost, setLost] = useState(false);
  const [stopped, setStopped] = useState<string>();
  const isBusy = status === 'submitted' || status === 'streaming';
  const last = lastOf(messages);

  useEffect(() => onConnection(({ state }) => setLost(state === 'lost')), []);

  // What the run waits for is the server's to say: it also knows what somebody else has answered.
  useEffect(() => {
    if (isBusy || messages.length === 0) return void setWaiting(null);
    let current = true;
    quietly(waitingOf(id).then((found) => current && setWaiting(found)));
    onChange();
    // A new chat is given its title a moment after its first answer.
    const later = setTimeout(onChange, 2_000);
    return () => {
      current = false;
      clearTimeout(later);
    };
  }, [id, isBusy, messages.length, onChange]);

  // Messages that wait for the next step have joined once the answer has them.
  const joined = new Set(
    last?.parts.flatMap((part) => ((part.type as string) === 'steering-message' ? [(part as { id?: string }).id] : [])),
  );
  const stillQueued = isBusy ? queue.filter(({ messageId }) => !joined.has(messageId)) : [];

  const answer = useCallback(
    async (callId: string, given: object) => {
      const call = waiting?.calls.find((asked) => asked.callId === callId);
      if (!waiting || !call) return;
      const { waiting: left } = await ask<{ waiting: number }>(`runs/${waiting.runId}/answers`, 'POST', {
        callId,
        ...(call.token && { token: call.token }),
        ...given,
      });
      tabs.postMessage(id);
      if (left === 0) await resumeStream();
      else setWaiting({ ...waiting, calls: waiting.calls.filter((asked) => asked !== call) });
    },
    [id, waiting, resumeStream],
  );

  useEffect(() => {
    const call = waiting?.calls.find(({ kind }) => kind === 'client_tool');
    if (call) quietly(answer(call.callId, { output: clientTool(call.toolName) ?? null }));
  }, [waiting, answer]);

  const send = async (text: string, how: 'send' | 'join' | 'interrupt') => {
    if (how === 'join') {
      const message = { id: crypto.randomUUID(), role: 'user', parts: [{ type: 'text', text }] };
      const { messageId } = await transport.steer({ chatId: id, message });
      setQueue((before) => [...before, { messageId, text }]);
      return;
    }
    const body: Record<string, unknown> = roleId && newRole(chat) ? { roleId } : {};
    if (how === 'interrupt') {
      // The new turn takes the place of the one in progress: it begins as soon as that one has ended.
      const runId = transport.idsOf(id).runId ?? last?.metadata?.runId;
      if (runId) body.busy = { supersede: runId };
      await chat.stop();
    }
    const sent = sendMessage({ text }, { body });
    tabs.postMessage(id);
    await sent;
  };
  const stop = () => {
    setStopped(last?.id);
    void chat.stop();
  };
  const takeBack = async (messageId: string) => {
    await ask(`runs/${last?.metadata?.runId}/messages/${messageId}`, 'DELETE').catch(() => {});
    setQueue((before) => before.filter((queued) => queued.messageId !== messageId));
  };
  const edit = async ({ id: messageId, text }: { id: string; text: string }) => {
    setEditing(undefined);
    await sendMessage({ text, messageId });
  };

  const role = roles.find((known) => known.id === (line?.roleId ?? roleId));
  const problem = error && describeChatError(error, last);
  const end = useRef<HTMLDivElement>(null);
  const near = useRef(true);
  useEffect(() => {
    if (near.current) end.current?.scrollIntoView({ block: 'end' });
  });

  return (
    <section className="chat" data-status={status}>
      <header className="bar">
        <h1>{line?.title ?? 'New chat'}</h1>
        {role && (
          <span className="chip">
            {role.emoji} {role.name}
          </span>
        )}
        {messages.length > 0 && (
          <>
            <a className="button" href={`#/runs/${id}`}>
              Runs
            </a>
            <a className="button" href={`${API}/chats/${id}/export`}>
              Export
            </a>
          </>
        )}
      </header>
      <div
        className="messages"
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) =>
          (near.current = scrollHeight - scrollTop - clientHeight < 80)
        }
      >
        {messages.length === 0 && (
          <Beginning {...{ roles, roleId, onRole: setRoleId, onSend: (text) => send(text, 'send') }} />
        )}
        {messages.map((message) => (
          <article key={message.id} className={message.role}>
            {editing?.id === message.id ? (
              <form
                className="edit"
                onSubmit={(event) => {
                  event.preventDefault();
                  void edit(editing);
                }}
              >
                <textarea
                  autoFocus
                  value={editing.text}
                  onChange={({ target }) => setEditing({ id: message.id, text: target.value })}
                />
                <div className="row">
                  <button className="primary">Send again</button>
                  <button type="button" onClick={() => setEditing(undefined)}>
                    Leave it
                  </button>
                </div>
              </form>
            ) : (
              message.parts.map((part, place) => (
                <PartView
                  key={place}
                  part={part}
                  live={isBusy && message === last}
                  isEnded={!(isBusy && message === last)}
                  waiting={waiting?.calls.find(({ callId }) => callId === (part as { toolCallId?: string }).toolCallId)}
                  onAnswer={answer}
                />
              ))
            )}
            {message.metadata?.error && !(error && message === last) && (
              <p className="problem">{message.metadata.error}</p>
            )}
            {!isBusy && !editing && (
              <div className="actions">
                {message.role === 'user' && (
                  <button
                    onClick={() =>
                      setEditing({
                        id: message.id,
                        text: message.parts.map((part) => (part.type === 'text' ? part.text : '')).join(''),
                      })
                    }
                  >
                    Edit
                  </button>
                )}
                {message.role === 'assistant' && message === last && !waiting && (
                  <button onClick={() => regenerate({ messageId: message.id })}>Answer again</button>
                )}
                <Ended message={message} isStopped={message.id === stopped} />
              </div>
            )}
          </article>
        ))}
        {isBusy && <p className="pulse" aria-label="The answer is being made" />}
        {stillQueued.map(({ messageId, text }) => (
          <p key={messageId} className="joined waits">
            {text} <em>joins at the next step</em> <button onClick={() => takeBack(messageId)}>Take back</button>
          </p>
        ))}
        {problem && problem.kind !== 'stopped' && (
          <div role="alert" className={`alert ${problem.kind}`}>
            <p>{problem.message}</p>
            <div className="row">
              {problem.kind === 'busy' && <button onClick={onReopen}>Show the answer in progress</button>}
              {problem.kind === 'provider' && <a href="#/settings">Settings</a>}
              {problem.retryable && problem.kind !== 'busy' && <button onClick={() => regenerate()}>Try again</button>}
              <button onClick={clearError}>Dismiss</button>
            </div>
          </div>
        )}
        <div ref={end} />
      </div>
      {lost && (
        <p className="banner">
          The connection is lost; the answer goes on, and is shown as soon as there is one again.
        </p>
      )}
      <Composer isBusy={isBusy} isWaiting={waiting !== null} onSend={send} onStop={stop} />
    </section>
  );
}

/** How an answer ended, where that is worth a word. */
function Ended({ message, isStopped }: { message: Message; isStopped: boolean }) {
  const { status, reason, usage } = message.metadata ?? {};
  const tokens = usage?.totalTokens ?? (usage?.inputTokens ?? 0) + (usage?.outputTokens ?? 0);
  return (
    <>
      {(isStopped || status === 'aborted') && <em>{reason ?? 'stopped'}</em>}
      {message.role === 'assistant' && tokens > 0 && <em>{tokens.toLocaleString('en')} tokens</em>}
    </>
  );
}

const IDEAS = [
  'When is the launch, and what is open?',
  'Rename the page about risks.',
  'Ask me something.',
  'Build the report.',
  'What time is it in my browser?',
  'Tell a long story.',
];

function Beginning({
  roles,
  roleId,
  onRole,
  onSend,
}: {
  roles: Role[];
  roleId: string | undefined;
  onRole(id?: string): void;
  onSend(text: string): void;
}) {
  return (
    <div className="beginning">
      <h2>What is it about?</h2>
      <div className="roles">
        {roles
          .filter(({ enabled }) => enabled !== false)
          .map((role) => (
            <button
              key={role.id}
              aria-pressed={role.id === roleId}
              onClick={() => onRole(role.id === roleId ? undefined : role.id)}
            >
              <strong>
                {role.emoji} {role.name}
              </strong>
              <span>{role.description}</span>
            </button>
          ))}
      </div>
      <div className="ideas">
        {IDEAS.map((idea) => (
          <button key={idea} onClick={() => onSend(idea)}>
            {idea}
          </button>
        ))}
      </div>
    </div>
  );
}
