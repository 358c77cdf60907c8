import { defineConfig } from 'vitest/config'

const all = '{db,worker,sidecar,scripts}/**/*.test.ts'
const long = '{db,worker,sidecar,scripts}/**/*.long.test.ts'
// Ends what hangs. A machine that is ten times slower than usual must not fail a test.
const limits = { testTimeout: 300_000, hookTimeout: 300_000, expect: { poll: { timeout: 100_000 } } }

export default defineConfig({
  test: {
    globalSetup: ['scripts/testing/setup.ts'],
    pool: 'forks',
    maxWorkers: 4,
    projects: [
      { test: { ...limits, name: 'quick', include: [all], exclude: [long] } },
      // Tests that start whole stacks, kill processes or take long.
      { test: { ...limits, testTimeout: 600_000, hookTimeout: 600_000, name: 'long', include: [long] } },
    ],
  },
})
