import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { build_id } from './plugins/build_id';
import { content_policy } from './plugins/content_policy';
import { precompress } from './plugins/precompress';

const page = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// `vite dev` passes the session protocol on to a node that runs beside it.
const node_address = process.env['FOOTLIGHT_NODE'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [svelte(), content_policy(), build_id(), precompress()],
  build: {
    target: 'es2022',
    sourcemap: false,
    chunkSizeWarningLimit: 600, // hls.js, loaded when a program plays
    // A data: URL would need `font-src data:` in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: {
        index: page('index.html'),
        overlay: page('overlay/index.html'),
        audience: page('audience/index.html'),
        stage: page('stage/index.html'),
        console: page('console/index.html'),
        doctor: page('doctor/index.html'),
      },
    },
  },
  server: {
    host: '127.0.0.1',
    port: 18150,
    proxy: { '/v1': { target: node_address, ws: true } },
  },
  resolve: process.env['VITEST'] ? { conditions: ['browser'] } : {},
  test: { environment: 'jsdom', include: ['test/**/*.test.ts'] },
});
