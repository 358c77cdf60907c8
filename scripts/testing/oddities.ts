import { z } from 'zod'
import { defineHandler, Reschedule, StepError, WithChildren } from '../../worker/steps/define_handler.ts'

/** The odd values that handlers of tests throw. */
const thrown: Record<string, () => unknown> = {
  circle: () => {
    const error = new StepError('named', 'The text is empty. Send a text.', { isPermanent: true })
    error.cause = new Error('why', { cause: error })
    return error
  },
  '20,000 causes': () => {
    let cause = new Error('root')
    for (let n = 1; n < 20_000; n++) cause = new Error(`cause ${n}`, { cause })
    return new StepError('named', 'The text is empty. Send a text.', { isPermanent: true, cause })
  },
  '50 MB': () => new StepError('named', `Too long: ${'x'.repeat(50_000_000)}`, { isPermanent: true }),
  'address in a sentence': () => new StepError('named', 'http://127.0.0.1:1/x and /srv/app/x.ts fail.'),
  null: () => null,
  undefined: () => undefined,
  symbol: () => Symbol('odd'),
  bigint: () => 1n,
  text: () => 'connect ECONNREFUSED 127.0.0.1:1',
  proxy: () =>
    new Proxy(new StepError('named', 'x'), {
      get: () => {
        throw new Error('get')
      },
      getPrototypeOf: () => {
        throw new Error('getPrototypeOf')
      },
    }),
  getters: () =>
    Object.defineProperty(new Error('x'), 'message', {
      get: () => {
        throw new Error('message')
      },
    }),
  aggregate: () => new AggregateError([Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })], 'all failed'),
}

/** The odd results that handlers of tests return. */
const returned: Record<string, () => unknown> = {
  undefined: () => undefined,
  map: () => ({ seen: new Map([[1, 2]]) }),
  nan: () => ({ rows: [1, Number.NaN] }),
  'set in a state': () => new Reschedule({ seen: new Set([1]) }, 10),
  'promise in the input of a child': () =>
    new WithChildren(null, [{ key: 'child', type: 'noop', input: { later: Promise.resolve(1) } }]),
}

export type Oddity = { throws?: string; returns?: string; fetches?: string }
export const oddities: Oddity[] = [
  ...Object.keys(thrown).map((throws) => ({ throws })),
  ...Object.keys(returned).map((returns) => ({ returns })),
  // Nothing listens on port 2, and fetch does not refuse it.
  { fetches: 'http://127.0.0.1:2/private/path' },
]

/** Throws or returns an odd value. */
export const odd = defineHandler({
  input: z.object({ throws: z.string().optional(), returns: z.string().optional(), fetches: z.string().optional() }),
  output: z.any(),
  async run({ throws, returns, fetches }) {
    if (throws !== undefined) throw thrown[throws]?.()
    if (fetches !== undefined) await fetch(fetches)
    return returned[returns ?? '']?.()
  },
})
