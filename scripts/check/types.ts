import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import { clientRoles, readSchema, serviceRoles } from '../types/read_schema.ts'
import { writeTypes } from '../types/write_types.ts'
import type { Outcome } from './outcome.ts'

export const typesPath = 'db/types.ts'

/** Compares db/types.ts with the types that the database has; `shouldWrite` writes the file. */
export async function checkTypes(client: pg.Client, root: string, shouldWrite: boolean): Promise<Outcome> {
  const types = writeTypes(await readSchema(client, clientRoles), await readSchema(client, serviceRoles))
  const path = join(root, typesPath)
  const isCurrent = (await readFile(path, 'utf8').catch(() => '')) === types
  if (shouldWrite) await writeFile(path, types)
  return {
    said: `${typesPath}, against the database${shouldWrite && !isCurrent ? '; written again' : ''}`,
    problems: isCurrent || shouldWrite ? [] : [`${typesPath} is not current`],
    remedy: 'npm run db:types writes the file; then npm run types says what no longer fits.',
  }
}
