import { readArguments } from './commands/read_arguments.ts'
import { accompany } from './dev/accompany.ts'
import { runInForeground } from './local/foreground.ts'

readArguments('dev', {
  about:
    'Worker and sidecar restart when their code changes. Files of db/modules, new migrations and seed data are applied when\n' +
    'you save them. A new migration is applied after its first line says why. Warnings of worker and sidecar are printed.',
  environment: ['PLINTH_HOME', 'PLINTH_PORT', 'LOG_LEVEL', 'GEMINI_API_KEY'],
  example: 'dev',
})
await runInForeground({ accompany })
