import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../local/ports.ts'
import type { Child } from '../local/process.ts'
import { assetsUrl, spacesEnv, startService } from '../local/services.ts'

/** A real sidecar process. */
export type TestSidecar = {
  url: string
  child: Child
  /** The folder of its temporary files of uploads. */
  uploadFolder: string
  /** Uploads a file as browsers do. */
  upload(bytes: Buffer<ArrayBuffer>, name?: string, headers?: Record<string, string>): Promise<Response>
  log(): string
  /** How many files of uploads it has open. */
  openUploads(): number
  stop(): Promise<void>
}

/** Starts a sidecar on a database and an S3 server. Its objects are loaded at `publicStorePort`. */
export async function startTestSidecar(options: {
  databaseUrl: string
  storePort: number
  publicStorePort?: number
  env?: Record<string, string>
}): Promise<TestSidecar> {
  const home = mkdtempSync(join(tmpdir(), 'plinth-sidecar-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const env = {
    DATABASE_URL: options.databaseUrl,
    SIDECAR_PORT: String(port),
    SIDECAR_CORS_ORIGINS: 'https://app.example,https://other.example',
    ...spacesEnv(options.storePort),
    ASSETS_CDN_URL: assetsUrl(options.publicStorePort ?? options.storePort),
    TMPDIR: home,
    ...options.env,
  }
  const child = await startService(home, 'sidecar', env, `${url}/api/health`)
  return {
    url,
    child,
    uploadFolder: home,
    upload: (bytes, name = 'file.gif', headers = {}) => {
      const body = new FormData()
      body.append('file', new Blob([bytes]), name)
      return fetch(`${url}/api/assets`, { method: 'POST', body, headers })
    },
    log: () => readFileSync(child.log, 'utf8'),
    openUploads: () => {
      const folder = `/proc/${child.pid}/fd`
      const targets = readdirSync(folder).map((fd) => {
        try {
          return readlinkSync(join(folder, fd))
        } catch {
          return ''
        }
      })
      return targets.filter((target) => target.includes('plinth-upload-')).length
    },
    stop: async () => {
      await child.stop('SIGTERM', 5000)
      rmSync(home, { recursive: true, force: true })
    },
  }
}

const gifHead = Buffer.from('GIF89a\x01\0\x01\0\0\0\0;', 'latin1')

/** Makes unique bytes that begin with a GIF of one pixel. */
export function someGif(size = 1000): Buffer<ArrayBuffer> {
  return Buffer.concat([gifHead, randomBytes(size)]).subarray(0, size)
}

/** Returns the SHA-256 in hex. */
export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
