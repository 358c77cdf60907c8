import type { SupabaseClient } from '@supabase/supabase-js'
import { Misuse, Refusal, retry } from './retry.ts'

/** The dramas of an owner, through the API. */
export type SavedDramas = {
  requireOwner(): Promise<void>
  /** Returns those of these ids of the store that the owner already has. */
  findKnown(ids: string[]): Promise<Set<string>>
  /** Throws a Refusal where the API refuses the drama. Returns false if another import has saved it in the meantime. */
  save(id: string, drama: unknown): Promise<boolean>
}

export function createSavedDramas(supabase: SupabaseClient, owner: string): SavedDramas {
  async function findKnown(ids: string[]): Promise<Set<string>> {
    const list = ids.map(quote).join(',')
    const answer = await retry('The API', () =>
      supabase.from('dramas').select('external_id').eq('owner_id', owner).filter('external_id', 'in', `(${list})`),
    )
    return new Set(answer.data?.map((row) => row.external_id))
  }

  return {
    findKnown,
    async requireOwner() {
      const answer = await retry('The API', () => supabase.from('users').select('id').eq('id', owner))
      if (answer.data?.length !== 1) throw new Misuse('--owner is not the id of a user.')
    },
    async save(id, drama) {
      return retry('The API', async (isLast, attempt) => {
        const { error, status } = await supabase.rpc('save_drama_complete', { drama, owner_id: owner })
        if (error === null) return true
        const reason = `${status} ${error.message}`
        if (status >= 500 && isLast) {
          // A fault of this drama, such as a save that takes too long, if the API answers other requests; else an outage.
          await findKnown([id])
          throw new Refusal(reason)
        }
        // 401: the key has worked before. Hosted Supabase refuses good tokens when its clocks differ (PGRST303).
        if (status === 0 || status >= 500 || status === 429 || status === 401) throw new Error(reason)
        // An earlier attempt saved the drama, but its answer was lost, or another import was faster.
        if (status === 409 && (await findKnown([id])).has(id)) return attempt > 1
        // An answer of a gateway has no code.
        const { code = '', details } = error
        throw new Refusal(`${(code.startsWith('PT') ? details : code) || status}: ${error.message}`)
      })
    },
  }
}

/** Splits ids into lists of at most 100 that fit into a URL, where a letter may take nine bytes. */
export function* splitIds(ids: string[]): Generator<string[]> {
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

/** Quotes an id for a list of PostgREST; supabase-js does not escape quotes and backslashes. */
function quote(id: string): string {
  return `"${id.replace(/[\\"]/g, '\\$&')}"`
}
