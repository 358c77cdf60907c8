import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

test('shifts every reading of the clock in a process and its threads, and nothing else', async () => {
  const home = mkdtempSync(join(tmpdir(), 'plinth-clock-'))
  const file = join(home, 'read.mjs')
  writeFileSync(
    file,
    `import { isMainThread, parentPort, Worker } from 'node:worker_threads'
    const times = [Date.now(), +new Date(), Date.parse(Date()), +new (class extends Date {})()]
    const facts = [+new Date(7), Date.UTC(1970), new Date() instanceof Date]
    if (!isMainThread) parentPort.postMessage(times)
    else new Worker(import.meta.filename).once('message', (there) => console.log(JSON.stringify([...times, ...there, facts])))`,
  )
  try {
    const clock = join(import.meta.dirname, 'shifted_clock.ts')
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', clock, file], {
      env: { PLINTH_TEST_CLOCK_SHIFT_MS: '7200000' },
    })
    const read: unknown[] = JSON.parse(stdout)
    expect(read.pop()).toEqual([7, 0, true])
    expect(read).toHaveLength(8)
    for (const ms of read) expect(Math.abs(Number(ms) - Date.now() - 7_200_000)).toBeLessThan(60_000)
  } finally {
    rmSync(home, { recursive: true })
  }
})
