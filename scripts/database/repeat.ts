import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

const attempts = 5

/**
 * Runs `act`, which changes the database in one transaction, and repeats it if requests were in its way: after a deadlock,
 * or where a lock was not free in time. Without this, a deadlock between a migration and the files of `modules` would leave
 * functions that name dropped columns.
 */
export async function repeatWhileInUse<T>(client: pg.Client, act: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await act()
    } catch (error) {
      if (attempt === attempts || !isInUse(error)) throw error
      await client.query('rollback')
      await sleep(100 + Math.random() * 400)
    }
  }
}

/** Whether the error, or its cause, is a deadlock or a lock timeout. */
export function isInUse(error: unknown): boolean {
  const cause = error instanceof pg.DatabaseError ? error : (error as Error).cause
  return cause instanceof pg.DatabaseError && (cause.code === '40P01' || cause.code === '55P03')
}
