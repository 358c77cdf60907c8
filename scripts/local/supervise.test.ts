import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isRunning, startChild } from './process.ts'
import { type Supervised, supervise } from './supervise.ts'

let home: string
let service: Supervised
const said: string[] = []
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'plinth-supervise-'))
  said.length = 0
})
afterEach(async () => {
  await service.stop('SIGKILL', 0)
  rmSync(home, { recursive: true, force: true })
})

/** Supervises a shell that runs this script. */
function open(script: string, pauses: { firstPauseMs: number; longestPauseMs?: number; healthyMs?: number }): void {
  const start = () => startChild(home, 'service', '/bin/sh', ['-c', script], {})
  service = supervise(start(), start, { say: (line) => void said.push(line), ...pauses })
}
const pauses = () => said.map((line) => Number(line.match(/starts again in ([\d.]+) s/)?.[1]))

test('a process that ends again and again starts after pauses that double up to a limit, and its log says so', async () => {
  open('echo started; exit 3', { firstPauseMs: 20, longestPauseMs: 80 })
  await expect.poll(() => said.length).toBeGreaterThan(4)
  expect(pauses().slice(0, 5)).toEqual([0.02, 0.04, 0.08, 0.08, 0.08])
  expect(said[0]).toBe(`service has ended (exit code 3) and starts again in 0.02 s; its log: ${service.log}`)
  const [first, second] = readFileSync(service.log, 'utf8').split('\n')
  expect(first).toBe('started')
  expect(JSON.parse(second ?? '')).toMatchObject({ level: 'warn', service: 'service', how: 'exit code 3' })
})

test('the pause is short again after a process was healthy', async () => {
  open('sleep 0.3; exit 3', { firstPauseMs: 10, longestPauseMs: 1000, healthyMs: 200 })
  await expect.poll(() => said.length).toBeGreaterThan(2)
  expect(pauses().slice(0, 3)).toEqual([0.01, 0.01, 0.01])
})

test('a restart ends the pause; a stop starts nothing', async () => {
  open('sleep 60', { firstPauseMs: 60_000 })
  const first = service.pid
  process.kill(first, 'SIGKILL')
  await expect.poll(() => said.length).toBe(1)
  await service.restart()
  await expect.poll(() => service.pid).not.toBe(first)
  const second = service.pid
  await service.restart()
  await expect.poll(() => service.pid).not.toBe(second)
  expect([isRunning(second), isRunning(service.pid), said.length]).toEqual([false, true, 1])
  await service.stop('SIGTERM', 60_000)
  expect(await service.exited).toBe('SIGTERM')
  expect(isRunning(service.pid)).toBe(false)
})

test('a start that fails, and a log that cannot be written, do not end the supervisor', async () => {
  let starts = 0
  const start = () => {
    starts += 1
    if (starts === 2 || starts === 3) throw new Error('spawn EAGAIN')
    return startChild(home, 'service', '/bin/sh', ['-c', 'sleep 60'], {})
  }
  service = supervise(start(), start, { say: (line) => void said.push(line), firstPauseMs: 20 })
  const first = service.pid
  rmSync(home, { recursive: true })
  process.kill(first, 'SIGKILL')
  await expect.poll(() => starts).toBe(4)
  expect([service.pid !== first, isRunning(service.pid), pauses()]).toEqual([true, true, [0.02, 0.04, 0.08]])
  expect(said[1]).toContain('service has ended (spawn EAGAIN) and starts again')
})

test('a stop during a pause ends the pause', async () => {
  open('exit 3', { firstPauseMs: 60_000 })
  await expect.poll(() => said.length).toBe(1)
  await service.stop('SIGTERM', 60_000)
  expect(await service.exited).toBe('exit code 3')
})
