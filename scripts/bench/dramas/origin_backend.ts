import { createServer } from 'node:http'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'

/**
 * The origin's backend (origin 002): a repository over supabase-js with the service key. Its get_drama_complete requests the
 * drama, its characters, its episodes and their scenes, and joins them. The origin describes it in Python without its code;
 * this is the same in Node, which is faster, without the GraphQL and REST layers above it. Its tables have all columns, as
 * those of the origin (measure_opening.ts). Runs as a process; `BACKEND_PORT`, `POSTGREST_URL` and `SUPABASE_SERVICE_KEY` come
 * from the environment.
 */
class DramaRepository {
  private readonly supabase: SupabaseClient

  constructor(supabase: SupabaseClient) {
    this.supabase = supabase
  }

  async getDramaComplete(dramaId: string, userId: string) {
    const { data: drama } = await this.supabase
      .from('origin_dramas')
      .select('*')
      .eq('id', dramaId)
      .eq('owner_id', userId)
      .maybeSingle()
    if (!drama) return undefined
    const { data: characters } = await this.supabase
      .from('origin_drama_characters')
      .select('*')
      .eq('drama_id', dramaId)
      .order('position')
    const { data: episodes } = await this.supabase
      .from('origin_episodes')
      .select('*')
      .eq('drama_id', dramaId)
      .order('position')
    if (!characters || !episodes) throw new Error('A request failed')
    const episodeIds = episodes.map((episode) => episode.id)
    const { data: scenes } = await this.supabase
      .from('origin_scenes')
      .select('*')
      .in('episode_id', episodeIds)
      .order('position')
    if (!scenes) throw new Error('A request failed')
    const byEpisode = Map.groupBy(scenes, (scene) => scene.episode_id)
    // Without the columns that the document does not contain.
    const inside = (row: Record<string, unknown>) => {
      const { drama_id, episode_id, owner_id, position, created_at, updated_at, ...rest } = row
      return rest
    }
    const { owner_id, idempotency_key, ...top } = drama
    return {
      ...top,
      characters: characters.map(inside),
      episodes: episodes.map((episode) => ({
        ...inside(episode),
        scenes: (byEpisode.get(episode.id) ?? []).map(inside),
      })),
    }
  }
}

const repository = new DramaRepository(
  createClient(process.env['POSTGREST_URL'] ?? '', process.env['SUPABASE_SERVICE_KEY'] ?? '', {
    // Straight to PostgREST, like the load on Plinth: a gateway would only slow the origin down.
    global: { fetch: (input, init) => fetch(String(input).replace('/rest/v1/', '/'), init) },
  }),
)

const server = createServer(async (request, response) => {
  const [, userId = '', dramaId = ''] = /^\/users\/([^/]+)\/dramas\/([^/?]+)$/.exec(request.url ?? '') ?? []
  try {
    const drama = await repository.getDramaComplete(dramaId, userId)
    const body = JSON.stringify(drama ?? { message: 'Drama not found' })
    response.writeHead(drama ? 200 : 404, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
    })
    response.end(body)
  } catch (error) {
    response.writeHead(500, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ message: (error as Error).message }))
  }
})
server.listen(Number(process.env['BACKEND_PORT']), '127.0.0.1')
