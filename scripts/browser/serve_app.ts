import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createViteServer } from 'vitest/node'
import { freePort } from '../local/ports.ts'

/** Serves the app of {@link file://./app} as front-end developers do: by Vite, from an origin of its own. */
export async function serveApp(variables: Record<string, string>): Promise<{ url: string; close(): Promise<void> }> {
  const cacheDir = mkdtempSync(join(tmpdir(), 'plinth-vite-'))
  const define = Object.entries(variables).map(([name, value]) => [`import.meta.env.${name}`, JSON.stringify(value)])
  const server = await createViteServer({
    root: join(import.meta.dirname, 'app'),
    configFile: false,
    envFile: false,
    cacheDir,
    logLevel: 'error',
    define: Object.fromEntries(define),
    // The bundle is made before the first page, because Vite would load the page again when it is ready.
    optimizeDeps: { include: ['@supabase/supabase-js'] },
    server: { host: '127.0.0.1', port: await freePort(), strictPort: true, hmr: false, watch: null },
  })
  await server.listen()
  return {
    // Another site than the API's 127.0.0.1.
    url: `http://localhost:${server.config.server.port}/`,
    close: async () => {
      await server.close()
      rmSync(cacheDir, { recursive: true, force: true })
    },
  }
}
