import { readArguments } from './commands/read_arguments.ts'
import { runInForeground } from './local/foreground.ts'

readArguments('start', {
  about: 'While the stack runs, $PLINTH_HOME/env has the URLs and keys for clients.',
  environment: [
    'PLINTH_HOME',
    'PLINTH_PORT',
    'POSTGRES_PORT',
    'POSTGREST_PORT',
    'S3_PORT',
    'SIDECAR_PORT',
    'PLINTH_POSTGRES_BIN',
    'PLINTH_POSTGREST_BIN',
    'GEMINI_API_KEY',
  ],
  example: 'start',
})
await runInForeground()
