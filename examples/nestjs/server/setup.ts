// What the example begins with: a workspace with a provider, two roles, and the tools.

import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Engine } from 'turnkeep';

import { WORKSPACE } from './session.js';
import { toolsOf } from './tools.js';
import { Wiki } from './wiki.js';

export const CHOICES = Symbol('choices');

/** Where the chats are, and who answers in workspaces that have chosen nobody. */
export interface Choices {
  store: string;
  appSecret: string;
  provider: { driver: 'openai-compatible'; model: string; baseUrl: string; apiKey?: string };
  /** Whether the provider is the one of this example. */
  isScripted: boolean;
}

const roles = [
  {
    name: 'Editor',
    emoji: '✍️',
    description: 'Tightens texts and keeps their voice',
    instructions: 'You edit texts. Shorten, keep the voice, and say what you changed.',
  },
  {
    name: 'Release manager',
    emoji: '🚀',
    description: 'Plans releases and asks what is missing',
    instructions: 'You plan releases. Look things up in the pages, and ask when something is missing.',
    launchMessage: 'What is left to do before the launch?',
  },
];

@Injectable()
export class Setup implements OnModuleInit {
  constructor(
    @Inject(Engine) private readonly engine: Engine,
    @Inject(CHOICES) private readonly choices: Choices,
    @Inject(Wiki) private readonly wiki: Wiki,
  ) {}

  async onModuleInit(): Promise<void> {
    this.engine.offerTools(toolsOf(this.wiki));
    this.engine.checkPages(({ page }) => this.wiki.page(page.id) ?? null);
    const actor = { userId: 'setup', isAdmin: true };
    const workspaceId = WORKSPACE;
    const there = await this.engine.roles.list({ workspaceId, actor });
    for (const role of roles) {
      if (!there.some(({ name }) => name === role.name))
        await this.engine.roles.create({ workspaceId, actor, ...role });
    }
    if (this.choices.isScripted) await this.engine.settings.update({ workspaceId, actor, settings: this.scripted() });
  }

  /** The scripted provider, as an administrator would have entered it: its port is another one each time. */
  private scripted() {
    const { driver, model: chatModel, baseUrl } = this.choices.provider;
    return { driver, chatModel, baseUrl, apiKey: 'sk-scripted-0000', sttModel: 'scripted-ears', sttBaseUrl: baseUrl };
  }
}
