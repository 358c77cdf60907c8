import { execFile } from 'node:child_process'
import { join } from 'node:path'
import type { TextFile } from './files.ts'
import { count, type Outcome } from './outcome.ts'

/** A finding of squawk's json reporter; lines and columns count from 0. */
type Finding = { file: string; line: number; rule_name: string; message: string; help: string | null }

/** Runs squawk with .squawk.toml on the migrations. */
export async function checkMigrationsWithSquawk(root: string, files: TextFile[]): Promise<Outcome> {
  const program = join(root, 'node_modules/.bin/squawk')
  const args = ['--config', '.squawk.toml', '--reporter', 'json', ...files.map((file) => file.path)]
  const output = await new Promise<string>((resolve, reject) => {
    execFile(program, args, { cwd: root, timeout: 30_000 }, (error, stdout, stderr) => {
      if (stdout.startsWith('[')) resolve(stdout)
      else reject(new Error(`squawk did not run: ${stderr.trim() || error?.message}`, { cause: error }))
    })
  })
  return {
    said: count(files.length, 'migration'),
    problems: (JSON.parse(output) as Finding[]).map(({ file, line, rule_name, message, help }) =>
      `${file}:${line + 1}: ${rule_name}: ${message} ${help ?? ''}`.trimEnd(),
    ),
    remedy:
      'https://squawkhq.com/docs explains the rules; -- squawk-ignore <rule> above a statement exempts it, with the reason.',
  }
}
