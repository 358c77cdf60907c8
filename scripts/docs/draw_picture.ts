import { renderMermaidSVG } from 'beautiful-mermaid'

const light = { bg: '#ffffff', fg: '#1f2328' }
const dark = { bg: '#0d1117', fg: '#e6edf3' }

/**
 * Draws a Mermaid diagram as SVG that is readable on light and on dark pages: it brings its own background, and changes
 * both colors where the reader prefers dark. It loads nothing, so it works in an <img>. The title is its alternative text.
 */
export function drawPicture(title: string, mermaid: string): string {
  const svg = renderMermaidSVG(mermaid, { ...light, font: 'Helvetica', padding: 16, nodeSpacing: 32, layerSpacing: 48 })
  const plain = svg
    .replace(/^\s*@import url\([^\n]*\n/m, '')
    // As text that a diff shows: coordinates with two digits.
    .replace(/-?\d+\.\d{3,}/g, (number) => String(Math.round(Number(number) * 100) / 100))
  const colors = `  svg { --bg: ${light.bg}; --fg: ${light.fg}; background: var(--bg); }
  @media (prefers-color-scheme: dark) { svg { --bg: ${dark.bg}; --fg: ${dark.fg}; } }
`
  return plain
    .replace(/ style="[^"]*">\n/, `>\n<title>${title}</title>\n`)
    .replace('</style>', `${colors}</style>`)
    .replace(/[ \t]+$/gm, '')
    .trimEnd()
    .concat('\n')
}
