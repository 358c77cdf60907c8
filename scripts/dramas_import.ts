import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { GetObjectCommand, ListObjectsV2Command, S3Client, type S3ServiceException } from '@aws-sdk/client-s3'
import { createClient } from '@supabase/supabase-js'
import { parseExactly } from './dramas/exact_json.ts'
import { mapDrama } from './dramas/map_drama.ts'
import { homeFolder, readEnv } from './local/home.ts'

/**
 * `npm run dramas:import -- --bucket … --prefix dramas/ --owner …`: reads each `<prefix><id>/drama.json` from an S3-compatible store
 * and saves it as a drama of the owner. It skips dramas that the owner already has (by the id in the store), so a repeated command
 * continues where the last one stopped. Images and videos stay where they are.
 */
const usage = `Usage: npm run dramas:import -- --bucket <bucket> --prefix dramas/ --owner <user id>
  --dry-run            reads and converts all files, and saves nothing
  --report <file>      the list of refused files, one JSON object per line (dramas_import_report.jsonl)
  --concurrency <n>    files at a time (4)
S3_ENDPOINT, S3_REGION, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY name store and API; the
default is the running local stack.`

const options = readOptions()
/** The prefix of a folder may come without its slash. */
const prefix = options.prefix === '' || options.prefix.endsWith('/') ? options.prefix : `${options.prefix}/`
const local = readEnv(homeFolder()) ?? {}
const bucket = options.bucket ?? stop('--bucket is missing.')
const owner = options.owner ?? stop('--owner is missing: the id of the user who will own the dramas.')
if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(owner)) stop('--owner must be a UUID.')
const concurrency = Number(options.concurrency)
if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 50) stop('--concurrency must be 1 to 50.')
const isDry = options['dry-run']
const fileMaxBytes = 8 * 2 ** 20
const attemptsMax = 6
const levelsMax = 500

const variables = {
  S3_ENDPOINT: process.env['S3_ENDPOINT'] || local['S3_ENDPOINT'],
  S3_REGION: process.env['S3_REGION'] || local['S3_REGION'] || 'auto',
  S3_ACCESS_KEY_ID: process.env['S3_ACCESS_KEY_ID'] || local['S3_ACCESS_KEY_ID'],
  S3_SECRET_ACCESS_KEY: process.env['S3_SECRET_ACCESS_KEY'] || local['S3_SECRET_ACCESS_KEY'],
  SUPABASE_URL: process.env['SUPABASE_URL'] || local['SUPABASE_URL'],
  SUPABASE_SERVICE_ROLE_KEY: process.env['SUPABASE_SERVICE_ROLE_KEY'] || local['SUPABASE_SERVICE_ROLE_KEY'],
}
const env = (name: keyof typeof variables) => variables[name] ?? stop(`${name} is missing.`)
const store = new S3Client({
  endpoint: env('S3_ENDPOINT'),
  region: env('S3_REGION'),
  credentials: { accessKeyId: env('S3_ACCESS_KEY_ID'), secretAccessKey: env('S3_SECRET_ACCESS_KEY') },
  forcePathStyle: true,
  requestChecksumCalculation: 'WHEN_REQUIRED',
  responseChecksumValidation: 'WHEN_REQUIRED',
  requestHandler: { connectionTimeout: 5000, socketTimeout: 30_000 },
})
const supabase = createClient(env('SUPABASE_URL'), env('SUPABASE_SERVICE_ROLE_KEY'), {
  auth: { persistSession: false, autoRefreshToken: false },
})

/** A fault of one file; the import continues with the next file. */
class Refusal extends Error {}
/** The store or the API does not answer: the import stops. */
class Outage extends Error {}

const counts = { found: 0, imported: 0, already: 0, refused: 0 }
const reasons = new Map<string, number>()
const isTerminal = process.stderr.isTTY
const startedAt = Date.now()
let shownAt = 0

