import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import type { Db } from '../shared/db.ts'
import { createClaimsTable } from './claims_table.ts'
import { createStallCount, endStalledProcess, returnWaiting } from './stall.ts'

test('counts how often in a row the main thread had not ticked', () => {
  const table = createClaimsTable([], 1)
  table.tick()
  const { look } = createStallCount(table.memory)
  expect([look(), look(), look()]).toEqual([1, 2, 3])
  table.tick()
  expect(look()).toBe(0)
  table.tick()
  table.tick()
  expect([look(), look()]).toEqual([0, 1])
})

/** A stalled process with a claim in each state. */
function stall(call: Db['call']) {
  const table = createClaimsTable(['compute', 'nap'], 8)
  const claims = [
    { id: 1, type: 'compute' },
    { id: 2, type: 'nap' },
    { id: 3, type: 'nap' },
    { id: 4, type: 'nap' },
    { id: 5, type: 'compute' },
  ]
  for (const claim of claims) table.add({ ...claim, fence: claim.id + 10 })
  for (const fence of [11, 12, 13, 14]) table.begin(fence)
  table.end(14)
  const lines: Record<string, unknown>[] = []
  const kill = vi.fn()
  const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const options = {
    db: { call },
    logger,
    workerId: 'w',
    types: ['compute', 'nap'],
    memory: table.memory,
    seconds: 60,
    kill,
  }
  return { options, kill, lines }
}
/** Ends a stalled process. */
function end(call: Db['call']) {
  const { options, ...more } = stall(call)
  return { ...more, ended: endStalledProcess(options) }
}

test('returns the steps that wait, and names the types of the steps that run', async () => {
  const calls: [string, Record<string, unknown> | undefined][] = []
  const { options, kill, lines } = stall(async (name, args) => {
    calls.push([name, args])
    return []
  })
  await returnWaiting(options)
  const results = JSON.stringify([{ id: 5, fence: 15, outcome: 'returned' }])
  expect(calls).toEqual([
    ['worker.exchange_work', { worker_id: 'w', results, want: 0, types: ['compute', 'nap'], wait_ms: 50 }],
  ])
  expect(lines).toMatchObject([
    { level: 40, seconds: 60, types: { compute: 1, nap: 2 }, steps: [1, 2, 3], returned: 1 },
  ])
  expect(kill).not.toHaveBeenCalled()
})

test('logs that the steps that wait could not be returned', async () => {
  const { options, lines } = stall(async () => {
    throw new Error('away')
  })
  await returnWaiting(options)
  expect(lines[1]).toMatchObject({ reason: 'away', msg: 'The waiting steps could not be returned' })
})

test('hands begun steps in as lost and all others as returned, removes the worker, and ends the process', async () => {
  const calls: [string, Record<string, unknown> | undefined][] = []
  const { ended, kill, lines } = end(async (name, args) => {
    calls.push([name, args])
    return []
  })
  expect(kill).not.toHaveBeenCalled()
  await ended
  expect(kill).toHaveBeenCalledOnce()
  const [[, args] = [], leave] = calls
  expect(calls[0]?.[0]).toBe('worker.exchange_work')
  expect(args).toMatchObject({ worker_id: 'w', want: 0, types: ['compute', 'nap'] })
  expect(JSON.parse(String(args?.['results']))).toEqual([
    ...[1, 2, 3].map((id) => ({
      ...{ id, fence: id + 10, outcome: 'lost' },
      error: {
        slug: 'worker_stalled',
        message:
          'This step or another step blocked the worker process for 60 seconds. ' +
          'After such a loss, a step runs alone in its process.',
      },
    })),
    ...[4, 5].map((id) => ({ id, fence: id + 10, outcome: 'returned' })),
  ])
  expect(leave).toEqual(['worker.leave', { worker_id: 'w' }])
  expect(lines).toMatchObject([
    { event: 'event_loop_stalled', seconds: 60, types: { compute: 1, nap: 2 }, steps: [1, 2, 3] },
  ])
})

test('ends the process also if the database refuses the results', async () => {
  const { ended, kill, lines } = end(async () => {
    throw new Error('away')
  })
  await ended
  expect(kill).toHaveBeenCalledOnce()
  expect(lines[1]).toMatchObject({ reason: 'away' })
})

test('ends the process also if the database does not answer', async () => {
  vi.useFakeTimers()
  const { ended, kill, lines } = end(() => new Promise(() => {}))
  await vi.advanceTimersByTimeAsync(5000)
  await ended
  vi.useRealTimers()
  expect(kill).toHaveBeenCalledOnce()
  expect(lines[1]).toMatchObject({ reason: 'The database did not answer.' })
})
