import { defineConfig } from 'vitest/config'

const all = '{db,worker,sidecar,scripts}/**/*.test.ts'
const long = '{db,worker,sidecar,scripts}/**/*.long.test.ts'
const limits = { testTimeout: 30_000, hookTimeout: 60_000 }

export default defineConfig({
  test: {
    globalSetup: ['scripts/testing/setup.ts'],
    pool: 'forks',
    maxWorkers: 4,
    projects: [
      { test: { ...limits, name: 'quick', include: [all], exclude: [long] } },
      // Tests that start whole stacks, kill processes or take long.
      { test: { ...limits, name: 'long', include: [long] } },
    ],
  },
})
