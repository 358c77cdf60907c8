import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import pg from 'pg'

/** The comments by which the shim recognises its own objects, the second in databases of earlier releases. */
const marks = ['Plinth Supabase shim', 'Plinth platform shim']

/** The parts of Supabase that `db/supabase_shim` replaces, and the comment that marks each as the shim's. */
const parts = [
  {
    files: ['roles.sql'],
    comment: "select shobj_description(oid, 'pg_authid') as comment from pg_roles where rolname = 'authenticator'",
  },
  {
    files: [
      'auth.sql',
      'auth/10_base.sql',
      'auth/20_users.sql',
      'auth/30_sign_in.sql',
      'auth/40_own_account.sql',
      'auth/50_admin.sql',
    ],
    // Supabase Auth may have run its migrations on the shim's schema, which then is its own.
    comment: `select case when to_regclass('auth.schema_migrations') is null then obj_description(oid, 'pg_namespace') end as comment
       from pg_namespace where nspname = 'auth'`,
  },
  {
    files: ['storage.sql'],
    // The migrations of the real Storage keep the comment.
    comment: `select case when to_regclass('storage.migrations') is null then obj_description(oid, 'pg_namespace') end as comment
       from pg_namespace where nspname = 'storage'`,
  },
  {
    files: ['realtime.sql'],
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
      if (real) continue
      for (const file of part.files) {
        await client.query(await readFile(join(resolve(import.meta.dirname, '../../db/supabase_shim'), file), 'utf8'))
      }
    }
  } finally {
    await client.end()
  }
}
