import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  root: 'page',
  plugins: [react()],
  // One script: most of it is React and Markdown, and a page of a chat needs both at once.
  build: { outDir: '../dist/page', emptyOutDir: true, chunkSizeWarningLimit: 1_000 },
  // `npx vite` beside a server that runs: changes of the page are seen at once.
  server: { proxy: { '/api': 'http://127.0.0.1:3000' } },
});
