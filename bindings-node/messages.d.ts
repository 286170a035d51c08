// Messages as clients of the AI SDK have them, in the words of TypeScript. They are structural: nothing of the SDK is
// imported, and its own types of either version take them.

import type { Protocol, ShownMetadata } from './surface.js';

/** What providers want to see again, by their names. */
export type PartMetadata = Record<string, Record<string, any>>;

export type ShownTextPart = {
  type: 'text';
  text: string;
  state?: 'streaming' | 'done';
  providerMetadata?: PartMetadata;
};

export type ShownReasoningPart = {
  type: 'reasoning';
  text: string;
  state?: 'streaming' | 'done';
  providerMetadata?: PartMetadata;
};

export type ShownFilePart = {
  type: 'file';
  mediaType: string;
  filename?: string;
  url: string;
  providerMetadata?: PartMetadata;
};

export type ShownSourcePart =
  | { type: 'source-url'; sourceId: string; url: string; title?: string; providerMetadata?: PartMetadata }
  | {
      type: 'source-document';
      sourceId: string;
      mediaType: string;
      title: string;
      filename?: string;
      providerMetadata?: PartMetadata;
    };

/** That somebody is asked whether a call may be made. */
export type ShownQuestion = {
  id: string;
  requestReason?: string;
  isAutomatic?: boolean;
  signature?: string;
  inputSchemaInput?: unknown;
};

type OfCall = {
  toolCallId: string;
  title?: string;
  providerExecuted?: boolean;
  callProviderMetadata?: PartMetadata;
};

/** How far a call has come. */
export type ShownToolState =
  | { state: 'input-available'; input: unknown }
  | { state: 'approval-requested'; input: unknown; approval: ShownQuestion }
  | { state: 'approval-responded'; input: unknown; approval: ShownQuestion & { approved: boolean; reason?: string } }
  | {
      state: 'output-available';
      input: unknown;
      output: unknown;
      resultProviderMetadata?: PartMetadata;
      approval?: ShownQuestion & { approved: true; reason?: string };
    }
  | {
      state: 'output-error';
      input: unknown;
      errorText: string;
      resultProviderMetadata?: PartMetadata;
      approval?: ShownQuestion & { approved: true; reason?: string };
    }
  | { state: 'output-denied'; input: unknown; approval: ShownQuestion & { approved: false; reason?: string } };

export type ShownToolPart = ({ type: `tool-${string}` } | { type: 'dynamic-tool'; toolName: string }) &
  OfCall &
  ShownToolState;

export type ShownDataPart = { type: `data-${string}`; id?: string; data: unknown };

/** What clients of both versions take. */
export type ShownPart =
  | { type: 'step-start' }
  | ShownTextPart
  | ShownReasoningPart
  | ShownFilePart
  | ShownSourcePart
  | ShownToolPart
  | ShownDataPart;

/** What clients of version 7 take besides. */
export type ShownNewerPart =
  | { type: 'custom'; kind: `${string}.${string}`; providerMetadata?: PartMetadata }
  | { type: 'reasoning-file'; mediaType: string; url: string; providerMetadata?: PartMetadata }
  | { type: 'steering-message'; id: string; parts: (ShownTextPart | ShownFilePart)[] };

/** A message that goes into `convertToModelMessages`, `useChat` and `validateUIMessages` of the SDK as it is. */
export interface ShownUIMessage<P extends Protocol = 'ai-6'> {
  id: string;
  role: 'user' | 'assistant';
  metadata?: ShownMetadata;
  parts: (P extends 'ai-7' ? ShownPart | ShownNewerPart : ShownPart)[];
}

/** A message of a client, of whichever version: `UIMessage` of the SDK, whatever its metadata, data and tools are. */
export interface ClientMessage {
  id?: string;
  /** Only a user's message begins a turn. */
  role?: 'system' | 'user' | 'assistant';
  metadata?: unknown;
  parts: readonly { type: string }[];
}
