import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import type { JWK } from 'jose'
import { makeKeySecrets } from './keys.ts'
import { isClaimed, unusableHome } from './process.ts'

/** Secrets of a local stack: generated at its first start, stored in `secrets.json` of its home, readable by the owner only. */
export type Secrets = {
  jwtSecret: string
  adminPassword: string
  postgresPassword: string
  authenticatorPassword: string
  workerPassword: string
  sidecarPassword: string
  authAdminPassword: string
  storageAdminPassword: string
  realtimeAdminPassword: string
  /** A private ES256 key. */
  signingKey: JWK
  publishableKey: string
  secretKey: string
  /** The `iat` of the JWT keys, which therefore stay the same. */
  keysIssuedAt: number
  /** The key of the local Storage's S3 API. */
  storageAccessKeyId: string
  storageSecretAccessKey: string
}

/** Makes all secrets. */
function makeSecrets(): Secrets {
  return {
    ...makeKeySecrets(randomSecret()),
    adminPassword: randomSecret(),
    postgresPassword: randomSecret(),
    authenticatorPassword: randomSecret(),
    workerPassword: randomSecret(),
    sidecarPassword: randomSecret(),
    authAdminPassword: randomSecret(),
    storageAdminPassword: randomSecret(),
    realtimeAdminPassword: randomSecret(),
    storageAccessKeyId: randomBytes(16).toString('hex'),
    storageSecretAccessKey: randomBytes(32).toString('hex'),
  }
}

function randomSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** The folder in which a local stack lives: `PLINTH_HOME`, or `.local` in the project. */
export function homeFolder(): string {
  return resolve(process.env['PLINTH_HOME'] || join(import.meta.dirname, '../../.local'))
}

/**
 * Creates a folder that other users of this machine cannot enter, or closes one of an earlier start; `group` may pass through
 * it. A folder of another user, or one in which everybody may write, such as /tmp, stays as it is.
 */
export function closeFolder(folder: string, group?: number): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const { mode, uid } = statSync(folder)
  if (uid !== process.getuid?.() || (mode & 0o1000) !== 0) return
  if (group !== undefined) chownSync(folder, uid, group)
  chmodSync(folder, group === undefined ? 0o700 : 0o710)
}

/** Creates the home and its secrets, or reads those of an earlier start. Makes the secrets that an older home lacks. */
export function openHome(home: string): Secrets {
  try {
    for (const folder of ['', 'logs', 'objects', 'run']) closeFolder(join(home, folder))
    const path = join(home, 'secrets.json')
    const known = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Partial<Secrets>) : {}
    const secrets: Secrets = { ...makeSecrets(), ...known }
    if (Object.keys(secrets).some((name) => !(name in known))) {
      writeWhole(path, `${JSON.stringify(secrets, null, 2)}\n`)
    }
    chmodSync(path, 0o600)
    return secrets
  } catch (cause) {
    throw unusableHome(home, cause)
  }
}

/** The ports of a stack, each by its part. */
export type StackPorts = {
  gateway: number
  postgres: number
  postgrest: number
  postgrestAdmin: number
  sidecar: number
  worker: number
  s3: number
  auth: number
  storage: number
  realtime: number
  gemini: number
  paymob: number
}

/** Returns the ports of the last start. A home of an earlier release has only that of the S3 server. */
export function readPorts(home: string): Partial<StackPorts> {
  const path = join(home, 'ports.json')
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Partial<StackPorts>) : {}
}

/** Keeps the ports of this start, so that the next start uses them again. */
export function writePorts(home: string, ports: Partial<StackPorts>): void {
  writeWhole(join(home, 'ports.json'), `${JSON.stringify(ports)}\n`)
}

/** Writes `env`, which tells clients and tests where the stack is. The file exists only while the stack runs. */
export function writeEnv(home: string, env: Record<string, string>): void {
  const lines = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  writeWhole(join(home, 'env'), `${lines.join('\n')}\n`)
}

/** Writes a file as a whole: no reader sees half of it, also after a crash. */
function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600, flush: true })
  renameSync(`${path}.new`, path)
}

/** Removes the file at the end of the stack, so that no command uses a stack that is gone. */
export function removeEnv(home: string): void {
  rmSync(join(home, 'env'), { force: true })
}

/** Reads the `env` of the stack that runs in this home; undefined if none runs. */
export function readEnv(home: string): Record<string, string> | undefined {
  const path = join(home, 'env')
  if (!existsSync(path) || !isClaimed(home)) return undefined
  return parseEnv(readFileSync(path, 'utf8')) as Record<string, string>
}
