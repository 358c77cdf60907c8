import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import { signApiKey, signUserToken } from '../../local/jwt.ts'
import { prepareDatabase } from '../../testing/cluster.ts'
import type { Generator } from '../load.ts'
import type { Stage } from '../stage.ts'

/** A user with a photo, and the headers of requests to PostgREST. */
export type User = { id: string; claims: string; photo: string; headers: Record<string, string> }

/** The stage of all measurements of generations, and the load. */
export type StudioStage = Stage & {
  generator: Generator
  rounds: number
  seconds: number
  connections: number
  /** Creates a database with users who have credits and photos; opens a session of the superuser in it. */
  open(name: string, etag: string): Promise<{ admin: pg.Client; users: User[]; toolId: string }>
}

export async function prepareStudio(
  stage: Stage,
  load: Pick<StudioStage, 'generator' | 'rounds' | 'seconds' | 'connections'>,
): Promise<StudioStage> {
  const { jwtSecret } = stage.cluster.secrets
  const apikey = await signApiKey('anon', jwtSecret)
  return {
    ...stage,
    ...load,
    async open(name, etag) {
      await prepareDatabase(stage.cluster, name)
      const admin = await stage.connect(name, 'superuser')
      await admin.query(await readFile(join(import.meta.dirname, 'studio.sql'), 'utf8'))
      const people = Array.from({ length: load.connections }, (_, n) => ({
        id: crypto.randomUUID(),
        email: `${n}@bench.test`,
      }))
      await admin.query(
        'insert into auth.users (id, email) select u.id, u.email from unnest($1::uuid[], $2::text[]) as u (id, email)',
        [people.map(({ id }) => id), people.map(({ email }) => email)],
      )
      await admin.query(`select app.grant_credits(u.id, 1000000, 'pack', null, null, 'bench') from public.users as u`)
      await admin.query(
        `insert into storage.objects (bucket_id, name, metadata)
         select 'user_uploads', u.id || '/face.png', $1 from public.users as u`,
        [{ eTag: etag, size: 1000, mimetype: 'image/png' }],
      )
      const { rows } = await admin.query("select id from public.tools where key = 'change_hair_color'")
      return {
        admin,
        toolId: rows[0].id,
        users: await Promise.all(
          people.map(async (user) => ({
            id: user.id,
            claims: JSON.stringify({ sub: user.id, role: 'authenticated' }),
            photo: `${user.id}/face.png`,
            headers: { apikey, authorization: `Bearer ${await signUserToken(user, jwtSecret)}` },
          })),
        ),
      }
    },
  }
}
