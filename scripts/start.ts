import { readArguments } from './commands/read_arguments.ts'
import { homeFolder } from './local/home.ts'
import { explain } from './local/process.ts'
import { startStack } from './local/stack.ts'

readArguments('start', {
  about: 'While it runs, $PLINTH_HOME/env tells clients where everything is.',
  environment: [
    'PLINTH_HOME',
    'PLINTH_PORT',
    'POSTGRES_PORT',
    'POSTGREST_PORT',
    'S3_PORT',
    'SIDECAR_PORT',
    'GEMINI_API_KEY',
  ],
  example: 'start',
})

const home = homeFolder()
const startedAt = performance.now()
const say = (line: string) => console.log(line)

// A reader that has gone, such as head, must not end us before our children.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

let interrupted = false
let stop = async () => {
  interrupted = true
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop())

try {
  const stack = await startStack(home, say)
  stop = async () => {
    if (!interrupted) say('Stopping …')
    interrupted = true
    await stack.stop()
    process.exit(0)
  }
  if (interrupted) {
    interrupted = false
    await stop()
  }
  const { env } = stack
  const rows = [
    ['API', env['SUPABASE_URL']],
    ['PostgREST', `${env['SUPABASE_URL']}/rest/v1`],
    ['Sidecar', `${env['SUPABASE_URL']}/api`],
    ['S3', env['S3_ENDPOINT']],
    ['Postgres', env['DATABASE_URL']?.replace(/:[^:@/]*@/, ':…@')],
    ['anon key', env['SUPABASE_ANON_KEY']],
    ['service key', 'SUPABASE_SERVICE_ROLE_KEY in the env file'],
    ['env file', `${home}/env`],
    ['logs', `${home}/logs`],
  ]
  say(`\nPlinth is ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s. Ctrl-C stops it.\n`)
  for (const [name, value] of rows) say(`  ${String(name).padEnd(12)} ${value}`)
  say('')
  const reason = await stack.failed
  if (!interrupted) {
    console.error(`${reason}. Stopping the rest.`)
    await stack.stop()
    process.exit(1)
  }
} catch (error) {
  console.error(explain(error, home))
  process.exit(1)
}
