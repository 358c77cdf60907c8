import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { freePort } from '../scripts/local/ports.ts'
import { startChild, systemEnv } from '../scripts/local/process.ts'
import { spacesEnv } from '../scripts/local/services.ts'
import { databaseUrl, prepareDatabase, startCluster } from '../scripts/testing/cluster.ts'

test('the sidecar answers at once, says 503 until Postgres is there, and survives its restart', async () => {
  const cluster = await startCluster()
  await prepareDatabase(cluster, 'plinth')
  await cluster.halt()
  const home = mkdtempSync(join(tmpdir(), 'plinth-sidecar-'))
  const port = await freePort()
  const sidecar = startChild(home, 'sidecar', process.execPath, [join(import.meta.dirname, 'main.ts')], {
    env: {
      ...systemEnv(),
      DATABASE_URL: databaseUrl(cluster, 'plinth', 'sidecar'),
      SIDECAR_PORT: String(port),
      // No store listens on this port, because the test needs none.
      ...spacesEnv(1),
    },
  })
  try {
    const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
    const until = async (status: number) => {
      for (let n = 0; n < 1200; n++) {
        if (
          (await get('/api/health').then(
            (response) => response.status,
            () => 0,
          )) === status
        )
          return
        await sleep(50)
      }
      throw new Error(`The sidecar never said ${status}.`)
    }
    await until(503)
    await cluster.resume()
    await until(200)
    expect(await (await get('/api/health')).json()).toEqual({ status: 'ok' })
    await cluster.halt()
    await until(503)
    expect(await (await get('/api/health')).json()).toMatchObject({ status: 'unavailable' })
    await cluster.resume()
    await until(200)

    const unknown = await get('/api/nothing')
    expect(unknown.status).toBe(404)
    expect(await unknown.json()).toMatchObject({
      details: 'route_not_found',
      message: expect.any(String),
      hint: expect.any(String),
    })

    process.kill(sidecar.pid, 'SIGTERM')
    expect(await sidecar.exited).toBe('exit code 0')
  } finally {
    await sidecar.stop('SIGTERM', 5000)
    await cluster.stop()
    rmSync(home, { recursive: true, force: true })
  }
})
