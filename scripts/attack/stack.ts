import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { readEnv } from '../local/home.ts'
import { openTarget, type Target, until } from './target.ts'

const root = resolve(import.meta.dirname, '../..')

/** A stack of its own, in a process of its own, so that attacks do not slow down its gateway. */
export async function startTarget(): Promise<{ target: Target; stop(): Promise<void> }> {
  const home = mkdtempSync(join(tmpdir(), 'plinth-attack-'))
  chmodSync(home, 0o755)
  // Without a key of Gemini, which would cost money.
  const { GEMINI_API_KEY: _key, ...env } = process.env
  const child = spawn(process.execPath, [join(root, 'scripts/start.ts')], {
    cwd: root,
    env: { ...env, PLINTH_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data))
  let target: Target | undefined
  const stop = async () => {
    await target?.close()
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    rmSync(home, { recursive: true, force: true })
  }
  try {
    const found = await until('the stack is ready', 60, async () => {
      if (child.exitCode !== null) throw new Error(`The stack did not start:\n${output}`)
      return readEnv(home)
    })
    target = await openTarget(found, home)
    return { target, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
