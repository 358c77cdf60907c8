import { join } from 'node:path'
import { createClient } from '@supabase/supabase-js'
import pg from 'pg'
import { findChromium, startChromium } from './browser/chromium.ts'
import { prepareStack } from './browser/prepare.ts'
import { serveApp } from './browser/serve_app.ts'
import { tellStory } from './browser/story.ts'
import { openTab } from './browser/tab.ts'
import { readArguments } from './commands/read_arguments.ts'
import { readMails } from './local/auth/mail.ts'
import { startOwnStack } from './local/own_stack.ts'

readArguments('prove:browser', {
  about: 'Runs on a stack of its own, which it removes at the end. Needs Chromium or Chrome.',
  environment: ['PLINTH_POSTGRES_BIN', 'PLINTH_POSTGREST_BIN'],
  example: 'prove:browser',
})

const program = findChromium()
if (program === undefined) {
  console.error('No Chromium and no Chrome is on the PATH. On Debian: apt-get install --no-install-recommends chromium')
  process.exit(1)
}

const closers: (() => Promise<unknown>)[] = []
let closing: Promise<void> | undefined
/** Closes what runs, the newest first. A signal and the failure that it causes share one end. */
function closeAll(): Promise<void> {
  closing ??= (async () => {
    for (const close of closers.reverse()) await close()
  })()
  return closing
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void closeAll().finally(() => process.exit(1)))
}

let from = performance.now()
let last = 'the start'
let logged: string[] = []
function step(what: string): void {
  console.log(`${((performance.now() - from) / 1000).toFixed(1).padStart(6)} s  ${what}`)
  from = performance.now()
  last = what
  // Only the errors since the last step explain a failure: refusals are part of the story.
  logged.length = 0
}

try {
  const starting = startOwnStack('browser')
  // Also if a signal arrives during the start.
  closers.push(() =>
    starting.then(
      (started) => started.stop(),
      () => {},
    ),
  )
  const stack = await starting
  const { env } = stack
  const url = env['SUPABASE_URL'] ?? ''
  const operator = new pg.Client(env['DATABASE_URL'])
  await operator.connect()
  closers.push(() => operator.end())
  const artifacts = await prepareStack(operator, env)
  step(`A stack of its own is ready at ${url}: buckets, policies and a template are there`)
  const app = await serveApp({ VITE_SUPABASE_URL: url, VITE_SUPABASE_ANON_KEY: env['SUPABASE_PUBLISHABLE_KEY'] ?? '' })
  closers.push(app.close)
  const chromium = await startChromium(program)
  closers.push(chromium.close)
  logged = chromium.logged
  step(`${chromium.version} opens the app at ${app.url}`)
  await tellStory({
    open: (options = {}) => openTab(chromium, `${app.url}?${new URLSearchParams(options)}`),
    mailTo: async (email) => (await readMails(join(stack.home, 'mail'), 10)).find(({ to }) => to === email)?.text ?? '',
    server: createClient(url, env['SUPABASE_SECRET_KEY'] ?? ''),
    operate: (sql, values) => operator.query(sql, values),
    artifacts,
    step,
  })
  if (chromium.uncaught.length > 0) throw new Error(`A page threw: ${chromium.uncaught.join('\n')}`)
  console.log('The browser got what the origins promise.')
} catch (error) {
  console.error(`Failed after: ${last}`)
  for (const line of logged) console.error(`Chromium logged: ${line}`)
  console.error(error)
  process.exitCode = 1
} finally {
  await closeAll()
}
