import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { inParallel } from '../../worker/shared/in_parallel.ts'
import type { DramaFiles } from './drama_files.ts'
import { findNonNumber, parseExactly } from './exact_json.ts'
import { mapDrama } from './map_drama.ts'
import type { Counts } from './progress.ts'
import { Misuse, Outage, Refusal } from './retry.ts'
import { type SavedDramas, splitIds } from './saved_dramas.ts'

const levelsMax = 100

/** Where an import reads and writes. */
export type Import = {
  files: DramaFiles
  saved: SavedDramas
  owner: string
  /** Files at a time. */
  concurrency: number
  /** Whether to read and convert all files, and save nothing. */
  isDry: boolean
  /** Each refused file becomes a line of JSON. */
  report: Writable
  counts: Counts
  /** How often each kind of refusal came, up to 50 kinds. */
  reasons: Map<string, number>
  showProgress(): void
}

/** Imports every drama that the owner does not have yet. */
export async function importDramas(options: Import): Promise<void> {
  const { files, counts } = options
  // First count the dramas for the progress bar: one request per thousand.
  for await (const ids of files.listIds()) counts.found += ids.length
  for await (const ids of files.listIds()) {
    for (const some of splitIds(ids)) await importSome(options, some)
  }
}

async function importSome(options: Import, ids: string[]): Promise<void> {
  const { saved, counts, concurrency, showProgress } = options
  const known = await saved.findKnown(ids)
  counts.already += known.size
  const missing = ids.filter((id) => !known.has(id))
  await inParallel(missing, concurrency, undefined, (id) => importOne(options, id))
  showProgress()
}

async function importOne(options: Import, id: string): Promise<void> {
  const { files, saved, owner, isDry, report, counts, reasons, showProgress } = options
  try {
    const drama = mapDrama(id, parse(await files.load(id)), owner)
    requireWritable(drama)
    if (isDry || (await saved.save(id, drama))) counts.imported += 1
    else counts.already += 1
  } catch (error) {
    if (error instanceof Outage || error instanceof Misuse) throw error
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

function parse(text: string): unknown {
  try {
    return parseExactly(text)
  } catch (cause) {
    if (cause instanceof RangeError) throw new Refusal(`drama.json is nested too deeply: ${cause.message}`, { cause })
    const place = findNonNumber(text)
    throw new Refusal(
      place === undefined
        ? `drama.json is not JSON: ${(cause as Error).message}`
        : `drama.json is not JSON: ${place}, and JSON has no such number`,
      { cause },
    )
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
