import { homeFolder } from './home.ts'
import { explain } from './process.ts'
import { type Stack, startStack } from './stack.ts'

/** Work that goes on while a stack runs; it returns a function that ends it. */
export type Companion = (stack: Stack, say: (line: string) => void) => () => Promise<void>

/**
 * Runs a local stack until a signal arrives or one of its parts ends, then stops every part and exits. Worker and sidecar are
 * started again when they end.
 */
export async function runInForeground({ accompany }: { accompany?: Companion } = {}): Promise<void> {
  const home = homeFolder()
  const startedAt = performance.now()
  const say = (line: string) => console.log(line)

  // A closed pipe, such as to head, must not end us before our children.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

  let interrupted = false
  let stop = async () => {
    interrupted = true
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop())

  try {
    const stack = await startStack(home, say)
    let leave = async () => {}
    let ending: Promise<never> | undefined
    // Once: npm forwards the Ctrl-C that the terminal has sent already, so most signals arrive twice.
    const end = (code: number): Promise<never> => {
      ending ??= leave()
        .finally(() => stack.stop())
        .then(() => process.exit(code))
      return ending
    }
    stop = async () => {
      if (!interrupted) say('Stopping …')
      interrupted = true
      await end(0)
    }
    if (interrupted) {
      interrupted = false
      await stop()
    }
    say(`\nPlinth is ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s. Ctrl-C stops it.\n`)
    for (const line of describe(stack, home)) say(line)
    say('')
    if (accompany) leave = accompany(stack, say)
    const reason = await stack.failed
    if (!interrupted) {
      console.error(`${reason}\nStopping the other processes.`)
      await end(1)
    }
  } catch (error) {
    console.error(explain(error, home))
    process.exit(1)
  }
}

/** Says where everything is, with keys that open only this stack, and what a newcomer does next. */
function describe({ env }: Stack, home: string): string[] {
  const facts = [
    ['URL', env['SUPABASE_URL']],
    ['Mail', `${env['MAIL_URL']}   (Auth writes its mails to this page)`],
    ['Postgres', env['DATABASE_URL']?.replace(/:[^:@/]*@/, ':…@')],
    ['publishable key', env['SUPABASE_PUBLISHABLE_KEY']],
    ['  as JWT (anon)', env['SUPABASE_ANON_KEY']],
    ['secret key', `${env['SUPABASE_SECRET_KEY']}   (for servers only)`],
    ['  as JWT (service)', env['SUPABASE_SERVICE_ROLE_KEY']],
    ['env file', `${home}/env`],
    ['logs', `${home}/logs`],
  ]
  return [
    ...facts.map(([name = '', value]) => `  ${name.padEnd(19)} ${value}`),
    '',
    'For development and tests: Auth, Storage and the S3 server are stand-ins. Do not expose this stack.',
    'Next, in a second terminal: npm run demo. Your own code: createClient(URL, publishable key).',
  ]
}
