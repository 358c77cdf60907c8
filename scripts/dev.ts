import { readArguments } from './commands/read_arguments.ts'
import { accompany } from './dev/accompany.ts'
import { runInForeground } from './local/foreground.ts'

readArguments('dev', {
  about:
    'Worker and sidecar start again when their code changes. Files of db/modules, new migrations and seed data are applied when\n' +
    'they are saved; a new migration waits until its first line says why. Warnings of worker and sidecar are printed.',
  environment: ['PLINTH_HOME', 'PLINTH_PORT', 'LOG_LEVEL', 'GEMINI_API_KEY'],
  example: 'dev',
})
await runInForeground({ isWatching: true, accompany })
