import { expect, test } from 'vitest'
import { createByteRoom } from './byte_room.ts'

const never = new AbortController().signal

/** Starts calls of these sizes, and returns the names of those that run. */
function start(room: ReturnType<typeof createByteRoom>, sizes: Record<string, number>, signal = never) {
  const running = new Set<string>()
  const ends: Record<string, () => void> = {}
  const results = Object.entries(sizes).map(([name, bytes]) =>
    room.use(bytes, signal, async () => {
      running.add(name)
      await new Promise<void>((resolve) => {
        ends[name] = resolve
      })
      running.delete(name)
    }),
  )
  return { running, ends, results }
}
const turns = () => new Promise((resolve) => setImmediate(resolve))

test('calls wait for room in their order', async () => {
  const { running, ends, results } = start(createByteRoom(10), { a: 6, b: 6, c: 1, d: 20 })
  await turns()
  expect([...running]).toEqual(['a'])
  ends['a']?.()
  await turns()
  expect([...running]).toEqual(['b', 'c'])
  ends['b']?.()
  await turns()
  expect([...running]).toEqual(['c'])
  ends['c']?.()
  await turns()
  expect([...running]).toEqual(['d'])
  ends['d']?.()
  await Promise.all(results)
})

test('a call that is aborted while it waits leaves its place, and a failed one its room', async () => {
  const room = createByteRoom(10)
  const first = start(room, { a: 10 })
  const controller = new AbortController()
  const second = start(room, { b: 10 }, controller.signal)
  const third = start(room, { c: 10 })
  await turns()
  controller.abort(new Error('The step was cancelled.'))
  await expect(second.results[0]).rejects.toThrow('The step was cancelled.')
  first.ends['a']?.()
  await turns()
  expect([...third.running]).toEqual(['c'])
  third.ends['c']?.()
  await expect(room.use(10, never, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
  expect(await room.use(10, never, async () => 'room again')).toBe('room again')
  await expect(room.use(1, AbortSignal.abort(new Error('late')), async () => 1)).rejects.toThrow('late')
})
