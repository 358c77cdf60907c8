import type pg from 'pg'
import { signApiKey, signUserToken } from '../../local/jwt.ts'
import { prepareDatabase } from '../../testing/cluster.ts'
import type { Generator } from '../load.ts'
import type { Stage } from '../stage.ts'

/** Plinth's database, a PostgREST on it, a user, and the load. */
export type DramasStage = Stage & {
  generator: Generator
  rounds: number
  seconds: number
  connections: number
  user: { id: string; email: string }
  db: pg.Client
  admin: pg.Client
  api: string
  /** Headers of the user's requests to PostgREST. */
  headers: Record<string, string>
}

export async function prepareDramas(
  stage: Stage,
  load: Pick<DramasStage, 'generator' | 'rounds' | 'seconds' | 'connections'>,
): Promise<DramasStage> {
  const { jwtSecret } = stage.cluster.secrets
  await prepareDatabase(stage.cluster, 'plinth')
  const admin = await stage.connect('plinth', 'superuser')
  // One user opens dramas by many connections, because only the owner of a drama may open it.
  await admin.query('update app.settings set requests_at_once = 0')
  const user = { id: crypto.randomUUID(), email: 'ana@example.com' }
  await admin.query('insert into auth.users (id, email) values ($1, $2)', [user.id, user.email])
  // Every connection is of one user.
  await admin.query('update app.settings set requests_at_once = 0')
  return {
    ...stage,
    ...load,
    user,
    admin,
    db: await stage.connect('plinth'),
    api: await stage.serve('plinth'),
    headers: {
      apikey: await signApiKey('anon', jwtSecret),
      authorization: `Bearer ${await signUserToken(user, jwtSecret)}`,
    },
  }
}
