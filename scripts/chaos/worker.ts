import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { startWorker } from '../../worker/start_worker.ts'
import { defineHandler } from '../../worker/steps/define_handler.ts'
import { poolTasks, tasks } from '../../worker/tasks/index.ts'
import { testHandlers } from '../testing/handlers.ts'
import { poison } from '../testing/poison.ts'

// A worker process of chaos: `worker.ts <file>`. Each nap appends a line to the file when it begins and when it ends, like the
// bill of a provider.

const file = process.argv[2] as string

const nap = defineHandler({
  input: z.object({ ms: z.number() }),
  output: z.object({ napped: z.number() }),
  async run({ ms }, { id, signal }) {
    appendFileSync(file, `begin ${id}\n`)
    await sleep(ms, undefined, { signal })
    appendFileSync(file, `end ${id}\n`)
    return { napped: ms }
  },
})

// The types toxin and spin have the handlers of poison and compute, but other limits.
const { compute } = testHandlers as Required<Pick<typeof testHandlers, 'compute'>>
await startWorker({ handlers: { ...testHandlers, nap, toxin: poison, spin: compute }, tasks, poolTasks })
