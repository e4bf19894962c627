import { defineConfig } from 'vitest/config';

// The machine may be busy; no test here measures time.
export default defineConfig({ test: { testTimeout: 120_000 } });
