import type { DynamicModule, ExceptionFilter, HttpException, ModuleMetadata } from '@nestjs/common';
import type { Asker, RouterOptions } from './http.js';
import type { Engine, EngineOptions, TurnkeepError } from './index.js';

export interface TurnkeepModuleOptions extends EngineOptions {
  /** How long turns may go on once the application closes. @default 5000 */
  graceMs?: number;
}

export interface TurnkeepModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  inject?: any[];
  useFactory(...injected: any[]): TurnkeepModuleOptions | Promise<TurnkeepModuleOptions>;
  /** Whether other modules have the engine without importing this one. @default true */
  isGlobal?: boolean;
}

/**
 * The engine for an application: injected as `Engine`, opened with the module and closed before the server is. Errors of turnkeep's
 * are answered with their status.
 *
 * @example
 * @Module({ imports: [TurnkeepModule.forRoot({ store: 'sqlite:chats.db', providers })] })
 * export class AppModule {}
 */
export declare class TurnkeepModule {
  static forRoot(options: TurnkeepModuleOptions): DynamicModule;
  static forRootAsync(options: TurnkeepModuleAsyncOptions): DynamicModule;
}

/**
 * The endpoints of `turnkeep/http` below a controller's path, behind its guards.
 *
 * @example
 * @Controller('api/chat')
 * @UseGuards(SessionGuard)
 * export class ChatController extends TurnkeepController {
 *   who(request) {
 *     return { workspaceId: request.user.workspaceId, userId: request.user.id };
 *   }
 * }
 */
export declare abstract class TurnkeepController<NativeRequest = any> {
  protected readonly engine: Engine;
  /** Who asks, by the framework's request. */
  abstract who(request: NativeRequest): ReturnType<RouterOptions['who']>;
  /** What a turn has beside what its client says. */
  turn?(
    asked: Parameters<NonNullable<RouterOptions<NativeRequest>['turn']>>[0],
  ): ReturnType<NonNullable<RouterOptions['turn']>>;
  /** Everything else that `createRouter` takes. */
  options?(): Omit<RouterOptions<NativeRequest>, 'engine' | 'who' | 'turn' | 'basePath'>;
  handle(request: NativeRequest, response: any): Promise<void>;
}

/** Answers errors of turnkeep's with their status: `{statusCode, message, error: code, kind, details}`. The module has it installed. */
export declare class TurnkeepExceptionFilter implements ExceptionFilter<TurnkeepError> {
  catch(error: TurnkeepError, host: any): void;
}

/** An error as the exception that Nest answers with. */
export declare function toHttpException(error: unknown): HttpException;

export type { Asker };
