import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { TimeoutError, within } from './within.ts'

const endless = () => new Promise<never>(() => {})

test('gives the result of the call', async () => {
  expect(await within(1000, undefined, async () => 7)).toBe(7)
})

test('throws what the call throws', async () => {
  const error = new Error('away')
  await expect(within(1000, undefined, () => Promise.reject(error))).rejects.toBe(error)
})

test('aborts the signal of the call when the time is over', async () => {
  let reason: unknown
  const call = (signal: AbortSignal) =>
    sleep(10_000, undefined, { signal }).catch((error) => {
      reason = signal.reason
      throw error
    })
  const failure = await within(20, undefined, call).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(TimeoutError)
  expect(failure).toMatchObject({ message: 'no answer within 0.02 s' })
  await expect.poll(() => reason).toMatchObject({ name: 'TimeoutError' })
})

test('waits no longer for a call that ignores its signal', async () => {
  await expect(within(20, undefined, endless)).rejects.toThrow(TimeoutError)
})

test('throws the reason of the given signal', async () => {
  const stopping = new AbortController()
  const reason = new Error('The worker is stopping.')
  setTimeout(() => stopping.abort(reason), 20)
  await expect(within(10_000, stopping.signal, endless)).rejects.toBe(reason)
  await expect(within(10_000, stopping.signal, () => expect.unreachable('it was called'))).rejects.toBe(reason)
})
