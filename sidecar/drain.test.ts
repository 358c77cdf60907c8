import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { drain } from './drain.ts'

describe('drain', () => {
  test('ends with the request', async () => {
    const source = new PassThrough()
    const drained = drain(source)
    source.write('rest')
    source.end()
    await drained
    expect(source.readableEnded).toBe(true)
  })

  test('reads no more after its bytes, and returns about a second later', async () => {
    const source = new PassThrough({ highWaterMark: 100 })
    let isDrained = false
    const drained = drain(source, { bytes: 1000, ms: 60_000 }).then(() => {
      isDrained = true
    })
    source.write(Buffer.alloc(1000))
    await sleep(20)
    expect(source.isPaused()).toBe(false)
    source.write(Buffer.alloc(1))
    await sleep(20)
    expect([source.isPaused(), isDrained]).toEqual([true, false])
    // The client cannot send now.
    source.write(Buffer.alloc(1000))
    expect(source.write(Buffer.alloc(1))).toBe(false)
    await drained
    expect(source.listenerCount('data')).toBe(0)
  })

  test('ends after its time, although the request sends nothing', async () => {
    await drain(new PassThrough(), { bytes: 1000, ms: 500 })
  })

  test('does not count the time of a pause of the process', async () => {
    const source = new PassThrough()
    let isDrained = false
    void drain(source, { bytes: 1000, ms: 1500 }).then(() => {
      isDrained = true
    })
    // Blocks the event loop for longer than the limit.
    for (const end = Date.now() + 1700; Date.now() < end; );
    await sleep(50)
    expect(isDrained).toBe(false)
    source.destroy()
  })
})
