import { useEffect, useState } from 'react';

import { type ChatLine, type Person, ask, quietly } from './api.js';
import { Cross, Leave, Pen } from './icons.js';

interface Props {
  person: Person;
  chats: ChatLine[];
  view: string;
  id: string | undefined;
  onChange(): void;
  onSignOut(): void;
}

interface Found {
  messageId: string;
  chatId: string;
  snippet?: string;
  text?: string;
}

/** Words in all chats. */
function Search() {
  const [query, setQuery] = useState('');
  const [found, setFound] = useState<Found[]>([]);
  useEffect(() => {
    let current = true;
    const search = query.trim() === '' ? [] : ask<Found[]>(`chats/search?query=${encodeURIComponent(query)}&limit=8`);
    quietly(Promise.resolve(search).then((hits) => current && setFound(hits)));
    return () => void (current = false);
  }, [query]);
  return (
    <div className="search">
      <input type="search" placeholder="Search" value={query} onChange={({ target }) => setQuery(target.value)} />
      {found.map(({ messageId, chatId, snippet, text }) => (
        <a key={messageId} href={`#/chat/${chatId}`} onClick={() => setQuery('')}>
          {snippet ?? text}
        </a>
      ))}
    </div>
  );
}

export function Sidebar({ person, chats, view, id, onChange, onSignOut }: Props) {
  const [waiting, setWaiting] = useState(new Set<string>());
  useEffect(() => {
    quietly(
      ask<{ items: { chatId: string }[] }>('waiting').then(({ items }) =>
        setWaiting(new Set(items.map(({ chatId }) => chatId))),
      ),
    );
  }, [chats]);
  const rename = async (chat: ChatLine) => {
    const title = prompt('Title', chat.title ?? '');
    if (title) await ask(`chats/${chat.id}`, 'PATCH', { title });
    onChange();
  };
  const remove = async (chat: ChatLine) => {
    if (!confirm(`Delete “${chat.title ?? 'Untitled'}”?`)) return;
    await ask(`chats/${chat.id}`, 'DELETE');
    if (chat.id === id) location.hash = '#/';
    onChange();
  };
  return (
    <nav className="sidebar">
      <header>
        <strong>Chats</strong>
        <a className="button primary" href="#/">
          New chat
        </a>
      </header>
      <Search />
      <ul className="chats">
        {chats.map((chat) => (
          <li key={chat.id} className={view === 'chat' && chat.id === id ? 'current' : ''}>
            <a href={`#/chat/${chat.id}`} title={chat.title ?? 'Untitled'}>
              {chat.roleEmoji && <span>{chat.roleEmoji} </span>}
              {chat.title ?? 'Untitled'}
            </a>
            {waiting.has(chat.id) && <span className="badge">waits</span>}
            <button aria-label="Rename" title="Rename" onClick={() => rename(chat)}>
              <Pen />
            </button>
            <button aria-label="Delete" title="Delete" onClick={() => remove(chat)}>
              <Cross />
            </button>
          </li>
        ))}
        {chats.length === 0 && <li className="empty">Nothing yet</li>}
      </ul>
      <footer>
        <a href={`#/runs/${view === 'chat' && id ? id : ''}`}>Runs</a>
        <a href="#/usage">Usage</a>
        <a href="#/settings">Settings</a>
        <button className="plain" onClick={onSignOut} title="Sign out">
          {person.name} <Leave />
        </button>
      </footer>
    </nav>
  );
}
