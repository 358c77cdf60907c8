import { readArguments } from './commands/read_arguments.ts'
import { runInForeground } from './local/foreground.ts'

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
await runInForeground()
