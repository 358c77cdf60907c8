import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { S3Client } from '@aws-sdk/client-s3'
import { createClient } from '@supabase/supabase-js'
import { readArguments } from './commands/read_arguments.ts'
import { createDramaFiles } from './dramas/drama_files.ts'
import { importDramas } from './dramas/import_dramas.ts'
import { createProgress } from './dramas/progress.ts'
import { Misuse, Outage } from './dramas/retry.ts'
import { createSavedDramas } from './dramas/saved_dramas.ts'
import { homeFolder, readEnv } from './local/home.ts'

const { options, refuse } = readArguments('dramas:import', {
  about:
    'Reads each <prefix><id>/drama.json and saves it as a drama of the owner. Skips dramas that the owner already has (by the id in\n' +
    'the store), so a repeated command continues where the last one stopped. Images and videos are not copied.',
  options: {
    bucket: { type: 'string', value: 'name', about: 'the bucket; required' },
    prefix: { type: 'string', value: 'folder', default: 'dramas/', about: 'the folder of the dramas' },
    owner: { type: 'string', value: 'user id', about: 'the user who will own the dramas; required' },
    'dry-run': { type: 'boolean', about: 'reads and converts all files, and saves nothing' },
    report: {
      type: 'string',
      value: 'file',
      default: 'dramas_import_report.jsonl',
      about: 'the list of refused files, one JSON object per line',
    },
    concurrency: { type: 'number', default: 4, max: 50, about: 'files at a time' },
  },
  environment: [
    'S3_ENDPOINT',
    'S3_REGION',
    'S3_ACCESS_KEY_ID',
    'S3_SECRET_ACCESS_KEY',
    'SUPABASE_URL',
    'SUPABASE_SERVICE_ROLE_KEY',
    'PLINTH_HOME',
  ],
  example: 'dramas:import -- --bucket films --prefix dramas/ --owner 4a1d7c52-… --dry-run',
})
const bucket = options.bucket ?? refuse('--bucket is missing: the name of the bucket to read.')
const owner = options.owner ?? refuse('--owner is missing: the id of the user who will own the dramas.')
if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(owner)) refuse('--owner must be a UUID.')
const prefix = options.prefix === '' || options.prefix.endsWith('/') ? options.prefix : `${options.prefix}/`
const isDry = options['dry-run']

const local = readEnv(homeFolder()) ?? {}
const variables = {
  S3_ENDPOINT: process.env['S3_ENDPOINT'] || local['S3_ENDPOINT'],
  S3_REGION: process.env['S3_REGION'] || local['S3_REGION'] || 'auto',
  S3_ACCESS_KEY_ID: process.env['S3_ACCESS_KEY_ID'] || local['S3_ACCESS_KEY_ID'],
  S3_SECRET_ACCESS_KEY: process.env['S3_SECRET_ACCESS_KEY'] || local['S3_SECRET_ACCESS_KEY'],
  SUPABASE_URL: process.env['SUPABASE_URL'] || local['SUPABASE_URL'],
  SUPABASE_SERVICE_ROLE_KEY: process.env['SUPABASE_SERVICE_ROLE_KEY'] || local['SUPABASE_SERVICE_ROLE_KEY'],
}
const env = (name: keyof typeof variables) => variables[name] ?? refuse(`${name} is missing.`)
/** The time for an answer of the store or of the API. */
const answerMs = 30_000
const store = new S3Client({
  endpoint: env('S3_ENDPOINT'),
  region: env('S3_REGION'),
  credentials: { accessKeyId: env('S3_ACCESS_KEY_ID'), secretAccessKey: env('S3_SECRET_ACCESS_KEY') },
  forcePathStyle: true,
  requestChecksumCalculation: 'WHEN_REQUIRED',
  responseChecksumValidation: 'WHEN_REQUIRED',
  maxAttempts: 1,
  requestHandler: { connectionTimeout: 5000, socketTimeout: answerMs },
})
const supabase = createClient(env('SUPABASE_URL'), env('SUPABASE_SERVICE_ROLE_KEY'), {
  auth: { persistSession: false, autoRefreshToken: false },
  // The attempts are made in retry.ts.
  db: { retry: false },
  global: { fetch: (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(answerMs) }) },
})
const saved = createSavedDramas(supabase, owner)
await saved.requireOwner().catch((error: Error) => {
  if (error instanceof Misuse) refuse(error.message)
  console.error(error.message)
  process.exit(1)
})
const report = createWriteStream(options.report, { flags: 'w' })
await once(report, 'open').catch((error: Error) => refuse(`--report cannot be written: ${error.message}.`))

const counts = { found: 0, imported: 0, already: 0, refused: 0 }
const showProgress = createProgress(counts)
const reasons = new Map<string, number>()
try {
  const files = createDramaFiles(store, bucket, prefix)
  const { concurrency } = options
  await importDramas({ files, saved, owner, concurrency, isDry, report, counts, reasons, showProgress })
} catch (error) {
  if (error instanceof Misuse) refuse(error.message)
  showProgress(true)
  console.error(`\n${error instanceof Outage ? error.message : (error as Error).stack}`)
  console.error('Imported dramas are kept. Repeat the command to continue.')
  process.exitCode = 1
} finally {
  await new Promise((resolve) => report.end(resolve))
}
showProgress(true)
console.log(
  `\n${isDry ? 'Would be imported' : 'Imported'}: ${counts.imported}. Already there: ${counts.already}. Refused: ${counts.refused}.` +
    ` Memory at most: ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB.`,
)
if (counts.found === 0 && process.exitCode === undefined) {
  console.error(`Bucket ${bucket} has no folder below ${prefix || 'its root'}.`)
  process.exitCode = 1
}
for (const [reason, times] of [...reasons].sort((a, b) => b[1] - a[1])) console.log(`  ${times} × ${reason}`)
if (counts.refused > 0) {
  console.log(`The refused files are listed in ${options.report}.`)
  process.exitCode = 1
}
