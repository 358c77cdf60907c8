import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findChromium } from './chromium.ts'

test('npm run prove:browser without Chromium fails, and says what to install', () => {
  expect(findChromium('/nowhere:')).toBeUndefined()
  const { status, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, '../prove_browser.ts')], {
    env: { PATH: '/nowhere' },
    encoding: 'utf8',
  })
  expect([status, stderr]).toEqual([
    1,
    'No Chromium and no Chrome is on the PATH. On Debian: apt-get install --no-install-recommends chromium\n',
  ])
})
