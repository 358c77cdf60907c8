import { expect, test } from 'vitest'
import { parseXml, writeXml } from './xml.ts'

test('writes elements in order, repeats arrays, leaves undefined out and escapes text', () => {
  const written = writeXml(
    'Result',
    { Name: 'a<b>&"c"', Key: ['1', '2'], Gone: undefined, Size: 0, Done: false },
    'urn:x',
  )
  expect(written).toBe(
    '<?xml version="1.0" encoding="UTF-8"?>\n<Result xmlns="urn:x"><Name>a&#60;b&#62;&#38;&#34;c&#34;</Name>' +
      '<Key>1</Key><Key>2</Key><Size>0</Size><Done>false</Done></Result>',
  )
  expect(writeXml('A', '\u0000\ud800')).toContain('<A>\ufffd\ufffd</A>')
})

test('parses what it writes', () => {
  const document = writeXml('Delete', { Object: [{ Key: 'it\'s <&> "it"' }, { Key: '' }], Quiet: true }, 'urn:x')
  const { name, children } = parseXml(document)
  expect(name).toBe('Delete')
  expect(children.map((one) => one.children[0]?.text ?? one.text)).toEqual(['it\'s <&> "it"', '', 'true'])
})

test.each([
  ['a DOCTYPE', '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'],
  ['an external entity', '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'],
  ['an unknown entity', '<a>&x;</a>'],
  ['a bare ampersand', '<a>&</a>'],
  ['a character that does not exist', '<a>&#x110000;</a>'],
  ['a comment', '<a><!-- --></a>'],
  ['CDATA', '<a><![CDATA[x]]></a>'],
  ['an element that is not closed', '<a><b></a>'],
  ['an element that is closed twice', '<a></a></a>'],
  ['two roots', '<a/><b/>'],
  ['text outside of the root', '<a/>x'],
  ['nothing', ''],
  ['many levels', '<a>'.repeat(100) + '</a>'.repeat(100)],
  ['a tag of a megabyte', `<a ${' '.repeat(1_000_000)}`],
  ['a megabyte of open tags', '<a>'.repeat(333_333)],
])('refuses %s', (_name, document) => {
  expect(() => parseXml(document)).toThrow(expect.objectContaining({ code: 'MalformedXML' }))
})
