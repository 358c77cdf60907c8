import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readExamplePages, root } from './docs/pages.ts'
import { runPage } from './docs/run_page.ts'
import { type Stack, startStack } from './local/stack.ts'
import { tokenForEmail } from './local/user.ts'

const pages = readExamplePages()
// Below node_modules, so that scripts in it find their packages, and Git does not see it.
const home = mkdtempSync(join(root, 'node_modules', '.docs-'))
let stack: Stack | undefined

beforeAll(async () => {
  execFileSync('chmod', ['755', home])
  stack = await startStack(home, () => {})
})

afterAll(async () => {
  await stack?.stop()
  rmSync(home, { recursive: true, force: true })
})

describe('every example runs on a local stack and gives the answer that stands below it', () => {
  test.each(pages)('$path', async (page) => {
    const tokenFor = (email: string) => tokenForEmail(stack?.env ?? {}, email)
    const differences = await runPage(page, { root, home, tokenFor })
    // Workers go on between two commands. On a busy machine, a run may have got further than the page shows.
    for (let attempt = 2; attempt <= 3 && differences.length > 0; attempt++) {
      if ((await runPage(page, { root, home, tokenFor, attempt }).catch(() => undefined))?.length === 0) return
    }
    expect(differences).toEqual([])
  })
})
