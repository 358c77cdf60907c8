import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, expect, test } from 'vitest'
import type { Db } from '../../worker/shared/db.ts'
import { createRecorder, type Recorded } from './recorder.ts'

// Stands for Postgres; db/tests/90_payments/batches.test.ts has the functions.
type Call = { alone?: string; together?: string[]; end(): void; fail(): void }
const calls: Call[] = []
let leftOut: string[]
beforeEach(() => {
  calls.splice(0)
  leftOut = []
})
const answer = (name: string): Recorded => ({ payment_id: name, status: 'applied', reason: null })
const db: Db = {
  call: (_name, args = {}) =>
    new Promise((resolve, reject) => {
      const fail = () => reject(new Error('canceling statement due to lock timeout'))
      if (args['callbacks'] === undefined) {
        const { name } = JSON.parse(String(args['callback']))
        calls.push({ alone: name, fail, end: () => resolve([{ record_paymob_callback: answer(name) }] as never) })
        return
      }
      const names: string[] = JSON.parse(String(args['callbacks'])).map(({ name }: { name: string }) => name)
      const answers = names.map((name) => (leftOut.includes(name) ? null : answer(name)))
      calls.push({ together: names, fail, end: () => resolve([{ record_paymob_callbacks: answers }] as never) })
    }),
}
const named = () => calls.map(({ alone, together }) => alone ?? together)
const nextCall = async (count: number) => {
  while (calls.length < count) await sleep(1)
  return calls[count - 1] as Call
}

test('records a callback at once', async () => {
  const record = createRecorder(db)
  const recorded = record({ name: 'a' })
  ;(await nextCall(1)).end()
  expect(await recorded).toEqual(answer('a'))
  expect(named()).toEqual([['a']])
})

test('records the callbacks that arrive at the same time or during a call together, at most 50', async () => {
  const record = createRecorder(db)
  const names = Array.from({ length: 63 }, (_one, n) => `n${n}`)
  const first = names.slice(0, 2).map((name) => record({ name }))
  const call = await nextCall(1)
  const others = names.slice(2).map((name) => record({ name }))
  call.end()
  ;(await nextCall(2)).end()
  ;(await nextCall(3)).end()
  expect(await Promise.all([...first, ...others])).toEqual(names.map(answer))
  expect(named()).toEqual([names.slice(0, 2), names.slice(2, 52), names.slice(52)])
})

test('records what SQL left out alone, and answers the others before that', async () => {
  const record = createRecorder(db)
  leftOut = ['b']
  const [a, b, c] = [record({ name: 'a' }), record({ name: 'b' }), record({ name: 'c' })]
  ;(await nextCall(1)).end()
  expect(await Promise.all([a, c])).toEqual([answer('a'), answer('c')])
  const alone = await nextCall(2)
  expect(named()).toEqual([['a', 'b', 'c'], 'b'])
  alone.end()
  expect(await b).toEqual(answer('b'))
})

test('one callback that fails harms no other callback of its call', async () => {
  const record = createRecorder(db)
  const recorded = Promise.allSettled(['a', 'b'].map((name) => record({ name })))
  ;(await nextCall(1)).fail()
  await nextCall(3)
  expect(named().slice(1)).toEqual(['a', 'b'])
  calls[1]?.fail()
  calls[2]?.end()
  expect((await recorded).map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
})

test('a call that does not end keeps no other callback waiting', async () => {
  const record = createRecorder(db)
  const hanging = record({ name: 'a' })
  await nextCall(1)
  const others = Promise.all([record({ name: 'b' }), record({ name: 'c' })])
  ;(await nextCall(2)).end()
  expect(await others).toEqual([answer('b'), answer('c')])
  calls[0]?.end()
  await hanging
})
