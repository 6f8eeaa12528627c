import { defineConfig } from 'vite';

// No proxy: the desk is of another origin, and lists this page's in REFUNDGQL_ALLOWED_ORIGINS.
export default defineConfig({ esbuild: { jsx: 'automatic' } });
