// What the page asks its server for.

import { ChatRequestError } from 'turnkeep/client';

export const API = '/api/ai-chat';

export interface Person {
  id: string;
  name: string;
  isAdmin: boolean;
}

export interface ChatLine {
  id: string;
  title: string | null;
  roleId: string | null;
  roleName?: string | null;
  roleEmoji?: string | null;
  createdAt: string;
}

export interface Role {
  id: string;
  name: string;
  emoji?: string | null;
  description?: string | null;
  instructions?: string;
  launchMessage?: string | null;
  enabled?: boolean;
}

export interface Waiting {
  callId: string;
  kind: 'approval' | 'question' | 'client_tool';
  toolName: string;
  input: Record<string, unknown>;
  editable?: true;
  token?: string;
  taintedBy?: { origin?: string; toolName?: string }[];
}

export interface Run {
  id: string;
  chatId: string;
  trigger: string;
  status: 'pending' | 'running' | 'waiting' | 'succeeded' | 'failed' | 'aborted';
  reason: string | null;
  error: string | null;
  stepCount: number;
  assistantMessageId: string | null;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  updatedAt: string;
  waitingFor?: Waiting[];
}

export interface Settings {
  driver?: string | null;
  chatModel?: string | null;
  baseUrl?: string | null;
  systemPrompt?: string | null;
  embeddingModel?: string | null;
  sttModel?: string | null;
  hasApiKey: boolean;
  hasEmbeddingApiKey: boolean;
  hasSttApiKey: boolean;
  features: Record<string, boolean>;
}

export interface UsageLine {
  day?: string;
  model?: string | null;
  calls: number;
  inputTokens: number;
  outputTokens: number;
  cost?: number | null;
}

/** JSON from the server; what it refuses is thrown as the transport throws it. */
export async function ask<Answer>(path: string, method = 'GET', body?: unknown): Promise<Answer> {
  const json = body !== undefined && !(body instanceof Blob);
  const response = await fetch(path.startsWith('/') ? path : `${API}/${path}`, {
    method,
    ...(json && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    ...(body instanceof Blob && { headers: { 'content-type': body.type }, body }),
  });
  if (!response.ok) throw new ChatRequestError(response.status, await response.text());
  return (response.status === 204 ? undefined : await response.json()) as Answer;
}

/** For what is only asked for beside: while the server is away there is nothing to show, and the next occasion asks again. */
export function quietly(asked: Promise<unknown>): void {
  asked.catch(() => {});
}
