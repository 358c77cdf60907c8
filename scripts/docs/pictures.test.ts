import { expect, test } from 'vitest'
import { drawPicture } from './draw_picture.ts'
import { findStale, readPictures } from './pictures.ts'

test('every generated file of docs/ is current: else run npm run docs:pictures', () => {
  expect(readPictures().length).toBeGreaterThan(0)
  expect(findStale()).toEqual([])
})

test('a picture has a background of its own, for light and for dark pages, and loads nothing', () => {
  const svg = drawPicture('A and B', 'flowchart TD\n  a["A"] --> b["B"]\n')
  expect(svg).toContain('background: var(--bg)')
  expect(svg).toContain('prefers-color-scheme: dark')
  expect(svg).not.toMatch(/@import|url\((?!#)|href=/)
})
