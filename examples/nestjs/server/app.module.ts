import { type DynamicModule, Module } from '@nestjs/common';
import { TurnkeepModule } from 'turnkeep/nest';

import { ChatController } from './chat.controller.js';
import { PostsController, WorkspaceController } from './posts.controller.js';
import { SessionController } from './session.js';
import { CHOICES, type Choices, Setup } from './setup.js';
import { Throttle } from './throttle.js';
import { Wiki } from './wiki.js';

@Module({})
class AppModule {}

export function appModule(choices: Choices): DynamicModule {
  return {
    module: AppModule,
    imports: [
      TurnkeepModule.forRoot({
        store: choices.store,
        appSecret: choices.appSecret,
        providers: { default: choices.provider },
        generateChatTitles: true,
        // Ids that pages make for new chats are taken, as `useChat` makes them.
        chats: { ids: 'any' },
        // Whoever may change settings says that it is an administrator; a call that says nothing is refused.
        settings: { actor: 'required' },
        // A workspace's administrators may name a provider on this very machine, such as the scripted one.
        http: { allowPrivate: ['127.0.0.1'] },
        prices: { [choices.provider.model]: { input: 1, output: 4 } },
        graceMs: 3_000,
      }),
    ],
    controllers: [SessionController, PostsController, WorkspaceController, ChatController],
    providers: [{ provide: CHOICES, useValue: choices }, Setup, Throttle, Wiki],
  };
}