await requireOwner()
const report = createWriteStream(options.report, { flags: 'w' })
await once(report, 'open').catch((error: Error) => stop(`--report cannot be written: ${error.message}.`))
try {
  // First count the dramas for the progress bar: one request per thousand.
  for await (const ids of listIds()) counts.found += ids.length
  for await (const ids of listIds()) await importPage(ids)
} catch (error) {
  showProgress(true)
  console.error(`\n${error instanceof Outage ? error.message : (error as Error).stack}`)
  console.error('Imported dramas stay. Repeat the command to continue.')
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

function readOptions() {
  if (process.argv.includes('--help')) {
    console.log(usage)
    process.exit()
  }
  try {
    return parseArgs({
      options: {
        bucket: { type: 'string' },
        prefix: { type: 'string', default: 'dramas/' },
        owner: { type: 'string' },
        'dry-run': { type: 'boolean', default: false },
        report: { type: 'string', default: 'dramas_import_report.jsonl' },
        concurrency: { type: 'string', default: '4' },
      },
    }).values
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return process.exit(2)
  }
}

async function requireOwner(): Promise<void> {
  try {
    const answer = await calling('The API', () => supabase.from('users').select('id').eq('id', owner))
    if (answer.data?.length !== 1) stop('--owner is not the id of a user.')
  } catch (error) {
    console.error((error as Error).message)
    process.exit(1)
  }
}

/** Lists the ids page by page: the names of the folders below the prefix. */
async function* listIds(): AsyncGenerator<string[]> {
  let ContinuationToken: string | undefined
  do {
    const page = await calling('The store', () =>
      store.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, Delimiter: '/', ContinuationToken })),
    )
    yield (page.CommonPrefixes ?? []).flatMap(({ Prefix }) =>
      Prefix === undefined ? [] : [Prefix.slice(prefix.length, -1)],
    )
    ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined
  } while (ContinuationToken !== undefined)
}

async function importPage(ids: string[]): Promise<void> {
  for (const some of splitIds(ids)) {
    const known = await findKnown(some)
    counts.already += known.size
    const waiting = some.filter((id) => !known.has(id))
    const ends = await Promise.allSettled(
      Array.from({ length: concurrency }, async () => {
        try {
          for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) await importOne(id)
        } catch (error) {
          waiting.length = 0
          throw error
        }
      }),
    )
    // Only after all of them have stopped writing to the report.
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    showProgress()
  }
}

/** Returns those of these ids that the owner already has. */
async function findKnown(ids: string[]): Promise<Set<string>> {
  const list = ids.map(quote).join(',')
  const answer = await calling('The API', () =>
    supabase.from('dramas').select('external_id').eq('owner_id', owner).filter('external_id', 'in', `(${list})`),
  )
  return new Set(answer.data?.map((row) => row.external_id))
}

/** Quotes an id for a list of PostgREST; supabase-js does not escape quotes and backslashes. */
function quote(id: string): string {
  return `"${id.replace(/[\\"]/g, '\\$&')}"`
}

/** Splits ids into lists of at most 100 that fit into a URL, where a letter may take nine bytes. */
function* splitIds(ids: string[]): Generator<string[]> {
  let some: string[] = []
  let bytes = 0
  for (const id of ids) {
    const more = encodeURIComponent(quote(id)).length + 3
    if (some.length === 100 || (some.length > 0 && bytes + more > 4000)) {
      yield some
      some = []
      bytes = 0
    }
    some.push(id)
    bytes += more
  }
  if (some.length > 0) yield some
}

async function importOne(id: string): Promise<void> {
  try {
    const drama = mapDrama(id, parse(await load(id)), owner)
    requireWritable(drama)
    if (!isDry) await save(id, drama)
    counts.imported += 1
  } catch (error) {
    if (error instanceof Outage) throw error
    // Any other error is a fault of this file, because the conversion has no other input.
    const reason = error instanceof Error ? error.message : String(error)
    counts.refused += 1
    // Count by kind: a million reasons would not fit into memory.
    const kind = reason.replace(/"[^"]*"|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+/gi, '…').slice(0, 120)
    if (reasons.has(kind) || reasons.size < 50) reasons.set(kind, (reasons.get(kind) ?? 0) + 1)
    if (!report.write(`${JSON.stringify({ id, reason })}\n`)) await once(report, 'drain')
  }
  showProgress()
}

async function load(id: string): Promise<string> {
  return calling('The store', async (isLast) => {
    try {
      const file = await store.send(new GetObjectCommand({ Bucket: bucket, Key: `${prefix}${id}/drama.json` }))
      return await readFile(file.Body as Readable | undefined, file.ContentLength)
    } catch (error) {
      if (error instanceof Refusal) throw error
      const { name, message, $metadata } = error as S3ServiceException
      if (name === 'NoSuchKey' || name === 'NotFound') throw new Refusal('drama.json is missing', { cause: error })
      const status = $metadata?.httpStatusCode ?? 0
      // A fault of this file if the store still lists the bucket: the next file may be readable.
      if (isLast || (status >= 400 && status < 500 && status !== 408 && status !== 429)) {
        if (!(await isStoreThere())) throw error
        throw new Refusal(`drama.json cannot be read: ${status || ''} ${name}: ${message}`, { cause: error })
      }
      throw error
    }
  })
}

