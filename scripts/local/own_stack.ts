import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readEnv } from './home.ts'

const root = resolve(import.meta.dirname, '../..')

/** A stack for one proof, in a process and a temporary home of its own. */
export type OwnStack = { env: Record<string, string>; home: string; stop(): Promise<void> }

/** Starts a stack that nobody else uses. Its Gemini and its Paymob are the stand-ins, which cost nothing. */
export async function startOwnStack(name: string): Promise<OwnStack> {
  const home = mkdtempSync(join(tmpdir(), `plinth-${name}-`))
  // Postgres of root runs as another user.
  chmodSync(home, 0o755)
  const { GEMINI_API_KEY: _gemini, PAYMOB_SECRET_KEY: _paymob, ...env } = process.env
  const child = spawn(process.execPath, [join(root, 'scripts/start.ts')], {
    cwd: root,
    env: { ...env, PLINTH_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data))
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    rmSync(home, { recursive: true, force: true })
  }
  try {
    for (const end = performance.now() + 60_000; performance.now() < end; await sleep(50)) {
      if (child.exitCode !== null) break
      const found = readEnv(home)
      if (found) return { env: found, home, stop }
    }
    throw new Error(`The stack did not start:\n${output}`)
  } catch (error) {
    await stop()
    throw error
  }
}
