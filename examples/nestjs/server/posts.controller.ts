// The same chats as POST requests with wrapped answers, which a page may have been written for: thin, because everything is in the
// engine. A host that is begun with has no use for these.

import {
  BadRequestException,
  Body,
  Controller,
  ForbiddenException,
  HttpCode,
  Inject,
  Post,
  Req,
  Res,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { map } from 'rxjs';
import { Engine, TurnkeepError } from 'turnkeep';

import { AdminGuard, SessionGuard, type SignedRequest, WORKSPACE } from './session.js';
import { Throttle } from './throttle.js';
import { TOOL_NAMES } from './tools.js';

/** `{data, success, status}`. */
class Wrapped implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler) {
    const { statusCode: status } = context.switchToHttp().getResponse<FastifyReply>();
    return next.handle().pipe(map((data: unknown) => ({ data: data ?? null, success: true, status })));
  }
}

interface ChatBody {
  chatId?: string;
  title?: string;
  cursor?: string;
  beforeCursor?: string;
  limit?: number;
  lang?: string;
}

const whoOf = ({ user }: SignedRequest) => ({ workspaceId: WORKSPACE, userId: user!.id });
const actorOf = ({ user }: SignedRequest) => ({ userId: user!.id, isAdmin: user!.isAdmin });

/** The chat of the caller; whoever asks for another one is not told whether there is one. */
async function owned<Made>(made: Promise<Made>): Promise<Made> {
  try {
    return await made;
  } catch (error) {
    if (error instanceof TurnkeepError && error.code === 'NOT_FOUND') throw new ForbiddenException('No such chat');
    throw error;
  }
}

function pageOf({ cursor, beforeCursor, limit }: ChatBody) {
  return {
    ...(cursor !== undefined && { cursor }),
    ...(beforeCursor !== undefined && { beforeCursor }),
    ...(limit !== undefined && { limit }),
  };
}

@Controller('ai-chat')
@UseGuards(SessionGuard)
@UseInterceptors(Wrapped)
export class PostsController {
  constructor(
    @Inject(Engine) private readonly engine: Engine,
    @Inject(Throttle) private readonly throttle: Throttle,
  ) {}

  @Post('chats')
  @HttpCode(200)
  async chats(@Req() request: SignedRequest, @Body() body: ChatBody = {}) {
    return this.engine.chats.list({ ...whoOf(request), ...pageOf(body) });
  }

  @Post('messages')
  @HttpCode(200)
  messages(@Req() request: SignedRequest, @Body() body: ChatBody = {}) {
    return owned(this.engine.chats.messagePage({ ...whoOf(request), chatId: chatOf(body), ...pageOf(body) }));
  }

  @Post('export')
  @HttpCode(200)
  async export(@Req() request: SignedRequest, @Body() body: ChatBody = {}) {
    const lang = body.lang === undefined ? {} : { lang: body.lang };
    return { markdown: await owned(this.engine.chats.export({ ...whoOf(request), chatId: chatOf(body), ...lang })) };
  }

  @Post('rename')
  @HttpCode(200)
  async rename(@Req() request: SignedRequest, @Body() body: ChatBody = {}) {
    await owned(this.engine.chats.rename({ ...whoOf(request), chatId: chatOf(body), title: body.title ?? '' }));
    return { success: true };
  }

  @Post('delete')
  @HttpCode(200)
  async delete(@Req() request: SignedRequest, @Body() body: ChatBody = {}) {
    await owned(this.engine.chats.delete({ ...whoOf(request), chatId: chatOf(body) }));
    return { success: true };
  }

  @Post('stop')
  @HttpCode(200)
  async stop(@Req() request: SignedRequest, @Body() body: ChatBody = {}) {
    return { stopped: await owned(this.engine.runs.stop({ ...whoOf(request), chatId: chatOf(body) })) };
  }

  @Post('run')
  @HttpCode(200)
  run(@Req() request: SignedRequest, @Body() body: ChatBody = {}) {
    return owned(this.engine.runs.latestForChat({ ...whoOf(request), chatId: chatOf(body) }));
  }

  /** A turn of `useChat` with its default transport, whose body it takes. Errors come before the first byte. */
  @Post('stream')
  async stream(@Req() request: SignedRequest, @Body() body: StreamBody, @Res() reply: FastifyReply) {
    this.throttle.take('turn', request.user!.id, 25);
    const message = body.messages?.at(-1);
    if (!message) throw new BadRequestException('messages must have the new one last');
    const turn = await this.engine.startTurn({
      ...whoOf(request),
      ...(body.chatId && { chatId: body.chatId }),
      ...(body.roleId && { roleId: body.roleId }),
      ...(body.openPage && { openPage: body.openPage }),
      message,
      offeredTools: TOOL_NAMES,
    });
    await turn.pipe(reply);
  }

  @Post('roles')
  @HttpCode(200)
  async roles(@Req() request: SignedRequest) {
    return this.engine.roles.list({ workspaceId: WORKSPACE, actor: actorOf(request) });
  }
}

@Controller('workspace')
@UseGuards(AdminGuard)
@UseInterceptors(Wrapped)
export class WorkspaceController {
  constructor(@Inject(Engine) private readonly engine: Engine) {}

  @Post('ai-settings')
  @HttpCode(200)
  get(@Req() request: SignedRequest) {
    return this.engine.settings.get({ workspaceId: WORKSPACE, actor: actorOf(request) });
  }

  @Post('ai-settings/update')
  @HttpCode(200)
  update(@Req() request: SignedRequest, @Body() settings: object) {
    return this.engine.settings.update({ workspaceId: WORKSPACE, actor: actorOf(request), settings });
  }

  @Post('ai-settings/test')
  @HttpCode(200)
  test(@Req() request: SignedRequest, @Body() { capability }: { capability?: 'chat' | 'embeddings' | 'stt' }) {
    const what = capability === undefined ? {} : { capability };
    return this.engine.settings.test({ workspaceId: WORKSPACE, actor: actorOf(request), ...what });
  }
}

interface StreamBody {
  chatId?: string;
  roleId?: string;
  openPage?: { id: string; title: string | null };
  messages?: { id?: string; role: 'user'; parts: { type: 'text'; text: string }[] }[];
}

function chatOf({ chatId }: ChatBody): string {
  if (!chatId) throw new BadRequestException('chatId must be a string');
  return chatId;
}
