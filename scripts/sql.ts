import { readArguments } from './commands/read_arguments.ts'
import { homeFolder, readEnv } from './local/home.ts'
import { runPrompt } from './sql/prompt.ts'
import { findPsql, runPsql } from './sql/run_psql.ts'
import { callers, findSession, UnknownCaller } from './sql/session.ts'

const { options, refuse } = readArguments('sql', {
  options: {
    as: { type: 'string', value: 'caller', default: 'postgres', about: `one of: ${callers.join(', ')}` },
    command: { type: 'string', short: 'c', value: 'statement', about: 'runs this statement and exits' },
    'built-in': { type: 'boolean', about: 'uses the small built-in prompt even if psql is installed' },
  },
  about:
    'Uses psql if it is installed. As anon, authenticated and service_role, a session has the role, claims and settings that\n' +
    'PostgREST gives it. The command creates a user who does not exist yet.',
  environment: ['PLINTH_HOME'],
  example: 'sql -- --as authenticated:ana@example.com -c "select * from jobs"',
})
const home = homeFolder()
const env = readEnv(home) ?? refuse(`No local stack runs in ${home}: start one with npm start.`)
try {
  const session = await findSession(env, options.as)
  const psql = options['built-in'] ? undefined : findPsql()
  process.exitCode = psql ? await runPsql(psql, session, options.command) : await runPrompt(session, options.command)
} catch (error) {
  if (error instanceof UnknownCaller) refuse(error.message)
  throw error
}
