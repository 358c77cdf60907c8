import { EventEmitter } from 'node:events'
import { createReadStream } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { defineTask } from '../../worker/queue/define_task.ts'
import { defineHandler } from '../../worker/steps/define_handler.ts'

const clock = new EventEmitter()
setInterval(() => clock.emit('tick'), 50).unref()

/** The ways in which a step can end its process. The async context tells the step, except for the last two. */
export const poisons = {
  'rejection in a timer': () => void setTimeout(() => void Promise.reject(new Error('secret 1')), 20),
  'rejection that nothing awaits': () => void Promise.reject(new Error('secret 2')),
  'throw in a timer': () =>
    void setTimeout(() => {
      throw new Error('secret 3')
    }, 20),
  /** Happens after its step has completed, but before the other steps complete. */
  'rejection after its end': () => void setTimeout(() => void Promise.reject(new Error('secret 6')), 500),
  'error event without a listener': () => void createReadStream('/nowhere/secret 4'),
  'process.exit': () => process.exit(3),
  /** An abort of the signal causes it, for example when the run is cancelled. */
  'throw in a listener of the signal': (signal?: AbortSignal) =>
    signal?.addEventListener('abort', () => {
      throw new Error('secret 7')
    }),
  'throw in a listener that another context calls': () =>
    void clock.once('tick', () => {
      throw new Error('secret 5')
    }),
  'out of memory': () => {
    const all: unknown[] = []
    for (;;) all.push(new Array(100_000).fill({ n: all.length }))
  },
}
export type Poison = keyof typeof poisons

/** Ends its process in one of these ways. If the process survives, the step completes after a while. */
export const poison = defineHandler({
  input: z.object({
    kind: z.enum(Object.keys(poisons) as [Poison, ...Poison[]]),
    /** After the default time, the other steps have begun. */
    afterMs: z.number().default(300),
  }),
  output: z.null(),
  async run({ kind, afterMs }, { signal }) {
    await sleep(afterMs)
    poisons[kind](signal)
    if (kind !== 'rejection after its end') await sleep(5000)
    return null
  },
})

/** A task that poisons its process. */
export const poisonTask = defineTask({
  payload: z.object({ kind: z.enum(Object.keys(poisons) as [Poison, ...Poison[]]) }),
  async run({ kind }) {
    poisons[kind]()
    await sleep(5000)
  },
})
