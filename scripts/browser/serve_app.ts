import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createViteServer } from 'vitest/node'

/** Serves the app of {@link file://./app} as front-end developers do: by Vite, from an origin of its own. */
export async function serveApp(variables: Record<string, string>): Promise<{ url: string; close(): Promise<void> }> {
  const cacheDir = mkdtempSync(join(tmpdir(), 'plinth-vite-'))
  const define = Object.entries(variables).map(([name, value]) => [`import.meta.env.${name}`, JSON.stringify(value)])
  const server = createServer()
  const vite = await createViteServer({
    root: join(import.meta.dirname, 'app'),
    configFile: false,
    envFile: false,
    cacheDir,
    logLevel: 'error',
    define: Object.fromEntries(define),
    // The bundle is made before the first page, because Vite would load the page again when it is ready.
    optimizeDeps: { include: ['@supabase/supabase-js'] },
    // Without a server of Vite's own, which would end this process at SIGTERM before the stack has stopped.
    server: { middlewareMode: true, hmr: { server }, watch: null },
  })
  server.on('request', vite.middlewares).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    // Another site than the API's 127.0.0.1.
    url: `http://localhost:${(server.address() as AddressInfo).port}/`,
    close: async () => {
      server.close()
      server.closeAllConnections()
      await vite.close()
      rmSync(cacheDir, { recursive: true, force: true })
    },
  }
}
