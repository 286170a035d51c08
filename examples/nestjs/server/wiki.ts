// A host's own data: a few pages.

import { Injectable } from '@nestjs/common';

export interface Page {
  id: string;
  title: string;
  text: string;
}

@Injectable()
export class Wiki {
  private readonly pages: Page[] = [
    {
      id: 'launch',
      title: 'Launch plan',
      text: 'The launch is on Thursday, 4 December. Mira owns it. Open: release notes, the price page, a rehearsal of the roll-back.',
    },
    {
      id: 'risks',
      title: 'Risks',
      text: 'The main risk is the migration of old chats: it takes 40 minutes on the largest workspace. Second: nobody has rehearsed the roll-back.',
    },
    {
      id: 'prices',
      title: 'Prices',
      text: 'Team: 8 a month and person. Company: 14 a month and person. Both are free for the first 30 days.',
    },
  ];

  page(id: string): Page | undefined {
    return this.pages.find((page) => page.id === id);
  }

  search(query: string): Page[] {
    const words = query.toLowerCase().split(/\s+/);
    return this.pages.filter(({ title, text }) =>
      words.some((word) => `${title} ${text}`.toLowerCase().includes(word)),
    );
  }

  rename(id: string, title: string): Page {
    const page = this.page(id);
    if (!page) throw new Error(`There is no page ${id}`);
    page.title = title;
    return page;
  }
}
