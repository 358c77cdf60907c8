import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{db,worker,sidecar,scripts}/**/*.test.ts'],
    globalSetup: ['scripts/testing/setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 4,
  },
})
