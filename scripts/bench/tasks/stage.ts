import type pg from 'pg'
import { signApiKey, signUserToken } from '../../local/jwt.ts'
import { prepareDatabase } from '../../testing/cluster.ts'
import type { Generator } from '../load.ts'
import type { Stage } from '../stage.ts'

export type User = {
  id: string
  /** The claims of the user's token, for a session that acts as the user. */
  claims: string
  /** Headers of the user's requests to PostgREST. */
  headers: Record<string, string>
}

/** The stage of all measurements of tasks, and the load. */
export type TasksStage = Stage & {
  generator: Generator
  rounds: number
  seconds: number
  connections: number
  /** Creates a database with Plinth, whose plans have no quotas of tasks, and opens a session of the superuser in it. */
  open(name: string): Promise<pg.Client>
  /** Adds users to a database. */
  addUsers(admin: pg.Client, count: number): Promise<User[]>
  /** Headers of requests of service_role. */
  serviceHeaders: Record<string, string>
}

export async function prepareTasks(
  stage: Stage,
  load: Pick<TasksStage, 'generator' | 'rounds' | 'seconds' | 'connections'>,
): Promise<TasksStage> {
  const { jwtSecret } = stage.cluster.secrets
  const apikey = await signApiKey('anon', jwtSecret)
  const serviceKey = await signApiKey('service_role', jwtSecret)
  return {
    ...stage,
    ...load,
    serviceHeaders: { apikey: serviceKey, authorization: `Bearer ${serviceKey}` },
    async open(name) {
      await prepareDatabase(stage.cluster, name)
      const admin = await stage.connect(name, 'superuser')
      await admin.query('update public.plans set tasks_running = null, tasks_open = null, tasks_per_day = null')
      return admin
    },
    async addUsers(admin, count) {
      const users = Array.from({ length: count }, (_, n) => ({ id: crypto.randomUUID(), email: `${n}@bench.test` }))
      await admin.query(
        'insert into auth.users (id, email) select u.id, u.email from unnest($1::uuid[], $2::text[]) as u (id, email)',
        [users.map(({ id }) => id), users.map(({ email }) => email)],
      )
      return Promise.all(
        users.map(async (user) => ({
          id: user.id,
          claims: JSON.stringify({ sub: user.id, role: 'authenticated' }),
          headers: { apikey, authorization: `Bearer ${await signUserToken(user, jwtSecret)}` },
        })),
      )
    },
  }
}
