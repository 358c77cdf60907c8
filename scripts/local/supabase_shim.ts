import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import pg from 'pg'

/** The comments by which the shim recognises its own objects, the second in databases of earlier releases. */
const marks = ['Plinth Supabase shim', 'Plinth platform shim']

/** The parts of Supabase that `db/supabase_shim` replaces, and the comment that marks each as the shim's. */
const parts = [
  {
    file: 'roles.sql',
    comment: "select shobj_description(oid, 'pg_authid') as comment from pg_roles where rolname = 'authenticator'",
  },
  {
    file: 'auth.sql',
    comment: "select obj_description(oid, 'pg_namespace') as comment from pg_namespace where nspname = 'auth'",
  },
  {
    file: 'storage.sql',
    // The migrations of the real Storage keep the comment.
    comment: `select case when to_regclass('storage.migrations') is null then obj_description(oid, 'pg_namespace') end as comment
       from pg_namespace where nspname = 'storage'`,
  },
  {
    file: 'realtime.sql',
    comment:
      "select obj_description(oid, 'pg_publication') as comment from pg_publication where pubname = 'supabase_realtime'",
  },
]

/** Prepares a database as Supabase would: applies, as superuser, each part that is missing or is the shim's own. */
export async function prepareSupabaseShim(admin: pg.ClientConfig): Promise<void> {
  const client = new pg.Client(admin)
  await client.connect()
  try {
    for (const part of parts) {
      const { rows } = await client.query<{ comment: string | null }>(part.comment)
      const real = rows.length > 0 && !marks.includes(rows[0]?.comment ?? '')
      if (!real)
        await client.query(
          await readFile(join(resolve(import.meta.dirname, '../../db/supabase_shim'), part.file), 'utf8'),
        )
    }
  } finally {
    await client.end()
  }
}
