import { z } from 'zod'
import { startWorker } from '../../worker/start_worker.ts'
import { defineHandler } from '../../worker/steps/define_handler.ts'
import { poolTasks, tasks } from '../../worker/tasks/index.ts'

// A worker process of one of two releases, between which the input of the type greet changed: `versioned_worker.ts <version>`.
// Version 2 also accepts the input of version 1.

const version = Number(process.argv[2])
const input =
  version === 1
    ? z.strictObject({ name: z.string() })
    : z.union([z.strictObject({ names: z.array(z.string()) }), z.strictObject({ name: z.string() })])

const greet = defineHandler({
  version,
  input,
  output: z.object({ by: z.number(), names: z.array(z.string()) }),
  run: (one) => ({ by: version, names: 'names' in one ? one.names : [one.name] }),
})

await startWorker({ handlers: { greet }, tasks, poolTasks })
