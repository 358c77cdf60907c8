import { expect, test, vi } from 'vitest'
import { Outage, retry } from './retry.ts'

test('makes no attempt after 20 s, because each attempt at a silent server waits long', async () => {
  let now = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
  const attempts: boolean[] = []
  try {
    await expect(
      retry('The store', async (isLast) => {
        attempts.push(isLast)
        now += 30_000
        throw new Error('no answer')
      }),
    ).rejects.toThrow(new Outage('The store does not answer: no answer'))
  } finally {
    clock.mockRestore()
  }
  expect(attempts).toEqual([false, true])
})
