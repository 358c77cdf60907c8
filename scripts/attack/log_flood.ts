import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { judge, type Target, type Verdict } from './target.ts'

/** Sends 200 requests that are refused. The logs must not grow with them. */
export async function attackLogs(target: Target): Promise<Verdict> {
  const size = () => {
    const folder = join(target.home, 'logs')
    return readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0) / 1000
  }
  const deep = `{"flow":${'['.repeat(5000)}${']'.repeat(5000)}}`
  const kinds = [
    { path: '/rpc/share_flow', body: deep },
    { path: '/rpc/share_flow', body: { flow: { name: 1 } } },
    { path: '/flows?select=nothing', body: undefined },
    { path: '/rpc/missing', body: {} },
  ]
  const before = size()
  for (let round = 0; round < 10; round++) {
    await Promise.all(
      Array.from({ length: 20 }, (_, number) => {
        const { path, body } = kinds[number % kinds.length] ?? { path: '/', body: undefined }
        return target.ask(path, { address: `198.51.100.${number}`, body, throughGateway: true })
      }),
    )
  }
  // Postgres and PostgREST write their lines soon after.
  await sleep(200)
  return judge({
    name: '200 refused anonymous requests: growth of all logs',
    figure: size() - before,
    unit: 'KB',
    bound: 20,
    before: { figure: 221, on: '2026-11-27' },
  })
}
