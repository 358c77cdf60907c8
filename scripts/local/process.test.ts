import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isRunning, startChild, stopStale } from './process.ts'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'plinth-process-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

/** Starts a shell that ignores SIGTERM and has a child; both print their pids. */
async function startStubborn() {
  const script = 'trap "" TERM; sleep 60 & echo "$$ $!"; wait'
  const child = startChild(home, 'stubborn', '/bin/sh', ['-c', script], {})
  await expect.poll(() => readFileSync(child.log, 'utf8')).toMatch(/^\d+ \d+\n$/)
  return { child, pids: readFileSync(child.log, 'utf8').split(' ').map(Number) }
}

test('a process that does not stop in time is killed, and so is every process that it started', async () => {
  const { child, pids } = await startStubborn()
  expect(pids.map(isRunning)).toEqual([true, true])
  await child.stop('SIGTERM', 100)
  expect(await child.exited).toBe('SIGKILL')
  await expect.poll(() => pids.map(isRunning)).toEqual([false, false])
})

test('a process of an earlier run is stopped once', async () => {
  const { pids } = await startStubborn()
  expect(await stopStale(home)).toEqual([`stubborn (pid ${pids[0]})`])
  await expect.poll(() => pids.map(isRunning)).toEqual([false, false])
  expect(await stopStale(home)).toEqual([])
})

/** Runs a shell script with a filter that marks the lines of its output. */
async function runFiltered(script: string) {
  const filterLog = (write: (text: string) => void) => {
    let text = ''
    return {
      take: (piece: string) => {
        text += piece
      },
      end: () => write(`${text}.`),
    }
  }
  const child = startChild(home, 'filtered', '/bin/sh', ['-c', script], { filterLog })
  return { child, how: await child.exited }
}

test('stdout and stderr are filtered apart, so that their lines do not mix', async () => {
  const { child } = await runFiltered('printf a; sleep 0.1; printf c >&2; sleep 0.1; echo b; sleep 0.1; echo d >&2')
  expect(['ab\n.cd\n.', 'cd\n.ab\n.']).toContain(readFileSync(child.log, 'utf8'))
})

test('a full disk loses lines of a filtered log, and ends nothing', async () => {
  mkdirSync(join(home, 'logs'))
  symlinkSync('/dev/full', join(home, 'logs', 'filtered.log'))
  expect((await runFiltered('echo a; exit 3')).how).toBe('exit code 3')
})
