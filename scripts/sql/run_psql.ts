import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Session } from './session.ts'

/** Finds psql on the PATH. */
export function findPsql(): string | undefined {
  const paths = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'psql'))
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Runs psql on this terminal, for one command or as a prompt, and returns its exit code. */
export async function runPsql(psql: string, session: Session, command: string | undefined): Promise<number> {
  // In a prompt, psql runs what stands between %` and `.
  const prompt = `${session.name.replaceAll('%', '%%')}%R%# `
  const args = command === undefined ? ['--set', `PROMPT1=${prompt}`] : ['--no-psqlrc', '--command', command]
  const child = spawn(psql, args, {
    stdio: 'inherit',
    env: {
      ...process.env,
      // In the environment, because other users can read command lines.
      PGHOST: session.host,
      PGPORT: String(session.port),
      PGUSER: session.user,
      PGPASSWORD: session.password,
      PGDATABASE: session.database,
      PGOPTIONS: session.options,
    },
  })
  // psql handles Ctrl-C: it cancels a query.
  const ignore = () => {}
  process.on('SIGINT', ignore)
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code) => resolve(code ?? 1))
    })
  } finally {
    process.off('SIGINT', ignore)
  }
}
