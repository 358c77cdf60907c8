import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { compareAnswer } from './compare_answer.ts'
import { type Block, readBlocks } from './markdown.ts'
import type { Page } from './pages.ts'

const run = promisify(execFile)

/**
 * Where examples are run: the repository, the home of a running stack, in a folder whose scripts find the repository's
 * packages, and how to get a user's token on the stack. Each attempt has users of its own.
 */
export type Stage = { root: string; home: string; tokenFor(email: string): Promise<string>; attempt?: number }

/**
 * Runs the `sh` and `js` blocks of a page and compares what they print with the `json` block of their group.
 * All `sh` blocks run in one shell. All `js` blocks are one module: the first one at its top, each later one in a scope
 * of its own. Returns one sentence for each difference.
 */
export async function runPage(page: Page, stage: Stage): Promise<string[]> {
  const groups = readBlocks(page.text)
  const blocks = groups.flat().filter(({ notRun }) => notRun === undefined)
  const scripts = blocks.filter(({ language }) => language === 'js')
  const commands = blocks.filter(({ language }) => language === 'sh')
  const printed = new Map<Block, string>([
    ...(await printedBy(commands, runCommands, page, stage)),
    ...(await printedBy(scripts, runScripts, page, stage)),
  ])

  return groups.flatMap((group) => {
    const answer = group.find(({ language }) => language === 'json')
    if (answer === undefined) return []
    return group
      .filter((block) => printed.has(block))
      .flatMap((block) => {
        const place = `${page.path}:${block.line} (answer at line ${answer.line})`
        return differences(answer.text, printed.get(block) ?? '').map((difference) => `${place}: ${difference}`)
      })
  })
}

async function printedBy(
  blocks: Block[],
  runThem: (blocks: Block[], page: Page, stage: Stage) => Promise<string>,
  page: Page,
  stage: Stage,
): Promise<[Block, string][]> {
  if (blocks.length === 0) return []
  const output = await runThem(blocks, page, stage)
  return output.split('\0').map((text, index) => [blocks[index] as Block, text])
}

async function runCommands(blocks: Block[], page: Page, stage: Stage): Promise<string> {
  const { root, home } = stage
  const text = blocks.map((block) => block.text.replaceAll('.local/', `${home}/`)).join("printf '\\0'\n")
  return await output('bash', ['-euo', 'pipefail', '-c', ownUser(text, page, stage)], {
    cwd: root,
    env: { ...process.env, PLINTH_HOME: home },
  })
}

async function runScripts(blocks: Block[], page: Page, stage: Stage): Promise<string> {
  const { root, home, tokenFor } = stage
  const script = join(home, `${page.path.replace(/\W/g, '_')}.mjs`)
  const [first, ...others] = blocks.map((block) => block.text)
  writeFileSync(
    script,
    ownUser([printAsJson, first, ...others.map((text) => `end()\n{\n${text}}\n`)].join('\n'), page, stage),
  )
  return await output('node', [`--env-file=${join(home, 'env')}`, script], {
    cwd: root,
    // Another user than that of the shell: the same examples run twice.
    env: { ...process.env, TOKEN: await tokenFor(ownUser('ben@example.com', page, stage)) },
  })
}

/** Answers are compared as JSON, so console.log prints JSON here, and an error as the API sent it. */
const printAsJson = `
import { writeSync } from 'node:fs'
const asSent = ({ code, details, hint, message }) => ({ code, details, hint, message })
console.log = (...values) => writeSync(1, values.map((value) => JSON.stringify(value instanceof Error ? asSent(value) : value)).join(' ') + '\\n')
const end = () => writeSync(1, '\\0')
`

/** Pages share a stack, but not a user: what one page makes must not be in another page's lists. */
function ownUser(text: string, page: Page, { attempt = 1 }: Stage): string {
  const name = `${page.path.replace(/\W/g, '_').toLowerCase()}${attempt > 1 ? `_${attempt}` : ''}`
  return text.replaceAll('@example.com', `.${name}@example.com`)
}

async function output(command: string, args: string[], options: { cwd: string; env: NodeJS.ProcessEnv }) {
  try {
    return (await run(command, args, { ...options, timeout: 300_000, maxBuffer: 64 * 1024 * 1024 })).stdout
  } catch (cause) {
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string }
    const said = `${stderr.trim()}\nAfter ${stdout.split('\0').length - 1} blocks; the last output: ${stdout.slice(-500)}`
    throw new Error(`An example failed: ${said}`, { cause })
  }
}

function differences(promised: string, printed: string): string[] {
  let answer: unknown
  try {
    answer = JSON.parse(printed)
  } catch {
    return [`printed no JSON, or not one value: ${printed.slice(0, 300)}`]
  }
  return compareAnswer(JSON.parse(promised), answer)
}
