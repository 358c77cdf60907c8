import { fileTypeFromBuffer } from 'file-type'

/** Returns the MIME type that the first bytes of a file tell, or an empty text. */
export async function readPictureType(head: Buffer): Promise<string> {
  // file-type reads only the first brand, and AVIF is often the second one.
  const brands = readBrands(head)
  if (brands.some((brand) => brand === 'avif' || brand === 'avis')) return 'image/avif'
  const type = (await fileTypeFromBuffer(head))?.mime ?? ''
  // file-type knows four of the eight brands of HEIC, and identifies the others as videos.
  return brands.some((brand) => /^he[iv][cxms]$/.test(brand)) && !type.startsWith('image/') ? 'image/heic' : type
}

/** Returns the brands of an ISO base media file (AVIF, HEIC, MP4 …): the major one, then the compatible ones. */
function readBrands(head: Buffer): string[] {
  if (head.length < 12 || head.toString('latin1', 4, 8) !== 'ftyp') return []
  const end = Math.min(head.readUInt32BE(0), head.length)
  const brands = [head.toString('latin1', 8, 12)]
  for (let at = 16; at + 4 <= end; at += 4) brands.push(head.toString('latin1', at, at + 4))
  return brands
}
