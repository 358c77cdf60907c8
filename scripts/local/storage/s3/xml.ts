import { S3Error } from './s3_error.ts'

/** The content of an element: text, or child elements by name; an array repeats the element, undefined leaves it out. */
export type XmlContent = string | number | boolean | undefined | XmlContent[] | { [name: string]: XmlContent }

/** Writes a document in XML. `namespace` is for all answers but errors. */
export function writeXml(name: string, content: XmlContent, namespace?: string): string {
  const attribute = namespace === undefined ? '' : ` xmlns="${escapeText(namespace)}"`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name}${attribute}>${writeContent(content)}</${name}>`
}

function writeContent(content: XmlContent): string {
  if (typeof content !== 'object') return escapeText(String(content ?? ''))
  return Object.entries(content)
    .flatMap(([name, value]) => (Array.isArray(value) ? value : [value]).map((one) => writeElement(name, one)))
    .join('')
}

function writeElement(name: string, content: XmlContent): string {
  return content === undefined ? '' : `<${name}>${writeContent(content)}</${name}>`
}

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function escapeText(text: string): string {
  // XML cannot contain most control characters in any form.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that XML does not allow.
  const valid = text.toWellFormed().replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
  return valid.replace(/[&<>"\r]/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** An element of a parsed document. */
export type XmlElement = { name: string; text: string; children: XmlElement[] }

const depthMax = 8

/**
 * Parses the small documents that S3's clients send: elements, text and the five entities. Refuses everything else, such as
 * DOCTYPE, own entities, comments and CDATA.
 */
export function parseXml(document: string): XmlElement {
  const top: XmlElement = { name: '', text: '', children: [] }
  const open = [top]
  const token = /<(\/?)([A-Za-z][\w.-]{0,63})((?:\s+[\w:.-]{1,64}="[^"<&]*")*)\s*(\/?)>|([^<]+)/y
  const text = document.replace(/^\ufeff/, '').replace(/^<\?xml [^?]{0,200}\?>/, '')
  if (text.includes('\0')) throw malformed()
  while (token.lastIndex < text.length) {
    const found = token.exec(text)
    const current = open.at(-1)
    if (!found || !current) throw malformed()
    const [, closes, name = '', attributes, isEmpty, words] = found
    if (words !== undefined) {
      current.text += unescapeText(words)
    } else if (closes) {
      if (current.name !== name || attributes || isEmpty || open.length === 1) throw malformed()
      open.pop()
    } else {
      const element: XmlElement = { name, text: '', children: [] }
      current.children.push(element)
      if (!isEmpty) open.push(element)
      if (open.length > depthMax) throw malformed()
    }
  }
  const [root, ...more] = top.children
  if (open.length !== 1 || !root || more.length > 0 || top.text.trim() !== '') throw malformed()
  return root
}

function unescapeText(text: string): string {
  return text.replace(/&([^;]{0,10};?)/g, (_, name: string) => {
    const [, hex, decimal] = /^#(?:x([0-9a-fA-F]{1,6})|(\d{1,7}));$/.exec(name) ?? []
    const point = hex !== undefined ? Number.parseInt(hex, 16) : Number(decimal ?? Number.NaN)
    if (isCharacter(point)) return String.fromCodePoint(point)
    const character = name.endsWith(';') ? entities[name.slice(0, -1)] : undefined
    if (character === undefined) throw malformed()
    return character
  })
}

/** Whether XML allows a character; half of a surrogate pair is not one. */
function isCharacter(point: number): boolean {
  return [9, 10, 13].includes(point) || (point >= 32 && point < 0xd800) || (point > 0xdfff && point <= 0x10ffff)
}

function malformed(): S3Error {
  return new S3Error(400, 'MalformedXML', 'The XML you provided was not well-formed or did not validate.')
}
