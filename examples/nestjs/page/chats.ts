// The chats of this tab. They are kept beside the components that show them: a component that is taken down stops nothing.

import { Chat } from '@ai-sdk/react';
import type { UIMessage } from 'ai';
import { TurnkeepChatTransport } from 'turnkeep/client';

import { API, ask } from './api.js';

export interface Metadata {
  runId?: string;
  chatId?: string;
  status?: string;
  reason?: string;
  error?: string;
  waiting?: boolean;
  usage?: { inputTokens?: number; outputTokens?: number; totalTokens?: number };
}
export type Message = UIMessage<Metadata>;

type Heard = (state: { state: 'lost' | 'back'; attempt: number }) => void;
const listeners = new Set<Heard>();

export const transport = new TurnkeepChatTransport({
  api: API,
  protocol: 'ai-7',
  keepIds: true,
  onConnection: (state) => listeners.forEach((heard) => heard(state)),
});

/** Tells when the connection is lost, and when it is back. */
export function onConnection(heard: Heard): () => void {
  listeners.add(heard);
  return () => void listeners.delete(heard);
}

const known = new Map<string, Promise<{ chat: Chat<Message>; resume: boolean }>>();

/** A chat as the server has it, with whether its answer is still being made. */
export function openChat(id: string): Promise<{ chat: Chat<Message>; resume: boolean }> {
  let opened = known.get(id);
  if (!opened) {
    opened = ask<{ messages: Message[]; follow: object | null }>(`chats/${encodeURIComponent(id)}`).then(
      ({ messages, follow }) => ({ chat: new Chat<Message>({ id, messages, transport }), resume: follow !== null }),
    );
    opened.catch(() => known.delete(id));
    known.set(id, opened);
  }
  return opened;
}

/** Another tab has written in a chat, or it has another message now: what this tab has of it is out of date. */
export function forgetChat(id: string): void {
  known.delete(id);
}

/** Tabs tell each other in which chat a turn has begun. */
export const tabs = new BroadcastChannel('turns');
