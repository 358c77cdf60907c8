import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@supabase/supabase-js'
import { renderMermaidSVG } from 'beautiful-mermaid'
import type { Database, Drama, JobTree } from '../../db/client_types.ts'
import { must, type Stage, timed } from './act.ts'
import { showProgress } from './job_progress.ts'

/** Requests a drama, shows its progress, opens it, regenerates a portrait, and draws the graph of its jobs. */
export async function generateDrama({ url, anonKey, env, home, tokenFor, step }: Stage): Promise<void> {
  const standIn = env['GEMINI_BASE_URL']
  if (standIn === undefined) {
    step('This stack uses the real Gemini, which costs money: this act is skipped')
    return
  }
  const token = await tokenFor('ana@example.com')
  const ana = createClient<Database>(url, anonKey, { accessToken: async () => token })
  const behave = (latencyMs: number) =>
    fetch(`${standIn}/stand-in`, { method: 'PUT', body: JSON.stringify({ latencyMs }) })
  // The stand-in is too fast to watch.
  await behave(400)
  try {
    const asked = await timed(() =>
      ana
        .rpc('generate_drama', {
          premise: 'A lighthouse keeper finds letters that were never sent.',
          options: { episodes: 2, scenes_per_episode: 3, characters: 3, with_video: true },
        })
        .throwOnError(),
    )
    const { id, run_id } = asked.value.data
    if (run_id === null) throw new Error('The drama has no run.')
    step('Ana requests a drama: its row and its run exist', asked.ms)

    const grown = await timed(() => watch(ana, id, run_id))
    must(grown.value.status === 'completed', `the run is ${grown.value.status}`)
    step(`The drama is complete: ${count(grown.value)} jobs`, grown.ms)

    const opened = await timed(() => open(ana, id))
    const drama = opened.value
    const scenes = drama.episodes.flatMap((episode) => episode.scenes)
    must(drama.characters.length === 3 && scenes.length === 6, 'the drama does not have the requested number of parts')
    step(
      `Ana opens the drama: ${drama.characters.length} characters, ${scenes.length} scenes, in one request`,
      opened.ms,
    )

    const pictures = [...drama.characters.map((one) => one.portrait_url), ...scenes.map((one) => one.image_url)]
    const loaded = await timed(() => Promise.all(pictures.map((one) => isA('image/png', one))))
    must(loaded.value.every(Boolean), 'an image does not load')
    must(
      (await Promise.all(scenes.map((one) => isA('video/mp4', one.video_url)))).every(Boolean),
      'a video does not load',
    )
    step(`All ${pictures.length} images and ${scenes.length} videos load`, loaded.ms)

    const [first] = drama.characters
    const again = await timed(async () => {
      const target = { target_id: first?.id ?? '', kind: 'portrait' as const, prompt: 'Older, with a scar.' }
      const { data: jobId } = await ana.rpc('regenerate_asset', target).throwOnError()
      while ((await readTree(ana, jobId)).status !== 'completed') await sleep(50)
    })
    const after = (await open(ana, id)).characters.map((one) => one.portrait_url)
    must(
      after[0] !== first?.portrait_url && after[1] === drama.characters[1]?.portrait_url,
      'not exactly one portrait changed',
    )
    step('She regenerates one portrait; the others stay', again.ms)

    const drawn = await timed(async () => {
      const { data } = await ana.rpc('job_graph', { job_id: run_id }).throwOnError()
      // Without the font, which would be loaded from another site, and with colours that every viewer supports.
      const svg = renderMermaidSVG(data)
        .replace(/^ *@import .*\n/m, '')
        .replaceAll('var(--_line)', '#71717a')
        .replaceAll('var(--_arrow)', '#3f3f46')
      writeFileSync(join(home, 'drama.svg'), svg)
    })
    step(`The graph of the drama’s jobs: ${join(home, 'drama.svg')}`, drawn.ms)
  } finally {
    await behave(0)
  }
}

type Client = ReturnType<typeof createClient<Database>>

async function watch(ana: Client, id: string, runId: number): Promise<JobTree> {
  const display = showProgress()
  for (const end = Date.now() + 60_000; ; await sleep(100)) {
    const [tree, { data }] = await Promise.all([
      readTree(ana, runId),
      // Finished parts are already in the tables.
      ana.from('dramas').select('title').eq('id', id).single().throwOnError(),
    ])
    display.draw(tree, data.title)
    if (['completed', 'failed', 'cancelled'].includes(tree.status)) return tree
    must(Date.now() < end, 'the drama was not complete within a minute')
  }
}

async function readTree(ana: Client, jobId: number): Promise<JobTree> {
  return (await ana.rpc('job_tree', { job_id: jobId }).throwOnError()).data
}

async function open(ana: Client, id: string): Promise<Drama> {
  return (await ana.rpc('get_drama_complete', { drama_id: id }, { get: true }).throwOnError()).data
}

const count = (tree: JobTree): number => 1 + tree.children.reduce((sum, child) => sum + count(child), 0)

async function isA(type: string, url: string | null): Promise<boolean> {
  const response = await fetch(url ?? '')
  return response.ok && response.headers.get('content-type') === type && (await response.arrayBuffer()).byteLength > 100
}
