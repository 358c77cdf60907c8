import type { JobTree } from '../../db/client_types.ts'

/** One line of the display: its subject, how much of it is done, and a note. */
type Row = { name: string; parts: string; isDone: boolean }

/** Draws the progress of a drama's run: in place in a terminal, otherwise a line for each finished part. */
export function showProgress(): { draw(tree: JobTree, title: string): void } {
  const isLive = process.stdout.isTTY === true
  let drawn = 0
  const told = new Set<string>()
  return {
    draw(tree, title) {
      const rows = describe(tree)
      if (!isLive) {
        for (const { name, parts, isDone } of rows) {
          if (!isDone || told.has(name)) continue
          told.add(name)
          console.log(`   ${name.padEnd(12)} ${parts}`)
        }
        return
      }
      const lines = [
        `   ${bar(tree.progress, 40)} ${String(Math.round(tree.progress * 100)).padStart(3)} %  ${title}`,
        ...rows.map(({ name, parts, isDone }) => `   ${isDone ? '✓' : '·'} ${name.padEnd(12)} ${parts}`),
      ]
      const width = Math.max(20, (process.stdout.columns || 80) - 1)
      // Moves up to the first line and clears each line before writing it, which avoids flicker.
      process.stdout.write(
        `${drawn > 0 ? `\x1b[${drawn}A` : ''}${lines.map((line) => `\x1b[2K${line.slice(0, width)}\n`).join('')}`,
      )
      drawn = lines.length
    },
  }
}

function describe(tree: JobTree): Row[] {
  const [outline] = tree.children
  if (outline === undefined) return []
  const parts = outline.children.flatMap((cast) => [cast, ...cast.children])
  const rows: Row[] = [
    { name: 'Outline', parts: isWritten(outline) ? 'written' : outline.status, isDone: isWritten(outline) },
  ]
  for (const part of parts) {
    const episode = /^script-(\d+)$/.exec(part.key)?.[1]
    if (part.type === 'write_cast') {
      const portraits = part.children.filter(({ type }) => type === 'generate_image')
      rows.push({
        name: 'Cast',
        parts: counts(portraits, { portraits: 'generate_image' }),
        isDone: isWritten(part) && portraits.every(isWritten),
      })
    } else if (episode !== undefined) {
      const drawing = parts.find(({ key }) => key === `drawing-${episode}`)
      rows.push({
        name: `Episode ${episode}`,
        parts: `${counts(part.children, { scenes: 'write_scene' })}  ${counts(drawing?.children ?? [], { images: 'generate_image', videos: 'generate_video' })}`,
        isDone: part.status === 'completed' && drawing?.status === 'completed',
      })
    }
  }
  return rows
}

/** Whether its own work is done; its children may be open. */
const isWritten = ({ status }: JobTree) => status === 'joining' || status === 'completed'

function counts(nodes: JobTree[], kinds: Record<string, string>): string {
  return Object.entries(kinds)
    .flatMap(([name, type]) => {
      const some = nodes.filter((node) => node.type === type)
      const done = some.filter(isWritten).length
      return some.length === 0 ? [] : [`${name} ${bar(done / some.length, some.length)} ${done}/${some.length}`]
    })
    .join('  ')
}

function bar(fraction: number, width: number): string {
  const full = Math.round(fraction * width)
  return '█'.repeat(full) + '░'.repeat(width - full)
}