/** Reads a file and counts its bytes while reading, because an answer may name no size or a wrong size. */
async function readFile(body: Readable | undefined, length = 0): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = length
  if (bytes <= fileMaxBytes) {
    bytes = 0
    for await (const chunk of body ?? []) {
      bytes += chunk.length
      if (bytes > fileMaxBytes) break
      chunks.push(chunk)
    }
  }
  if (bytes > fileMaxBytes) {
    body?.destroy()
    throw new Refusal(`drama.json has more than ${fileMaxBytes / 2 ** 20} MiB`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch (cause) {
    throw new Refusal('drama.json is not UTF-8', { cause })
  }
}

/** Whether the store still lists the bucket: then a file that cannot be read is a fault of that file. */
async function isStoreThere(): Promise<boolean> {
  return store.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: 1 })).then(
    () => true,
    () => false,
  )
}

function parse(text: string): unknown {
  try {
    return parseExactly(text)
  } catch (cause) {
    if (cause instanceof RangeError) throw new Refusal(`drama.json is nested too deeply: ${cause.message}`, { cause })
    throw new Refusal('drama.json is not JSON', { cause })
  }
}

/** Refuses deep documents, because JSON.stringify and Postgres are recursive. */
function requireWritable(drama: unknown): void {
  let level = [drama]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > levelsMax) throw new Refusal(`drama.json is nested too deeply: more than ${levelsMax} levels`)
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []))
  }
}

async function save(id: string, drama: unknown): Promise<void> {
  await calling('The API', async (isLast, attempt) => {
    const { error, status } = await supabase.rpc('save_drama_complete', { drama, owner_id: owner })
    if (error === null) return
    const reason = `${status} ${error.message}`
    if (status >= 500 && isLast) {
      // A fault of this drama, such as a save that takes too long, if the API answers other requests; else an outage.
      await findKnown([id])
      throw new Refusal(reason)
    }
    if (status === 0 || status >= 500 || status === 429) throw new Error(reason)
    // An earlier attempt saved the drama, but its answer was lost.
    if (status === 409 && attempt > 1 && (await findKnown([id])).has(id)) return
    // An answer of a gateway has no code.
    const { code = '', details } = error
    throw new Refusal(`${(code.startsWith('PT') ? details : code) || status}: ${error.message}`)
  })
}

/** Repeats a call for half a minute, because a store or an API may be down for a moment. */
async function calling<Result>(
  what: string,
  call: (isLast: boolean, attempt: number) => PromiseLike<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      const result = await call(attempt === attemptsMax, attempt)
      const failed = (result as { error?: { message: string } | null } | undefined)?.error
      if (failed) throw new Error(failed.message)
      return result
    } catch (error) {
      if (error instanceof Refusal) throw error
      const { name, message, $metadata } = error as S3ServiceException
      if (name === 'NoSuchBucket') stop(`Bucket ${bucket} does not exist.`)
      // The store answers, and would answer the same again.
      if ($metadata?.httpStatusCode === 403 && attempt > 1)
        throw new Outage(`${what} refuses: ${message}.`, { cause: error })
      if (attempt === attemptsMax)
        throw new Outage(`${what} does not answer: ${(error as Error).message}`, { cause: error })
      await sleep(250 * 2 ** attempt)
    }
  }
}

/** Shows a progress bar on a terminal, elsewhere a line every five seconds. */
function showProgress(isLast = false): void {
  const now = Date.now()
  if (!isLast && now - shownAt < (isTerminal ? 100 : 5000)) return
  shownAt = now
  const done = counts.imported + counts.already + counts.refused
  const share = counts.found === 0 ? 0 : done / counts.found
  const perSecond = Math.round(done / Math.max((now - startedAt) / 1000, 0.001))
  const numbers = `${done} of ${counts.found}, ${counts.refused} refused, ${perSecond}/s`
  if (isTerminal) {
    const bar = '█'.repeat(Math.round(share * 30)).padEnd(30, '░')
    process.stderr.write(`\r${bar} ${Math.round(share * 100)}%  ${numbers}   `)
  } else {
    console.error(`${Math.round(share * 100)}%  ${numbers}`)
  }
}

function stop(message: string): never {
  console.error(`${message} --help describes the options.`)
  process.exit(2)
}
