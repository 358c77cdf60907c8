import { createClient } from '@supabase/supabase-js'
import { signUserToken } from '../../local/jwt.ts'

/** A subscriber, whose owner id is that of its rows. */
export type Subscriber = { ownerId: string; close(): Promise<void> }

/** Receives the number of a row that has arrived at a subscriber. */
export type OnRow = (n: number, ownerId: string) => void

/** Connects clients of supabase-js that listen to inserts into a table, and resolves when the server has confirmed each. */
export async function subscribe(
  count: number,
  options: { env: Record<string, string>; table: string; isFiltered: boolean; onRow: OnRow },
): Promise<Subscriber[]> {
  const { env, table, isFiltered, onRow } = options
  const subscribers: Subscriber[] = []
  // A few at a time, as clients of a real app would come.
  while (subscribers.length < count) {
    const wanted = Math.min(20, count - subscribers.length)
    subscribers.push(...(await Promise.all(Array.from({ length: wanted }, connect))))
  }
  return subscribers

  async function connect(): Promise<Subscriber> {
    const ownerId = crypto.randomUUID()
    const token = await signUserToken({ id: ownerId, email: `${ownerId}@example.com` }, env['JWT_SECRET'] ?? '')
    const client = createClient(env['SUPABASE_URL'] ?? '', env['SUPABASE_PUBLISHABLE_KEY'] ?? '', {
      accessToken: async () => token,
    })
    await client.realtime.setAuth()
    await new Promise<void>((resolve, reject) => {
      const binding = {
        event: 'INSERT' as const,
        schema: 'public',
        table,
        ...(isFiltered && { filter: `owner_id=eq.${ownerId}` }),
      }
      client
        .channel('rows')
        .on('postgres_changes', binding, ({ new: row }) => onRow(row['n'], ownerId))
        .on('system', {}, ({ status, message }) => (status === 'ok' ? resolve() : reject(new Error(message))))
        .subscribe((status, error) => {
          if (error) reject(new Error(`${status}: ${error.message}`))
        })
    })
    return { ownerId, close: async () => void (await client.removeAllChannels()) }
  }
}
