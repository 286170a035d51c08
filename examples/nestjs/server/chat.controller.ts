// The endpoints of the chat: those of `turnkeep/http`, below `/api/ai-chat`, behind this host's session.

import { Controller, Inject, UseGuards } from '@nestjs/common';
import { TurnkeepController } from 'turnkeep/nest';

import { type SignedRequest, SessionGuard, WORKSPACE } from './session.js';
import { Throttle } from './throttle.js';
import { TOOL_NAMES } from './tools.js';

type Options = ReturnType<NonNullable<TurnkeepController<SignedRequest>['options']>>;

@Controller('ai-chat')
@UseGuards(SessionGuard)
export class ChatController extends TurnkeepController<SignedRequest> {
  @Inject(Throttle) private readonly throttle!: Throttle;

  who({ user }: SignedRequest) {
    return { workspaceId: WORKSPACE, userId: user!.id, isAdmin: user!.isAdmin };
  }

  // Tools that engines offer: a run that waits for an answer, or whose process has died, is gone on with by any of them.
  override turn() {
    return { offeredTools: TOOL_NAMES, taint: 'ask' as const };
  }

  override options(): Options {
    return {
      protocol: 'ai-7',
      routes: {
        turn: ({ who }, original) => {
          this.throttle.take('turn', who.userId, 25);
          return original();
        },
        transcribe: ({ who }, original) => {
          this.throttle.take('transcribe', who.userId, 20);
          return original();
        },
      },
    };
  }
}
