import type { SupabaseClient } from '@supabase/supabase-js'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { contentOf, type DramaApi, isDrama, open, save, startDramaApi } from './drama_api.ts'

let dramas: DramaApi
let ana: SupabaseClient

beforeAll(async () => {
  dramas = await startDramaApi()
  ;({ ana } = dramas)
})
afterAll(() => dramas.stop())

const text = (length: number) =>
  fc
    .string({ unit: 'grapheme', maxLength: 40 })
    .map((value) => [...value.replaceAll('\u0000', '')].slice(0, length).join(''))
const url = fc.option(
  fc.webUrl({ withQueryParameters: true }).filter((value) => /^https?:\/\/[^\s"<>]+$/.test(value)),
  { nil: null },
)
const id = fc.uuid()
const extra = fc
  .dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 3 })
  .map((value) => JSON.parse(JSON.stringify(value).replaceAll('\\u0000', '')))
const anyDrama = fc
  .record({
    id,
    external_id: fc.option(fc.uuid(), { nil: null }),
    title: text(500),
    premise: text(500),
    logline: text(500),
    genre: text(200),
    language: text(100),
    style: text(500),
    model: text(100),
    cover_url: url,
    extra,
    characters: fc.uniqueArray(
      fc.record({
        id,
        name: text(500),
        role: text(500),
        description: text(500),
        appearance: text(500),
        portrait_url: url,
        extra,
      }),
      { maxLength: 5, selector: (one) => one.id },
    ),
    episodes: fc.uniqueArray(
      fc.record({
        id,
        title: text(500),
        summary: text(500),
        script: text(500),
        extra,
        scenes: fc.uniqueArray(
          fc.record({
            id,
            title: text(500),
            summary: text(500),
            text: text(500),
            image_prompt: text(500),
            video_prompt: text(500),
            image_url: url,
            video_url: url,
            audio_url: url,
            extra,
            who: fc.array(fc.nat(20), { maxLength: 3 }),
          }),
          { maxLength: 4, selector: (one) => one.id },
        ),
      }),
      { maxLength: 4, selector: (one) => one.id },
    ),
  })
  .map((drama) => ({
    ...drama,
    episodes: drama.episodes.map((episode) => ({
      ...episode,
      scenes: episode.scenes.map(({ who, ...scene }) => ({
        ...scene,
        character_ids: drama.characters.length
          ? [...new Set(who.map((one) => drama.characters[one % drama.characters.length]?.id))]
          : [],
      })),
    })),
  }))

test('returns any saved drama as it was saved, from its package and from its rows, also after any change', async () => {
  await fc.assert(
    fc.asyncProperty(anyDrama, anyDrama, fc.nat(1000), async (first, second, seed) => {
      const saved = await save(ana, first)
      expect(saved.status, JSON.stringify(saved.error)).toBe(200)
      expect(isDrama(saved.data), JSON.stringify(isDrama.errors)).toBe(true)
      expect(contentOf(saved.data)).toEqual(contentOf({ ...saved.data, ...first }))
      expect((await open(ana, first.id)).data).toEqual(saved.data)

      // The change keeps, moves and replaces parts of the first drama.
      const keep = <T extends { id: string }>(olds: T[], news: T[]) =>
        [...news, ...olds.filter((_one, n) => (seed + n) % 3 > 0)].sort((a, b) =>
          (seed % 2 ? a : b).id < (seed % 2 ? b : a).id ? -1 : 1,
        )
      const changed = {
        ...second,
        id: first.id,
        updated_at: saved.data.updated_at,
        characters: keep(first.characters, second.characters),
        episodes: keep(first.episodes, second.episodes),
      }
      const ids = changed.characters.map((character) => character.id)
      // Scenes move to other episodes.
      const scenes = changed.episodes.flatMap((episode) => episode.scenes).reverse()
      changed.episodes = changed.episodes.map((episode, n) => ({
        ...episode,
        scenes: scenes
          .filter((_scene, m) => m % changed.episodes.length === n)
          .map((scene) => ({
            ...scene,
            character_ids: scene.character_ids.filter((one) => ids.includes(one ?? '')),
          })),
      }))
      const again = await save(ana, changed)
      expect(again.status, JSON.stringify(again.error)).toBe(200)
      expect(contentOf(again.data)).toEqual(contentOf({ ...again.data, ...changed }))
      const client = await dramas.database.connect()
      await client.query('delete from app.drama_packages where drama_id = $1', [first.id])
      await client.end()
      expect((await open(ana, first.id)).data).toEqual(again.data)
    }),
    { numRuns: 40 },
  )
})
