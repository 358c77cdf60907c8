import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { createClaimsTable, readClaims, readTicks } from './claims_table.ts'

test('shows each claim with its state and its progress, until it is removed', () => {
  const table = createClaimsTable(['x', 'y'], 4)
  table.add({ id: 2 ** 40, fence: 2 ** 50 + 1, type: 'y' })
  table.add({ id: 2, fence: 12, type: 'unknown' })
  table.report(12, 0.12345)
  expect(readClaims(table.memory)).toEqual([
    { id: 2 ** 40, fence: 2 ** 50 + 1, type: 1, state: 'waiting', progress: 0 },
    { id: 2, fence: 12, type: -1, state: 'waiting', progress: 0.1235 },
  ])
  table.begin(12)
  expect(readClaims(table.memory)[1]?.state).toBe('begun')
  table.end(12)
  expect(readClaims(table.memory)[1]?.state).toBe('ended')
  table.remove(12)
  table.remove(12)
  table.begin(12)
  expect(readClaims(table.memory).map(({ id }) => id)).toEqual([2 ** 40])
})

test('has room for as many claims as it has rows, and uses each row again, without what was there', () => {
  const table = createClaimsTable(['x'], 2)
  table.add({ id: 1, fence: 1, type: 'x' })
  table.begin(1)
  table.report(1, 0.5)
  table.add({ id: 2, fence: 2, type: 'x' })
  expect(table.room).toBe(0)
  expect(() => table.add({ id: 3, fence: 3, type: 'x' })).toThrow('The table of claims is full: 2 claims.')
  table.remove(1)
  expect(table.room).toBe(1)
  table.add({ id: 3, fence: 3, type: 'x' })
  expect(readClaims(table.memory)).toContainEqual({ id: 3, fence: 3, type: 0, state: 'waiting', progress: 0 })
})

test('counts the ticks', () => {
  const table = createClaimsTable([], 1)
  expect(readTicks(table.memory)).toBe(0)
  table.tick()
  table.tick()
  expect(readTicks(table.memory)).toBe(2)
})

test('another thread never reads a row of two claims', async () => {
  const table = createClaimsTable(['x'], 2)
  const reads = new SharedArrayBuffer(4)
  const reader = new Worker(
    `
      const { parentPort, workerData } = require('node:worker_threads')
      import(workerData.module).then(({ readClaims, readTicks }) => {
        const counts = { read: 0, torn: 0 }
        const reads = new Int32Array(workerData.reads)
        parentPort.postMessage('ready')
        while (readTicks(workerData.memory) === 0) {
          for (const { id, fence } of readClaims(workerData.memory)) {
            counts.read += 1
            if (id !== fence) counts.torn += 1
          }
          Atomics.store(reads, 0, counts.read)
        }
        parentPort.postMessage(counts)
      })
    `,
    {
      eval: true,
      workerData: { memory: table.memory, reads, module: new URL('./claims_table.ts', import.meta.url).href },
    },
  )
  await once(reader, 'message')
  const counted = once(reader, 'message')
  // On a busy machine the reader may get no turn for some time.
  const isEnough = () => Atomics.load(new Int32Array(reads), 0) > 100
  for (let n = 1, end = performance.now() + 300; performance.now() < end || !isEnough(); n++) {
    table.add({ id: n, fence: n, type: 'x' })
    table.add({ id: -n, fence: -n, type: 'x' })
    table.remove(n)
    table.remove(-n)
  }
  table.tick()
  const [{ read, torn }] = (await counted) as [{ read: number; torn: number }]
  await reader.terminate()
  expect(read).toBeGreaterThan(100)
  expect(torn).toBe(0)
})
