import { defineConfig } from 'vite';

// The page and the API share one origin, so the server needs no REFUNDGQL_ALLOWED_ORIGINS while you develop.
const target = process.env['REFUNDGQL_URL'] ?? 'http://localhost:8000';
const proxy = { '/graphql': { target, ws: true } };

export default defineConfig({
  esbuild: { jsx: 'automatic' },
  server: { proxy },
  preview: { proxy },
});
