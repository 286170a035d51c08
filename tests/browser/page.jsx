// A chat as a page has it: what it says, what its tools did, what went wrong, and the two buttons.

import { useChat } from '@ai-sdk/react';
import { DefaultChatTransport } from 'ai';
import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';

import { TurnkeepChatTransport, describeChatError } from 'turnkeep/client';

const query = new URLSearchParams(location.search);
const id = query.get('chat');
const api = '/api/chat';
const transport =
  query.get('transport') === 'default'
    ? new DefaultChatTransport({ api })
    : new TurnkeepChatTransport({
        api,
        keepIds: true,
        maxWaitMs: 50,
        onConnection: ({ state }) => (window.connection = state),
      });

function Part({ part }) {
  if (part.type === 'text') return <p className="text">{part.text}</p>;
  if (part.type === 'reasoning') return <p className="reasoning">{part.text}</p>;
  if (!part.type.startsWith('tool-')) return null;
  return (
    <p className="tool">
      {part.type.slice('tool-'.length)} {part.state} {JSON.stringify(part.output)}
    </p>
  );
}

function Chat({ messages: loaded, follow }) {
  const { messages, status, error, sendMessage, stop } = useChat({
    id,
    messages: loaded,
    resume: follow !== null,
    transport,
  });
  const [text, setText] = useState('');
  const send = (event) => {
    event.preventDefault();
    sendMessage({ text });
    setText('');
  };
  const problem = error && describeChatError(error, messages.at(-1));
  return (
    <main data-status={status}>
      {messages.map((message) => (
        <article key={message.id} className={message.role}>
          {message.parts.map((part, place) => (
            <Part key={place} part={part} />
          ))}
        </article>
      ))}
      {problem && <p role="alert">{`${problem.kind}: ${problem.message}`}</p>}
      <form onSubmit={send}>
        <input value={text} onChange={({ target }) => setText(target.value)} placeholder="Message" />
        <button>Send</button>
        <button type="button" id="stop" onClick={() => stop()}>
          Stop
        </button>
      </form>
    </main>
  );
}

const opened = await (await fetch(`${api}/chats/${encodeURIComponent(id)}`)).json();
const chat = <Chat {...opened} />;
createRoot(document.getElementById('root')).render(query.get('strict') ? <StrictMode>{chat}</StrictMode> : chat);
