/** A fenced code block of a page, and the place it stands at. */
export type Block = {
  /** The word after the fence: sh, js, json, … */
  language: string
  text: string
  /** The line of its opening fence. */
  line: number
  /** Why the block is not run: from `<!-- not run: … -->` directly above it. */
  notRun: string | undefined
}

/** A heading with its anchor, as GitHub makes it. */
export type Heading = { level: number; title: string; anchor: string; line: number }

/** Code blocks of a page in groups: blocks with nothing but blank lines in between belong together. */
export function readBlocks(markdown: string): Block[][] {
  const groups: Block[][] = []
  let open: (Block & { fence: string }) | undefined
  let isAdjacent = false
  let notRun: string | undefined
  for (const [index, line] of markdown.split('\n').entries()) {
    if (open !== undefined) {
      if (line.trim() !== open.fence) {
        open.text += `${line}\n`
        continue
      }
      const { fence, ...block } = open
      if (isAdjacent) groups.at(-1)?.push(block)
      else groups.push([block])
      open = undefined
      isAdjacent = true
      continue
    }
    const [, fence = '', language = ''] = line.match(/^\s*(`{3,})\s*(\S*)/) ?? []
    const reason = line.match(/^\s*<!-- not run: (.+) -->$/)?.[1]
    if (fence !== '') open = { fence, language, text: '', line: index + 1, notRun }
    else if (line.trim() !== '') isAdjacent = reason !== undefined && isAdjacent
    if (fence !== '' || line.trim() !== '') notRun = reason
  }
  if (open !== undefined) throw new Error(`The code block of line ${open.line} has no end`)
  return groups
}

/** Files that a page shows: code blocks below a paragraph that begins with the file's path and ends with a colon. */
export function readShownFiles(markdown: string): { path: string; text: string }[] {
  const file = /^`([^`\n]+\/[^`\n]+)`[^\n]*:\n\n(`{3,})\w+\n([\s\S]*?)^\2$/gm
  return [...markdown.matchAll(file)].map(([, path = '', , text = '']) => ({ path, text }))
}

/** A page line by line, with empty lines in place of its code blocks, except blocks in the `kept` languages. */
export function readProse(markdown: string, kept: string[] = []): string[] {
  let fence = ''
  let isKept = false
  return markdown.split('\n').map((line) => {
    const [, mark = '', language = ''] = line.match(/^\s*(`{3,})\s*(\S*)/) ?? []
    const isInside = fence !== ''
    if (fence === '') {
      fence = mark
      isKept = kept.includes(language)
    } else if (mark === fence) fence = ''
    return mark !== '' || (isInside && !isKept) ? '' : line
  })
}

export function readHeadings(markdown: string): Heading[] {
  const seen = new Map<string, number>()
  return readProse(markdown).flatMap((line, index) => {
    const match = line.match(/^(#{1,6})\s+(.*?)\s*$/)
    if (!match) return []
    const title = match[2] ?? ''
    const plain = title.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    const base = plain
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-')
    const before = seen.get(base) ?? 0
    seen.set(base, before + 1)
    return [{ level: match[1]?.length ?? 0, title, anchor: before === 0 ? base : `${base}-${before}`, line: index + 1 }]
  })
}

/** The text below each heading, up to the next heading of any level; code blocks included. */
export function readSections(markdown: string): { title: string; text: string }[] {
  const lines = markdown.split('\n')
  const headings = readHeadings(markdown)
  return headings.map(({ title, line }, index) => ({
    title,
    text: lines.slice(line, (headings[index + 1]?.line ?? lines.length + 1) - 1).join('\n'),
  }))
}

/** Targets of links and pictures that are in the repository: path and anchor. */
export function readLinks(markdown: string): { path: string; anchor: string; line: number }[] {
  return readProse(markdown).flatMap((line, index) =>
    [...line.replace(/`[^`]*`/g, '').matchAll(/(?:\]\(|\b(?:src|srcset|href)=")([^)"\s]+)/g)]
      .map(([, target]) => target ?? '')
      .filter((target) => !/^[a-z]+:/.test(target))
      .map((target) => {
        const [path = '', anchor = ''] = target.split('#')
        return { path, anchor, line: index + 1 }
      }),
  )
}
